// The page at `/`: joins list, viewer, settings, queue and server.
import { Refused, get, imageAccept, post, report, setToken } from "./api.js";
import * as code from "./code.js";
import * as curve from "./curve.js";
import { byId, debounce, h, icon, throttle } from "./dom.js";
import { listen } from "./files.js";
import * as health from "./health.js";
import * as list from "./list.js";
import { load, loadPresets, server } from "./options.js";
import { Queue } from "./queue.js";
import { saveZip } from "./results.js";
import * as settings from "./settings.js";
import { sendFrom } from "./sources.js";
import { afterBytes, count, newItem, on, queriesOf, select, state, tell } from "./state.js";
import { bytes, change, duration, t } from "./strings.js";
import * as tasks from "./tasks.js";
import * as viewer from "./viewer.js";

const queue = new Queue(work);
const run = { started: 0, ended: 0, bytesAtStart: 0 };

/** Makes every result of an item. */
async function work(item, signal, update) {
  if (item.size > server.max_body) throw new Error(t.tooLarge(item.size, server.max_body));
  const queries = queriesOf(item);
  const accept = await imageAccept;
  const made = [];
  for (const [place, query] of queries.entries()) {
    const share = (part) => update({ progress: (place + part) / queries.length });
    const keepsSource = queries.length > 1 || item === state.selected;
    const response = await sendFrom(item, `resize?${query}`, { signal, keepsSource, headers: { Accept: accept }, onprogress: (sent) => share(Math.min(1, sent / item.size)) });
    share(1);
    made.push({ item, query, blob: response.blob, report: report(response.header) });
  }
  for (const old of item.results) if (old.address) URL.revokeObjectURL(old.address);
  update({ results: made, asked: queries.join(" ") });
  tell("result", item);
}

function add(found) {
  const items = found.map(newItem);
  if (!items.length) return;
  for (const item of items) state.items.push(item);
  if (queue.isIdle) Object.assign(run, { started: performance.now(), bytesAtStart: state.totals.before });
  document.body.classList.add("has-pictures");
  if (!state.selected) select(items[0]);
  for (const item of items) queue.add(item, item === state.selected);
  say(t.announceAdded(items.length));
  tell("items");
  drawTotals();
}

function remove(item) {
  queue.cancel(item);
  count(item, true);
  const place = state.items.indexOf(item);
  state.items.splice(place, 1);
  item.thumb?.then((address) => address && URL.revokeObjectURL(address));
  if (state.selected === item) select(state.items[Math.min(place, state.items.length - 1)] ?? null);
  if (!state.items.length) document.body.classList.remove("has-pictures");
  tell("items");
  drawTotals();
}

function removeAll() {
  for (const item of state.items) {
    queue.cancel(item);
    count(item, true);
    item.thumb?.then((address) => address && URL.revokeObjectURL(address));
  }
  state.items = [];
  select(null);
  document.body.classList.remove("has-pictures");
  tell("items");
  drawTotals();
}

function again(items) {
  if (queue.isIdle) Object.assign(run, { started: performance.now(), bytesAtStart: state.totals.before });
  for (const item of items) queue.add(item, item === state.selected);
}

/** The chosen picture follows the settings while they change, the others when they rest. */
function follow() {
  followChosen();
  followAll();
}

const followChosen = debounce(() => {
  const item = state.selected;
  if (item && isStale(item)) queue.add(item, true);
}, 150);

const followAll = debounce(() => again(state.items.filter((item) => item !== state.selected && isStale(item))), 700);

/** Returns true if an item has, or will get, something else than its settings say. */
function isStale(item) {
  const wanted = queriesOf(item).join(" ");
  if (item.state === "cancelled") return false;
  if (item.state === "done") return item.asked !== wanted;
  const isStale = item.wanted !== wanted;
  item.wanted = wanted;
  return item.state !== "waiting" && isStale;
}

const drawTotals = throttle(() => {
  const { totals, items } = state;
  const all = items.length;
  const isActive = totals.active > 0;
  byId("total").textContent = isActive ? t.total(totals.done + totals.failed, all) : t.totalDone(all);
  byId("total-bytes").textContent = totals.done ? t.totalBytes(totals.before, totals.after) : "";
  byId("total-saved").textContent = totals.done ? change(totals.before, totals.after) : "";
  byId("total-failed").textContent = totals.failed ? t.failures(totals.failed) : "";
  byId("retry-failed").hidden = !totals.failed || isActive;
  byId("retry-failed").lastChild.textContent = t.retryFailed(totals.failed);
  byId("stop").hidden = !isActive;
  byId("download-all").disabled = !totals.done;
  byId("finish").disabled = !totals.done && !totals.failed;
  const bar = byId("progress");
  bar.hidden = !isActive;
  bar.max = all || 1;
  bar.value = totals.done + totals.failed;
  const passed = performance.now() - run.started;
  const handled = totals.before - run.bytesAtStart;
  byId("left").textContent = isActive && !queue.held && handled > 0 && passed > 1500 ? t.left((totals.waitingBytes * passed) / handled) : "";
}, 60);

function say(text) {
  byId("live").textContent = text;
}

let countdown;

