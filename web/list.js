// The rows of the pictures. Only those in view exist, so that ten thousand are as quick as ten.
import { byId, h, iconButton, perFrame } from "./dom.js";
import { bytes, change, t } from "./strings.js";
import { afterBytes, on, select, state } from "./state.js";
import { thumbnail } from "./preview.js";
import { offerDrag, saveItem } from "./results.js";

const ROW = 68;
const MARGIN = 4;

/** Shows the list. `actions`: cancel, retry, remove. */
export function start(actions) {
  const scroller = byId("rows");
  const rows = byId("row-list");
  const shown = new Map();
  const draw = perFrame(() => {
    const { items } = state;
    rows.style.height = `${items.length * ROW}px`;
    const first = Math.max(0, Math.floor(scroller.scrollTop / ROW) - MARGIN);
    const last = Math.min(items.length, Math.ceil((scroller.scrollTop + scroller.clientHeight) / ROW) + MARGIN);
    const wanted = new Set(items.slice(first, last));
    for (const [item, row] of shown) {
      if (!wanted.has(item)) {
        row.element.remove();
        shown.delete(item);
      }
    }
    for (let place = first; place < last; place++) {
      const item = items[place];
      let row = shown.get(item);
      if (!row) {
        row = makeRow(item, actions);
        shown.set(item, row);
        // Kept in order, so that Tab goes from row to row.
        const next = items.slice(place + 1, last).find((later) => shown.has(later));
        rows.insertBefore(row.element, next ? shown.get(next).element : null);
      }
      row.element.style.transform = `translateY(${place * ROW}px)`;
      row.element.setAttribute("aria-setsize", items.length);
      row.element.setAttribute("aria-posinset", place + 1);
      row.update();
    }
  });
  scroller.addEventListener("scroll", draw, { passive: true });
  new ResizeObserver(draw).observe(scroller);
  for (const what of ["items", "item", "selected"]) on(what, draw);
  on("selected", (item) => item && reveal(item));
  rows.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -Infinity, End: Infinity }[event.key];
    if (!step || !state.selected) return;
    event.preventDefault();
    const place = state.items.indexOf(state.selected) + step;
    const item = state.items[Math.max(0, Math.min(state.items.length - 1, place))];
    select(item);
    requestAnimationFrame(() => requestAnimationFrame(() => shown.get(item)?.focus()));
  });

  function reveal(item) {
    const top = state.items.indexOf(item) * ROW;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + ROW > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + ROW - scroller.clientHeight;
  }
}

function makeRow(item, actions) {
  const image = h("img", { class: "thumb", alt: "", width: 48, height: 48, draggable: false });
  const name = h("span", { class: "row-name" }, item.name);
  const detail = h("span", { class: "row-detail" });
  const saved = h("span", { class: "saved" });
  const bar = h("span", { class: "row-bar", "aria-hidden": "true" });
  const main = h("button", { class: "row-main", title: item.path, onclick: () => select(item) },
    image, h("span", { class: "row-text" }, name, detail), saved);
  const side = h("span", { class: "row-side" });
  const element = h("li", { class: "row" }, main, side, bar);
  offerDrag(main, () => item.results[0]);
  thumbnail(item).then((address) => address && (image.src = address));
  let drawn = "";

  function update() {
    const text = describe(item);
    const now = [item.state, item.progress, text, state.selected === item, item.results.length].join("|");
    if (now === drawn) return;
    drawn = now;
    element.dataset.state = item.state;
    main.setAttribute("aria-current", state.selected === item);
    detail.textContent = text;
    const isDone = item.state === "done";
    saved.textContent = isDone ? savedText(item) : "";
    saved.dataset.larger = isDone && afterBytes(item) > item.size;
    bar.style.transform = `scaleX(${item.state === "sending" && item.progress < 1 ? item.progress : 0})`;
    const hadFocus = side.contains(document.activeElement);
    side.replaceChildren(...sideButtons(item, actions));
    if (hadFocus) side.firstChild?.focus();
  }
  return { element, update, focus: () => main.focus() };
}

function savedText(item) {
  if (item.results.some((result) => result.report.warnings.includes("passthrough"))) return t.state.unchanged;
  return change(item.size, afterBytes(item) / item.results.length);
}

function describe(item) {
  switch (item.state) {
    case "done":
      return `${bytes(item.size)} → ${bytes(afterBytes(item))}${item.results.length > 1 ? ` (${item.results.length})` : ""}`;
    case "failed":
      return item.error.message;
    case "cancelled":
      return t.state.cancelled;
    case "sending":
      return `${bytes(item.size)}, ${t.state.sending(Math.round(100 * item.progress))}`;
    default:
      return `${bytes(item.size)}, ${t.state.waiting}`;
  }
}

function sideButtons(item, actions) {
  const make = (name, action, run) => iconButton(name, t.actionOf(action, item.name), run);
  switch (item.state) {
    case "done":
      return [make("download", t.download, () => saveItem(item)), make("close", t.remove, () => actions.remove(item))];
    case "failed":
    case "cancelled":
      return [make("retry", t.retry, () => actions.retry(item)), make("close", t.remove, () => actions.remove(item))];
    default:
      return [make("close", t.cancel, () => actions.cancel(item))];
  }
}
