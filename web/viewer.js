// The picture before and after: a slider between them, zoom and pan of both together, facts about the source.
import { patient, post } from "./api.js";
import { byId, h, icon, iconButton } from "./dom.js";
import { showable } from "./preview.js";
import { copy, copyText, offerDrag, save, saveItem, snippet, resultName } from "./results.js";
import { on, state } from "./state.js";
import { bytes, change, t } from "./strings.js";

const MOST = 16;
const view = { scale: 1, x: 0, y: 0, isFitted: true, width: 0, height: 0 };
let stage;
let shownItem = null;
let shownResult = null;
let chosen = 0;
let facts = new AbortController();

export function start() {
  stage = byId("stage");
  const split = byId("split");
  const setSplit = () => stage.style.setProperty("--split", `${split.value}%`);
  split.addEventListener("input", setSplit);
  setSplit();
  byId("zoom").append(
    iconButton("minus", t.zoomOut, () => zoom(1 / 1.5)),
    h("button", { id: "zoom-text", onclick: () => (view.isFitted ? actual() : fit()) }),
    iconButton("plus", t.zoomIn, () => zoom(1.5)),
    h("button", { id: "zoom-fit", onclick: fit }, t.fitView),
  );
  new ResizeObserver(() => (view.isFitted ? fit() : draw())).observe(stage);
  listenToPointers();
  stage.addEventListener("keydown", (event) => {
    if (event.target !== stage) return;
    const act = { "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: fit, 1: actual,
      ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0), ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60) }[event.key];
    if (!act || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  });
  on("selected", show);
  on("result", (item) => item === state.selected && show(item));
  on("item", (item) => item === state.selected && drawState(item));
  byId("facts").addEventListener("toggle", () => state.selected && loadFacts(state.selected));
}

/** Shows an item: its source at once, its result when there is one. */
async function show(item) {
  if (!item) {
    shownItem = shownResult = null;
    return;
  }
  if (item !== shownItem) {
    shownItem = item;
    shownResult = null;
    chosen = 0;
    stage.classList.remove("has-result");
    setImage("before", null);
    setImage("after", null);
    byId("before").alt = t.beforeAlt(item.name);
    byId("after").alt = t.afterAlt(item.name);
    loadFacts(item);
    item.shown ??= showable(item.file);
    const before = await item.shown;
    if (shownItem !== item) return;
    stage.classList.toggle("no-preview", !before);
    setImage("before", before);
  }
  drawState(item);
  const result = item.results[Math.min(chosen, item.results.length - 1)];
  if (!result || result === shownResult) return;
  result.preview ??= await showable(result.blob);
  if (shownItem !== item || item.results.indexOf(result) < 0) return;
  const isFirst = !shownResult;
  shownResult = result;
  const image = byId("after");
  await setImage("after", result.preview);
  if (shownResult !== result) return;
  stage.classList.add("has-result");
  const { width, height } = result.report;
  const isSameShape = Math.abs(width / height / (result.report.sourceWidth / result.report.sourceHeight) - 1) < 0.02;
  byId("before").classList.toggle("other-shape", !isSameShape);
  const grew = view.width !== width || view.height !== height;
  Object.assign(view, { width: width || image.naturalWidth, height: height || image.naturalHeight });
  if (isFirst || view.isFitted || grew) fit();
  else draw();
  drawState(item);
}

async function setImage(id, blob) {
  const image = byId(id);
  const old = image.src;
  if (!blob) image.removeAttribute("src");
  else {
    const next = URL.createObjectURL(blob);
    const ready = new Image();
    ready.src = next;
    await ready.decode().catch(() => {});
    image.src = next;
    if (id === "before" && !shownResult) {
      Object.assign(view, { width: ready.naturalWidth, height: ready.naturalHeight });
      fit();
    }
  }
  if (old.startsWith("blob:")) URL.revokeObjectURL(old);
}

