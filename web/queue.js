// The queue of pictures: a few requests in flight, Retry-After obeyed, back-off while the server is away.
import { Refused, Unreachable, get } from "./api.js";

const IN_FLIGHT = 4;
const ATTEMPTS = 8;
// A connection that breaks so often under one picture, while the server is well, will break again.
const BROKEN_ATTEMPTS = 4;
const LONGEST_BACKOFF = 30_000;

/**
 * Runs `work(item, signal)` for the items that wait. Events: "change" (detail: an item), "hold" (detail: why the queue
 * stands still, or null), "drained".
 */
export class Queue extends EventTarget {
  #work;
  #waiting = [];
  #running = new Map();
  #hold = null;
  #timer = 0;
  #backoff = 1000;

  constructor(work) {
    super();
    this.#work = work;
  }

  get isIdle() {
    return this.#running.size === 0 && !this.#waiting.some((item) => item.state === "waiting");
  }

  get held() {
    return this.#hold;
  }

  /** Queues an item, at the front if `first`. An older run of the same item is cancelled. */
  add(item, first = false) {
    this.#abort(item);
    this.#set(item, { state: "waiting", error: null, attempts: 0, progress: 0 });
    if (first) this.#waiting.unshift(item);
    else this.#waiting.push(item);
    this.#pump();
  }

  /** Stops an item, whether it runs or waits. */
  cancel(item) {
    this.#abort(item);
    if (item.state === "waiting" || item.state === "sending" || item.state === "working") this.#set(item, { state: "cancelled" });
    this.#pump();
  }

  /** Tries again at once. */
  resume() {
    clearTimeout(this.#timer);
    if (this.#hold?.why === "away") return this.#knock();
    this.#release();
  }

  #abort(item) {
    this.#running.get(item)?.abort();
    this.#running.delete(item);
  }

  #set(item, change) {
    Object.assign(item, change);
    this.dispatchEvent(new CustomEvent("change", { detail: item }));
  }

  #pump() {
    while (!this.#hold && this.#running.size < IN_FLIGHT) {
      const item = this.#waiting.shift();
      if (!item) break;
      if (item.state === "waiting") this.#run(item);
    }
    if (this.isIdle) this.dispatchEvent(new Event("drained"));
  }

  async #run(item) {
    const controller = new AbortController();
    this.#running.set(item, controller);
    item.attempts++;
    this.#set(item, { state: "sending", progress: 0 });
    let error = null;
    try {
      await this.#work(item, controller.signal, (change) => this.#running.get(item) === controller && this.#set(item, change));
    } catch (caught) {
      error = caught;
    }
    if (this.#running.get(item) !== controller) return; // cancelled, or replaced by a newer run
    this.#running.delete(item);
    if (!error) this.#set(item, { state: "done", error: null });
    else this.#fail(item, error);
    this.#pump();
  }

  #fail(item, error) {
    const again = () => {
      this.#set(item, { state: "waiting", progress: 0 });
      this.#waiting.unshift(item);
    };
    if (error instanceof Unreachable && item.attempts < BROKEN_ATTEMPTS) {
      again();
      this.#away();
    } else if (error instanceof Refused && error.status === 401) {
      item.attempts = 0;
      again();
      this.#stop({ why: "token" });
    } else if (error instanceof Refused && (error.status === 503 || error.status === 429) && item.attempts < ATTEMPTS) {
      again();
      const wait = error.retryAfter ?? Math.min(LONGEST_BACKOFF, 500 * 2 ** item.attempts);
      this.#stop({ why: "busy", until: Date.now() + wait });
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#release(), wait);
    } else {
      this.#set(item, { state: "failed", error });
    }
  }

  #stop(hold) {
    if (this.#hold?.why === "token") return; // only the user ends that
    this.#hold = hold;
    this.dispatchEvent(new CustomEvent("hold", { detail: hold }));
  }

  #release() {
    const was = this.#hold;
    this.#hold = null;
    this.#backoff = 1000;
    if (was) this.dispatchEvent(new CustomEvent("hold", { detail: null }));
    this.#pump();
  }

  /** The connection failed: the server is asked for its health until it answers, at growing distances. */
  #away() {
    if (this.#hold?.why === "away" || this.#hold?.why === "token") return;
    this.#stop({ why: "away", until: Date.now() });
    this.#knock();
  }

  async #knock() {
    clearTimeout(this.#timer);
    try {
      await get("health");
      if (this.#hold?.why === "away") this.#release();
    } catch (error) {
      if (error instanceof Refused) return this.#release();
      this.#stop({ why: "away", until: Date.now() + this.#backoff });
      this.#timer = setTimeout(() => this.#knock(), this.#backoff);
      this.#backoff = Math.min(LONGEST_BACKOFF, this.#backoff * 2);
    }
  }
}
