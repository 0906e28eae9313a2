// The settings panel: every option of the server's table, for all pictures or for one over them.
import { byId, debounce, h, icon, iconButton } from "./dom.js";
import { DEFAULT_PARAMETERS, effective, fromAddress, query, server } from "./options.js";
import { on, state, tell } from "./state.js";
import { t } from "./strings.js";

const GROUPS = {
  size: ["width", "height", "fit", "scale"],
  quality: ["format", "quality", "target", "max_bytes"],
  operations: ["ops"],
  geometry: ["gravity", "enlarge", "crop", "rotate", "flip", "flop", "kernel", "speed", "linear", "background"],
  encoding: ["progressive", "subsampling", "effort", "lossless", "allow_smaller", "passthrough"],
  metadata: ["metadata", "icc", "strict"],
};
const OPEN = ["size", "quality", "operations"];
const MODES = ["quality", "target", "max_bytes"];
const START = { format: "auto", quality: "80" };
const OWN_PRESETS = "imgsrv-presets";

let mode = "quality";
const controls = new Map();

/** The settings that are being edited: those of all pictures, or the chosen picture's own. */
const edited = () => (state.isOwn && state.selected ? state.selected.over : state.all);
const inherited = () => (state.isOwn && state.selected ? state.all : {});

export function start() {
  const hash = fromAddress(location.hash);
  state.all = Object.keys(hash).length ? hash : { ...START };
  build();
  on("selected", refresh);
  on("presets", buildPresets);
  window.addEventListener("hashchange", () => {
    const options = fromAddress(location.hash);
    if (query(options) === query(state.all)) return;
    state.all = options;
    refresh();
    tell("settings");
  });
  refresh();
}

/** Sets options; an empty value goes back to the default. */
export function set(changes) {
  const target = edited();
  const base = inherited();
  for (const [key, value] of Object.entries(changes)) {
    const isEmpty = value === null || value === undefined || value === "";
    if (!isEmpty && base[key] === value) delete target[key];
    else if (!isEmpty) target[key] = value;
    else if (base[key] !== undefined) target[key] = null;
    else delete target[key];
  }
  changed();
}

const writeAddress = debounce(() => history.replaceState(null, "", `#${query(state.all)}`), 200);

function changed() {
  if (!state.isOwn) writeAddress();
  refresh();
  tell("settings");
}

function build() {
  const panel = byId("settings-groups");
  const known = new Set(Object.values(GROUPS).flat());
  const others = server.options.map((option) => option.name).filter((name) => !known.has(name));
  const groups = { ...GROUPS, several: [], other: others };
  panel.replaceChildren(...Object.entries(groups).map(([name, keys]) => {
    const options = keys.map((key) => server.options.find((option) => option.name === key)).filter(Boolean);
    const content = { quality: buildQuality, operations: buildOperations, several: buildSeveral }[name]?.(options) ?? options.map(field);
    if (!content.length) return null;
    return h("details", { class: `group group-${name}`, open: OPEN.includes(name) }, h("summary", {}, t.groups[name]), h("div", { class: "fields" }, content));
  }).filter(Boolean));
  for (const radio of document.querySelectorAll("[name=scope]")) {
    radio.addEventListener("change", () => {
      state.isOwn = radio.value === "one" && radio.checked;
      refresh();
    });
  }
  byId("reset-all").addEventListener("click", () => {
    if (state.isOwn && state.selected) state.selected.over = {};
    else state.all = {};
    changed();
  });
  byId("preset").addEventListener("change", choosePreset);
  byId("preset-save").addEventListener("click", () => {
    byId("preset-name").value = "";
    byId("preset-dialog").showModal();
  });
  byId("preset-form").addEventListener("submit", () => {
    const name = byId("preset-name").value.trim();
    if (!name) return;
    writeOwn({ ...readOwn(), [name]: effective(state.all, edited()) });
    buildPresets();
  });
  byId("preset-delete").addEventListener("click", () => {
    const { [byId("preset").dataset.own]: _gone, ...rest } = readOwn();
    writeOwn(rest);
    delete byId("preset").dataset.own;
    buildPresets();
  });
  buildPresets();
}