function drawState(item) {
  const isBusy = item.state === "waiting" || item.state === "sending" || item.state === "working";
  stage.setAttribute("aria-busy", isBusy);
  const result = item.results[Math.min(chosen, item.results.length - 1)];
  const source = result?.report;
  byId("before-text").replaceChildren(
    h("b", {}, t.before), ` ${[source?.sourceFormat, source?.sourceWidth && t.size(source.sourceWidth, source.sourceHeight), bytes(item.size)].filter(Boolean).join(", ")}`);
  byId("picture-name").textContent = item.path;
  const after = byId("after-text");
  const side = byId("result-side");
  const notes = byId("notes");
  if (item.state === "failed") {
    after.replaceChildren(h("b", {}, t.after), h("span", { class: "failed" }, ` ${item.error.message}`));
    side.replaceChildren();
    notes.replaceChildren();
    return;
  }
  if (!result) {
    after.replaceChildren(h("b", {}, t.after), isBusy ? " ..." : "");
    side.replaceChildren();
    notes.replaceChildren();
    return;
  }
  const { report, blob } = result;
  const words = [
    report.format, t.size(report.width, report.height), bytes(blob.size), report.quality && t.quality(report.quality), report.score !== null && t.score(report.score),
    t.took(report.ms),
  ].filter(Boolean);
  after.replaceChildren(h("b", {}, t.after), ` ${words.join(", ")}`);
  if (side.shown !== result) {
    side.shown = result;
    side.replaceChildren(...resultButtons(item, result));
    notes.replaceChildren(...report.warnings.map((word) => h("li", {}, t.warnings[word] ?? word)));
  }
  byId("saved").textContent = report.warnings.includes("passthrough") ? t.state.unchanged : change(item.size, blob.size);
}

function resultButtons(item, result) {
  const name = resultName(item, result);
  const download = h("button", { class: "primary", title: t.dragOut, onclick: () => (item.results.length > 1 ? saveItem(item) : save(result.blob, name.slice(name.lastIndexOf("/") + 1))) },
    icon("download"), t.download);
  offerDrag(download, () => result);
  const copied = h("button", { id: "copy-result", onclick: () => {
    const label = copied.lastChild;
    copy(result).then(() => (label.textContent = t.copied), () => (label.textContent = t.copyFailed)).then(() => setTimeout(() => (label.textContent = t.copy), 1600));
  } }, icon("copy"), h("span", {}, t.copy));
  const several = item.results.length > 1 && [
    h("select", { id: "which-result", "aria-label": t.after, onchange: (event) => { chosen = Number(event.target.value); show(item); } },
      item.results.map((one, place) => h("option", { value: place, selected: one === result }, `${one.report.format} ${one.report.width} px, ${bytes(one.blob.size)}`))),
    h("button", { id: "copy-snippet", title: t.snippet, onclick: (event) => copyText(snippet(item), event.currentTarget) }, "<picture>"),
  ];
  return [several, h("span", { id: "saved", class: "saved big" }), copied, download].flat().filter(Boolean);
}

async function loadFacts(item) {
  const list = byId("facts-list");
  if (!byId("facts").open || list.shown === item) return;
  facts.abort();
  facts = new AbortController();
  list.shown = item;
  list.replaceChildren();
  try {
    const { blob } = await patient(() => post("info", item.file, { signal: facts.signal }));
    const info = JSON.parse(await blob.text());
    list.replaceChildren(...describe(info).flatMap(([name, text, mark]) => [h("dt", {}, name), h("dd", { class: mark ?? "" }, text)]));
  } catch (error) {
    if (error.name === "AbortError") return;
    list.shown = null;
    list.replaceChildren(h("dd", {}, error.message));
  }
}

