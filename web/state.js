// The pictures, the one that is chosen, the settings, and who is told when they change.
import { effective, query, results } from "./options.js";

export const state = {
  items: [],
  selected: null,
  /** Settings of all pictures. */
  all: {},
  /** True if the settings panel shows the chosen picture's own settings. */
  isOwn: false,
  /** Sums over all items, kept up to date by `count`. */
  totals: { done: 0, failed: 0, active: 0, before: 0, after: 0, waitingBytes: 0 },
};

const bus = new EventTarget();

/** Tells everybody who listens: "items", "item", "selected", "settings", "result". */
export function tell(what, detail) {
  bus.dispatchEvent(new CustomEvent(what, { detail }));
}

export function on(what, action) {
  bus.addEventListener(what, (event) => action(event.detail));
}

let number = 0;

/** Makes the item of a file; `path` is its place in a dropped folder. */
export function newItem({ file, path }) {
  return {
    id: ++number, file, path: path ?? file.name, name: file.name, size: file.size, over: {},
    state: "new", progress: 0, attempts: 0, error: null, results: [], asked: null, source: null,
  };
}

export const settingsOf = (item) => effective(state.all, item.over);

/** One query for each result that the settings ask for. */
export const queriesOf = (item) => results(settingsOf(item)).map(query);

export const afterBytes = (item) => item.results.reduce((sum, result) => sum + result.blob.size, 0);

const isActive = (item) => item.state === "waiting" || item.state === "sending" || item.state === "working";

/** Adds an item to the totals, or takes it out with `sign` -1. */
function weigh(item, sign) {
  const { totals } = state;
  if (item.state === "done") {
    totals.done += sign;
    totals.before += sign * item.size;
    totals.after += sign * (item.counted ?? 0);
  }
  if (item.state === "failed") totals.failed += sign;
  if (isActive(item)) {
    totals.active += sign;
    totals.waitingBytes += sign * item.size;
  }
}

const counted = new WeakMap();

/** Brings the totals up to date with an item, or without it if `isGone`. */
export function count(item, isGone = false) {
  const was = counted.get(item);
  if (was) weigh(was, -1);
  counted.delete(item);
  if (isGone) return;
  const now = { state: item.state, size: item.size, counted: item.results.length ? afterBytes(item) / item.results.length : 0 };
  weigh(now, 1);
  counted.set(item, now);
}

export function select(item) {
  if (state.selected === item) return;
  state.selected = item;
  if (!item) state.isOwn = false;
  tell("selected", item);
}