function readOwn() {
  try {
    return JSON.parse(localStorage.getItem(OWN_PRESETS)) ?? {};
  } catch {
    return {}; // storage is off, or somebody else wrote there
  }
}

function writeOwn(presets) {
  localStorage.setItem(OWN_PRESETS, JSON.stringify(presets));
}

function buildPresets() {
  const group = (label, kind, names) => names.length && h("optgroup", { label }, names.map((name) => h("option", { value: `${kind}:${name}` }, name)));
  const own = Object.keys(readOwn());
  byId("preset").replaceChildren(...[
    h("option", { value: "" }, t.presetNone),
    group(t.presetBuiltIn, "builtIn", Object.keys(t.builtIn)),
    group(t.presetServer, "server", Object.keys(server.presets)),
    group(t.presetOwn, "own", own),
  ].filter(Boolean));
  byId("preset-delete").hidden = !own.includes(byId("preset").dataset.own);
}

function choosePreset(event) {
  const select = event.target;
  const [kind, ...rest] = select.value.split(":");
  const name = rest.join(":");
  const options = { builtIn: () => t.builtIn[name], own: () => readOwn()[name], server: () => ({ preset: name }) }[kind]?.();
  if (kind === "own") select.dataset.own = name;
  else delete select.dataset.own;
  byId("preset-delete").hidden = kind !== "own";
  if (!options) return;
  if (state.isOwn && state.selected) {
    const cleared = Object.fromEntries(Object.keys(state.all).map((key) => [key, null]));
    state.selected.over = { ...cleared, ...options };
  } else state.all = { ...options };
  changed();
}

/** A label, the control that fits the option, a button back to the default. */
function field(option) {
  const id = `option-${option.name}`;
  const reset = iconButton("undo", t.reset(option.name), () => set({ [option.name]: "" }), { class: "icon-button reset" });
  const help = h("span", { class: "help", id: `${id}-help` }, option.help);
  const input = control(option, id);
  const element = h("div", { class: `field ${option.kind}` }, h("label", { for: id, title: option.help }, option.name), input, reset, help);
  controls.set(option.name, { option, input, element });
  return element;
}

function control(option, id) {
  const described = { id, "aria-describedby": `${id}-help` };
  const choose = (value) => set({ [option.name]: value });
  switch (option.kind) {
    case "boolean":
      return h("select", { ...described, onchange: (event) => choose(event.target.value) },
        h("option", { value: "" }), h("option", { value: "true" }, t.on), h("option", { value: "false" }, t.off));
    case "words": {
      const words = option.name === "format" ? option.words.filter((word) => ["source", "auto"].includes(word) || server.formats.includes(word)) : option.words;
      return h("select", { ...described, onchange: (event) => choose(event.target.value) },
        h("option", { value: "" }), words.map((word) => h("option", { value: word }, word)));
    }
    case "number":
      return h("input", { ...described, type: "number", min: option.min, max: option.max, step: option.step ?? "any", inputMode: "decimal",
        oninput: (event) => event.target.validity.valid && choose(event.target.value) });
    default: {
      const input = h("input", { ...described, type: "text", spellcheck: false, autocomplete: "off", oninput: (event) => choose(event.target.value.trim()) });
      if (option.words?.length > 1) {
        input.setAttribute("list", `${id}-words`);
        return h("span", { class: "with-list" }, input, h("datalist", { id: `${id}-words` }, option.words.map((word) => h("option", { value: word }))));
      }
      return input;
    }
  }
}

