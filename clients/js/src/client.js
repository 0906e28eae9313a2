// `Client`: the calls, with retries, over a transport. Knows neither sockets nor fetch.

import { Broken, Busy, ImgsrvError, Unreachable, refusal } from "./errors.js";
import { reportOf, taskOf } from "./report.js";

/** @import { Call, ClientSettings, Image, Options, Result, StreamedResult, Task } from "./index.d.ts" */

/**
 * One request to a transport. A transport rejects with `Unreachable` if nothing was sent, else with `Broken`.
 * @typedef {object} Request
 * @property {"GET" | "POST" | "DELETE"} method
 * @property {string} target
 * @property {Record<string, string>} headers
 * @property {Uint8Array | Blob | AsyncIterable<Uint8Array> | undefined} body
 * @property {AbortSignal} signal
 * @property {boolean} isIdempotent
 */
/**
 * @typedef {object} Response
 * @property {number} code
 * @property {(name: string) => string | null | undefined} header
 * @property {() => Promise<Uint8Array<ArrayBuffer>>} bytes
 * @property {() => ReadableStream<Uint8Array>} stream
 */
/** @typedef {{ send(request: Request): Promise<Response>, close(): void }} Transport */

/** Longest pause that a server may ask for, in milliseconds. */
const LONGEST_PAUSE = 30_000;

export class BaseClient {
  #transport;
  #headers;
  #timeout;
  #retries;
  #backoff;