/** Tells why the queue stands still, and for how long. */
function drawHold(hold) {
  clearInterval(countdown);
  const banner = byId("banner");
  const wasAway = banner.dataset.why === "away";
  banner.dataset.why = hold?.why ?? "";
  byId("token-form").hidden = hold?.why !== "token";
  byId("try-now").hidden = hold?.why !== "away";
  if (!hold) {
    byId("banner-text").textContent = wasAway ? t.back : "";
    banner.hidden = !wasAway;
    if (wasAway) {
      health.look();
      setTimeout(() => (banner.hidden = banner.hidden || !banner.dataset.why), 4000);
    }
    return;
  }
  banner.hidden = false;
  if (hold.why === "token") {
    byId("banner-text").textContent = byId("token").value ? t.tokenWrong : t.tokenNeeded;
    byId("token").focus();
    return;
  }
  const draw = () => {
    const seconds = Math.max(0, Math.ceil((hold.until - Date.now()) / 1000));
    byId("banner-text").textContent = hold.why === "busy" ? t.busy(seconds) : seconds ? t.away(seconds) : t.awayNow;
  };
  draw();
  countdown = setInterval(draw, 500);
}

function finish() {
  const { totals, items } = state;
  const done = items.filter((item) => item.state === "done");
  const failed = items.filter((item) => item.state === "failed");
  const tally = (words) => [...words.reduce((sums, word) => sums.set(word, (sums.get(word) ?? 0) + 1), new Map())].map(([word, n]) => `${word} ${n}`).join(", ");
  const operations = tally(done.flatMap((item) => (new URLSearchParams(item.results[0]?.query).get("ops") ?? "").split(",").filter(Boolean).map((one) => one.split(":")[0])).map((name) => t.eight[name] ?? name));
  const formats = tally(done.flatMap((item) => item.results.map((result) => result.report.format)));
  byId("finish-content").replaceChildren(...[
    done.length ? h("p", { class: "finish-lead" }, t.finishText(done.length, totals.before, totals.after)) : h("p", {}, t.finishNothing),
    formats && h("p", {}, t.finishFormats(formats)),
    operations && h("p", {}, t.finishOperations(operations)),
    run.ended > run.started && h("p", { class: "soft" }, t.finishTime(run.ended - run.started)),
    failed.length && h("p", { class: "failed" }, t.finishFailed(failed.length)),
    failed.length && h("ul", {}, failed.slice(0, 50).map((item) => h("li", {}, `${item.path}: ${item.error.message}`))),
  ].filter(Boolean));
  byId("finish-dialog").showModal();
}

async function downloadAll(button) {
  button.disabled = true;
  const packed = await saveZip(state.items, "pictures.zip", (done, all) => say(t.zipBusy(done, all)));
  say(packed ? t.zipDone : t.zipNothing);
  button.disabled = false;
}

/** Fills in the words and icons that the HTML names. */
function dress() {
  for (const element of document.querySelectorAll("[data-icon]")) element.prepend(icon(element.dataset.icon));
  for (const element of document.querySelectorAll("[data-t]")) element.append(h("span", {}, t[element.dataset.t]));
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", t[element.dataset.label]);
    if (element.matches("button, a")) element.title = t[element.dataset.label];
  }
  for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = t[element.dataset.placeholder];
}

function wire() {
  const take = listen({ add, leftOut: (n) => say(t.notPictures(n)), onover: (over) => document.body.classList.toggle("over", over) });
  for (const input of document.querySelectorAll("input[type=file]")) input.addEventListener("change", () => take(input));
  for (const button of document.querySelectorAll("[data-opens]")) button.addEventListener("click", () => byId(button.dataset.opens).click());
  byId("retry-failed").addEventListener("click", () => again(state.items.filter((item) => item.state === "failed")));
  byId("stop").addEventListener("click", () => state.items.forEach((item) => queue.cancel(item)));
  byId("clear").addEventListener("click", removeAll);
  byId("download-all").addEventListener("click", (event) => downloadAll(event.currentTarget));
  byId("finish-download").addEventListener("click", (event) => downloadAll(event.currentTarget));
  byId("finish").addEventListener("click", finish);
  byId("start-over").addEventListener("click", () => {
    byId("finish-dialog").close();
    removeAll();
  });
  byId("try-now").addEventListener("click", () => queue.resume());
  byId("token-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    setToken(byId("token").value);
    await begin();
  });
  byId("theme").addEventListener("click", () => {
    const isDark = getComputedStyle(document.documentElement).colorScheme === "dark" || (getComputedStyle(document.documentElement).colorScheme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("imgsrv-theme", document.documentElement.dataset.theme);
  });
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.querySelector("[data-closes]")?.addEventListener("click", () => dialog.close());
  }
  queue.addEventListener("change", ({ detail: item }) => {
    count(item);
    tell("item", item);
    drawTotals();
  });
  queue.addEventListener("hold", ({ detail }) => {
    drawHold(detail);
    drawTotals();
  });
  queue.addEventListener("drained", () => {
    const { totals } = state;
    if (!totals.done && !totals.failed) return;
    run.ended = performance.now();
    sayDone(t.announceDone(totals.done, totals.failed));
  });
  on("settings", follow);
  on("selected", () => document.body.classList.toggle("has-selection", Boolean(state.selected)));
}

const sayDone = debounce(say, 400);

/** Asks for what only callers may see; a refused token shows the field. */
async function begin() {
  try {
    await loadPresets();
    tell("presets");
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return drawHold({ why: "token" });
  }
  drawHold(null);
  health.look();
  queue.resume();
}

dress();
document.documentElement.dataset.theme = localStorage.getItem("imgsrv-theme") ?? "";
try {
  await load();
} catch (error) {
  byId("banner").hidden = false;
  byId("banner-text").textContent = error.message || t.awayNow;
}
for (const part of [settings, list, viewer, code, curve, tasks, health]) {
  part.start({ cancel: (item) => queue.cancel(item), retry: (item) => again([item]), remove });
}
wire();
await begin();
document.documentElement.dataset.ready = "true";