function buildQuality(options) {
  const ranges = { quality: options.find((one) => one.name === "quality"), target: options.find((one) => one.name === "target") };
  const choose = (key, value) => set(Object.fromEntries(MODES.map((one) => [one, one === key ? value : ""])));
  const slider = h("input", { type: "range", id: "quality-slider", min: 1, max: 100, step: 1, oninput: () => {
    byId("quality-number").value = slider.value;
    choose(mode, slider.value);
  } });
  const number = h("input", { type: "number", id: "quality-number", min: 1, max: 100, oninput: () => {
    if (!number.value || !number.validity.valid) return;
    slider.value = number.value;
    choose(mode, number.value);
  } });
  const size = h("input", { type: "text", id: "quality-bytes", placeholder: "200k", spellcheck: false, oninput: () => choose("max_bytes", size.value.trim()) });
  const modes = h("div", { class: "segments", role: "radiogroup", "aria-label": t.groups.quality }, MODES.filter((key) => options.some((one) => one.name === key)).map((key) =>
    h("label", {}, h("input", { type: "radio", name: "mode", value: key, onchange: () => {
      mode = key;
      const value = { quality: effective(state.all, edited()).quality ?? "80", target: "80", max_bytes: "200k" }[key];
      choose(key, value);
    } }), h("span", {}, t.modes[key]))));
  controls.set("mode", { ranges, slider, number, size, modes });
  const format = options.find((one) => one.name === "format");
  return [
    format && field(format),
    modes,
    h("div", { class: "quality-line" }, slider, number, size, iconButton("undo", t.reset("quality"), () => choose("", ""), { class: "icon-button reset", id: "quality-reset" })),
    h("p", { class: "help shown", id: "mode-help" }),
    h("button", { id: "looks-the-same", onclick: () => {
      mode = "target";
      const now = effective(state.all, edited()).format;
      set({ quality: "", max_bytes: "", target: "80", lossless: "", ...(["jpeg", "webp"].includes(now) ? {} : { format: server.formats.includes("webp") ? "webp" : "jpeg" }) });
    } }, icon("check"), t.looksTheSame),
    h("details", { id: "curve" }, h("summary", {}, t.curve), h("div", { id: "curve-place" })),
  ].filter(Boolean);
}

function buildOperations() {
  if (!server.operations.length) return [];
  const eight = Object.entries(t.eight).filter(([name]) => server.operations.some((one) => one.name === name));
  const toggle = (name) => {
    const now = operationsNow();
    const place = now.findIndex((one) => one.name === name);
    if (place >= 0) now.splice(place, 1);
    else now.push({ name, values: DEFAULT_PARAMETERS[name] ?? [] });
    setOperations(now);
  };
  return [
    h("div", { class: "eight", role: "group", "aria-label": t.oneClick }, eight.map(([name, label]) =>
      h("button", { "data-operation": name, "aria-pressed": "false", onclick: () => toggle(name) }, label))),
    h("ol", { id: "chips", "aria-label": t.operationsInOrder }),
    h("select", { id: "add-operation", "aria-label": t.addOperation, onchange: (event) => {
      const name = event.target.value;
      event.target.value = "";
      if (name) setOperations([...operationsNow(), { name, values: DEFAULT_PARAMETERS[name] ?? server.operations.find((one) => one.name === name).parameters.map((range) => range.min) }]);
    } }, h("option", { value: "" }, t.addOperation), server.operations.map(({ name }) => h("option", { value: name }, name))),
  ];
}

function operationsNow() {
  const text = effective(state.all, edited()).ops ?? "";
  return text.split(",").filter(Boolean).map((one) => {
    const [name, ...values] = one.split(":");
    return { name, values };
  });
}

function setOperations(operations) {
  set({ ops: operations.map(({ name, values }) => [name, ...values].join(":")).join(",") });
}