function describe(info) {
  const has = Object.entries(info.metadata ?? {}).filter(([key, value]) => value && t.metadataNames[key]).map(([key]) => t.metadataNames[key]);
  return [
    [t.facts.format, [info.format, info.animated && t.factAnimated].filter(Boolean).join(", ")],
    [t.facts.dimensions, [t.size(info.width, info.height), info.orientation > 1 && t.factOriented(info.orientation)].filter(Boolean).join(", ")],
    [t.facts.depth, [t.factDepth(info.channels, info.depth), info.alpha && t.factAlpha].filter(Boolean).join(", ")],
    info.jpeg && [t.facts.coding, t.factJpeg(info.jpeg)],
    [t.facts.profile, info.profile ? t.factProfileSize(info.profile.name ?? "ICC", info.profile.bytes) : t.factNone],
    [t.facts.metadata, [has.join(", ") || t.factNone, info.metadata?.gps ? t.factGps : t.factNoGps].join("; "), info.metadata?.gps ? "warned" : ""],
  ].filter(Boolean);
}

function fitScale() {
  const { clientWidth, clientHeight } = stage;
  return Math.min(1, (clientWidth - 24) / view.width, (clientHeight - 24) / view.height) || 1;
}

function fit() {
  if (!view.width) return;
  Object.assign(view, { isFitted: true, scale: fitScale(), x: 0, y: 0 });
  draw();
}

/** One pixel of the result is one of the screen. */
function actual() {
  Object.assign(view, { isFitted: false, scale: 1 / devicePixelRatio });
  draw();
}

/** Zooms about a point of the stage, its middle if none is given. */
function zoom(factor, x = 0, y = 0) {
  const scale = Math.max(fitScale() / 2, Math.min(MOST, view.scale * factor));
  const ratio = scale / view.scale;
  Object.assign(view, { isFitted: false, scale, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio });
  draw();
}

function pan(dx, dy) {
  Object.assign(view, { isFitted: false, x: view.x + dx, y: view.y + dy });
  draw();
}

function draw() {
  const { clientWidth, clientHeight } = stage;
  const reach = (size, room) => Math.max(0, (size * view.scale + room) / 2 - 60);
  const clamp = (value, most) => Math.max(-most, Math.min(most, value));
  view.x = clamp(view.x, reach(view.width, clientWidth));
  view.y = clamp(view.y, reach(view.height, clientHeight));
  stage.style.setProperty("--width", `${view.width}px`);
  stage.style.setProperty("--height", `${view.height}px`);
  stage.style.setProperty("--move", `translate(-50%, -50%) translate(${view.x}px, ${view.y}px) scale(${view.scale})`);
  stage.style.setProperty("--inverse", 1 / view.scale);
  stage.classList.toggle("fitted", view.isFitted);
  stage.classList.toggle("pixels", view.scale * devicePixelRatio >= 3);
  byId("zoom-text").textContent = `${Math.round(100 * view.scale * devicePixelRatio)} %`;
}

function listenToPointers() {
  const pointers = new Map();
  const middle = ([a, b]) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, far: Math.hypot(a.x - b.x, a.y - b.y) });
  const fromCentre = (event) => {
    const box = stage.getBoundingClientRect();
    return [event.x - box.x - box.width / 2, event.y - box.y - box.height / 2];
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.target.closest("input, button")) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
  });
  stage.addEventListener("pointermove", (event) => {
    const was = pointers.get(event.pointerId);
    if (!was) return;
    if (pointers.size === 2) {
      const before = middle([...pointers.values()]);
      pointers.set(event.pointerId, event);
      const now = middle([...pointers.values()]);
      zoom(now.far / before.far, ...fromCentre(now));
      pan(now.x - before.x, now.y - before.y);
    } else {
      pointers.set(event.pointerId, event);
      pan(event.x - was.x, event.y - was.y);
    }
  });
  for (const type of ["pointerup", "pointercancel"]) stage.addEventListener(type, (event) => pointers.delete(event.pointerId));
  stage.addEventListener("dblclick", (event) => {
    if (view.isFitted) zoom(1 / devicePixelRatio / view.scale, ...fromCentre(event));
    else fit();
  });
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), ...fromCentre(event));
  }, { passive: false });
}