  /** @param {Transport} transport @param {ClientSettings} settings */
  constructor(transport, { token, timeout = 60_000, retries = 3, backoff = 100 } = {}) {
    this.#transport = transport;
    this.#headers = /** @type {Record<string, string>} */ (
      token === undefined ? {} : { authorization: `Bearer ${token}` }
    );
    this.#timeout = timeout;
    this.#retries = retries;
    this.#backoff = backoff;
  }

  /** @param {Image} image @param {Options} [options] @param {Call} [call] */
  resize(image, options, call) {
    return this.#image("/resize", image, options, call);
  }

  /** @param {Image} image @param {Options} [options] @param {Call} [call] */
  crop(image, options, call) {
    return this.#image("/crop", image, options, call);
  }

  /** @param {Image} image @param {Options} [options] @param {Call} [call] */
  thumbnail(image, options, call) {
    return this.#image("/thumbnail", image, options, call);
  }

  /** @param {Image} image @param {Options} [options] @param {Call} [call] */
  convert(image, options, call) {
    return this.#image("/convert", image, options, call);
  }

  /**
   * @param {Image} image @param {Options} [options] @param {Call} [call]
   * @returns {Promise<StreamedResult>}
   */
  stream(image, options, call) {
    return this.#send("POST", "/resize" + queryOf(options), call, image, (response) => ({
      body: response.stream(),
      contentType: response.header("content-type") ?? "",
      report: reportOf(response.header),
    }));
  }

  /** @param {Image} image @param {Call} [call] */
  info(image, call) {
    return this.#send("POST", "/info", call, image, json);
  }

  /** @param {Image} image @param {Options} [options] @param {Call} [call] @returns {Promise<Task>} */
  async submit(image, options, call) {
    const told = await this.#send("POST", "/upload" + queryOf(options), call, image, json, false);
    return taskOf({ status: "queued", ...told });
  }

  /** @param {string} id @param {Call} [call] @returns {Promise<Task>} */
  async task(id, call) {
    return taskOf(await this.#send("GET", `/status/${encodeURIComponent(id)}`, call, undefined, json));
  }

  /** @param {string} id @param {Call} [call] @returns {Promise<Task>} */
  async wait(id, call) {
    for (let pause = 20; ; pause = Math.min(pause * 1.5, 1000)) {
      const task = await this.task(id, call);
      if (["done", "failed", "cancelled"].includes(task.status)) return task;
      await sleep(pause, call?.signal);
    }
  }

  /** @param {string} id @param {Call} [call] @returns {Promise<Result>} */
  result(id, call) {
    return this.#send("GET", `/result/${encodeURIComponent(id)}`, call, undefined, picture);
  }

  /** @param {string} id @param {Call} [call] @returns {Promise<Task>} */
  async cancel(id, call) {
    return taskOf(await this.#send("DELETE", `/status/${encodeURIComponent(id)}`, call, undefined, json));
  }

  /** @param {{limit?: number}} [settings] @returns {AsyncGenerator<Task, void, void>} */
  async *tasks({ limit } = {}) {
    /** @type {string | undefined} */
    let after;
    do {
      const page = await this.#send("GET", "/tasks" + queryOf({ limit, after }), undefined, undefined, json);
      yield* page.tasks.map(taskOf);
      after = page.next ?? undefined;
    } while (after !== undefined);
  }

  /** @param {Call} [call] */
  async health(call) {
    try {
      await this.#send("GET", "/health", call, undefined, (response) => response.bytes());
      return true;
    } catch (error) {
      if (error instanceof ImgsrvError) return false;
      throw error;
    }
  }

  close() {
    this.#transport.close();
  }

  /**
   * @param {string} route @param {Image} image @param {Options | undefined} options @param {Call | undefined} call
   * @returns {Promise<Result>}
   */
  #image(route, image, options, call) {
    return this.#send("POST", route + queryOf(options), call, image, picture);
  }

  /**
   * Sends a request, again where that may help, and reads its answer. A refusal is an exception.
   * @template T
   * @param {"GET" | "POST" | "DELETE"} method @param {string} target @param {Call | undefined} call
   * @param {Image | undefined} image
   * @param {(response: Response) => T | Promise<T>} read
   * @returns {Promise<T>}
   */
  async #send(method, target, call, image, read, isIdempotent = true) {
    const body = image === undefined ? undefined : bodyOf(image);
    const canRepeat = body === undefined || body instanceof Uint8Array || body instanceof Blob;
    const retries = canRepeat ? this.#retries : 0;
    for (let tried = 0; ; tried++) {
      call?.signal?.throwIfAborted();
      const deadline = AbortSignal.timeout(this.#timeout);
      const signal = call?.signal ? AbortSignal.any([deadline, call.signal]) : deadline;
      try {
        const request = { method, target, headers: this.#headers, body, signal, isIdempotent };
        const response = await this.#transport.send(request);
        if (response.code >= 400) throw refusal(response.code, await response.bytes());
        return await read(response);
      } catch (error) {
        call?.signal?.throwIfAborted();
        const failure = deadline.aborted && !(error instanceof ImgsrvError)
          ? new Broken(`no answer within ${this.#timeout} ms`, { cause: error })
          : error;
        const canRetry = failure instanceof Busy || failure instanceof Unreachable
          || (failure instanceof Broken && isIdempotent);
        if (!canRetry || tried >= retries) throw failure;
        const least = failure instanceof Busy ? Math.min(failure.retryAfterMs ?? 0, LONGEST_PAUSE) : 0;
        await sleep(Math.max(least, this.#backoff * 2 ** tried * (0.5 + Math.random() / 2)), call?.signal);
      }
    }
  }
}

/** @param {Response} response @returns {Promise<Result>} */
async function picture(response) {
  const data = await response.bytes();
  const report = reportOf(response.header);
  const { width, height, format } = report;
  return { data, width, height, format, contentType: response.header("content-type") ?? "", report };
}

/** @param {Response} response @returns {Promise<any>} */
async function json(response) {
  const text = new TextDecoder().decode(await response.bytes());
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Broken("the answer is no JSON: is this an imgsrv server?", { cause: error });
  }
}

/**
 * @param {Image} image
 * @returns {Uint8Array | Blob | AsyncIterable<Uint8Array>}
 */
function bodyOf(image) {
  if (image instanceof Uint8Array || image instanceof Blob) return image;
  if (image instanceof ArrayBuffer) return new Uint8Array(image);
  if (image instanceof ReadableStream && !(Symbol.asyncIterator in image)) return chunksOf(image);
  if (typeof image === "object" && image !== null && Symbol.asyncIterator in image) {
    return /** @type {AsyncIterable<Uint8Array>} */ (image);
  }
  throw new TypeError("an image is a Uint8Array, an ArrayBuffer, a Blob or a stream");
}

/** The chunks of a stream, where browsers cannot iterate it. @param {ReadableStream<Uint8Array>} stream */
async function* chunksOf(stream) {
  const reader = stream.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
}

/** The options as a query string, with its question mark. @param {object | undefined} options */
export function queryOf(options = {}) {
  const pairs = Object.entries(options).filter(([, value]) => value !== undefined && value !== null);
  const query = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
  return query && `?${query}`;
}

/** @param {number} ms @param {AbortSignal} [signal] @returns {Promise<void>} */
function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const leave = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", leave);
      resolve();
    }, ms);
    signal?.addEventListener("abort", leave, { once: true });
  });
}