function drawChips() {
  const place = byId("chips");
  if (!place) return;
  const now = operationsNow();
  const text = JSON.stringify(now);
  for (const button of document.querySelectorAll("[data-operation]")) {
    button.setAttribute("aria-pressed", now.some(({ name }) => name === button.dataset.operation));
  }
  if (place.shown === text || place.typed === text) {
    place.typed = null;
    place.shown = text;
    return;
  }
  place.shown = text;
  const moved = (from, to) => {
    const list = operationsNow();
    list.splice(to, 0, ...list.splice(from, 1));
    setOperations(list);
  };
  place.replaceChildren(...now.map(({ name, values }, n) => {
    const { parameters = [] } = server.operations.find((one) => one.name === name) ?? {};
    return h("li", { class: "chip" },
      h("span", {}, name),
      parameters.map(({ min, max }, p) => h("input", {
        type: "number", min, max, step: Number.isInteger(min) && Number.isInteger(max) ? "any" : 0.1, value: values[p] ?? DEFAULT_PARAMETERS[name]?.[p] ?? min,
        "aria-label": t.parameter(name, p + 1), title: `${min} - ${max}`,
        oninput: (event) => {
          if (!event.target.validity.valid || !event.target.value) return;
          const list = operationsNow();
          list[n].values = parameters.map((range, q) => (q === p ? event.target.value : (list[n].values[q] ?? DEFAULT_PARAMETERS[name]?.[q] ?? range.min)));
          place.typed = JSON.stringify(list);
          setOperations(list);
        },
      })),
      n > 0 && iconButton("left", t.earlier(name), () => moved(n, n - 1)),
      n < now.length - 1 && iconButton("right", t.later(name), () => moved(n, n + 1)),
      iconButton("close", t.actionOf(t.remove, name), () => setOperations(operationsNow().filter((_, place) => place !== n))));
  }));
}

function buildSeveral() {
  return ["widths", "formats"].map((name) => field({ name, kind: "text", help: t[`${name}Help`], default: t.none }));
}

/** Draws every control from the settings. */
export function refresh() {
  const isOwn = state.isOwn && Boolean(state.selected);
  for (const radio of document.querySelectorAll("[name=scope]")) {
    radio.checked = (radio.value === "one") === isOwn;
    radio.disabled = radio.value === "one" && !state.selected;
  }
  const now = effective(state.all, edited());
  const target = edited();
  const isSet = (name) => (isOwn ? name in target : now[name] !== undefined);
  for (const [name, { option, input, element }] of controls) {
    if (!option) continue;
    const actual = input.matches(".with-list") ? input.firstChild : input;
    const base = isOwn && state.all[name] !== undefined ? t.inherited(state.all[name]) : t.byDefault(shortDefault(option.default));
    const value = now[name] ?? "";
    if (actual !== document.activeElement || actual.tagName === "SELECT") actual.value = value;
    if (actual.tagName === "SELECT") actual.options[0].textContent = base;
    else actual.placeholder = shortDefault(isOwn ? (state.all[name] ?? option.default) : option.default);
    element.classList.toggle("is-set", isSet(name));
  }
  const { slider, number, size, modes } = controls.get("mode") ?? {};
  if (slider) {
    mode = MODES.find((key) => now[key] !== undefined) ?? (mode === "max_bytes" || mode === "target" ? "quality" : mode);
    for (const radio of modes.querySelectorAll("input")) radio.checked = radio.value === mode;
    const isBytes = mode === "max_bytes";
    slider.hidden = number.hidden = isBytes;
    size.hidden = !isBytes;
    const value = now[mode] ?? (mode === "quality" ? "85" : "");
    for (const input of [slider, number]) {
      input.setAttribute("aria-label", t.modes[mode]);
      if (input !== document.activeElement) input.value = value;
    }
    size.setAttribute("aria-label", t.modes.max_bytes);
    if (size !== document.activeElement) size.value = isBytes ? value : "";
    byId("mode-help").textContent = t.modeHelp[mode];
    byId("quality-reset").parentElement.classList.toggle("is-set", isSet(mode));
  }
  drawChips();
}

/** The first words of a default: "true for fill, cover ..." is too long for a control; 0 follows the other side. */
function shortDefault(text) {
  return text === "0" ? t.automatic : (text ?? "").split(/[;,]| for /)[0];
}
