// The table of options as the server publishes it, and sets of options: effective ones, queries, canonical text.
import { get } from "./api.js";

/** What the server offers: `options`, `operations`, `formats`, `presets`, limits. */
export const server = { options: [], operations: [], formats: [], presets: {}, max_body: Infinity, tasks: false, sources: false, version: "" };

/** Loads the table. Throws as `get` does. */
export async function load() {
  Object.assign(server, await get("options.json"));
  for (const option of server.options) Object.assign(option, kind(option));
  const operations = server.options.find((option) => option.name === "ops")?.accepts ?? "";
  server.operations = operations.split(/,\s+/).map(operation).filter(Boolean);
}

/** Loads the presets, which only callers may see. */
export async function loadPresets() {
  server.presets = (await get("presets.json")).presets;
}

/** The control that fits an option. */
function kind({ name, accepts, words, min }) {
  if (name === "ops") return { kind: "operations" };
  if (words?.includes("true")) return { kind: "boolean" };
  if (words) return { kind: "words" };
  if (min !== undefined) return { kind: "number" };
  // "center, north, ..., or x,y from 0 to 1": words that free text may be, too.
  return { kind: "text", words: accepts.split(/,\s*(?:or )?/).filter((word) => /^[a-z]+$/.test(word)) };
}

/** Reads `edges[:0..1000:0..1000]` or `blur:0.1..100`. */
function operation(text) {
  const parts = text.replaceAll(/[[\]]/g, "").split(":");
  const parameters = parts.slice(1).map((range) => range.split("..").map(Number)).map(([min, max]) => ({ min, max }));
  return /^[a-z_]+$/.test(parts[0]) && { name: parts[0], parameters, optional: text.includes("[") };
}

export const DEFAULT_PARAMETERS = {
  brightness: [20], contrast: [20], saturation: [30], hue: [90], gamma: [1.4], threshold: [128], blur: [2], sharpen: [1], median: [2],
  denoise: [10], edges: [90, 180], erode: [2], dilate: [2], pixelate: [12],
};

/** The settings of all pictures with those of one over them; `null` takes an option back to its default. */
export function effective(all, over) {
  const options = { ...all, ...over };
  for (const key of Object.keys(options)) if (options[key] === null || options[key] === "") delete options[key];
  return options;
}

const LISTS = ["widths", "formats"];

/** The options of every result that settings ask for: one, or one a width and format. */
export function results(options) {
  const plain = Object.fromEntries(Object.entries(options).filter(([key]) => !LISTS.includes(key)));
  const widths = list(options.widths).map(Number).filter((width) => width > 0).sort((a, b) => b - a);
  const formats = list(options.formats);
  const { width: _width, height: _height, scale: _scale, ...unsized } = plain;
  const sized = widths.length ? widths.map((width) => ({ ...unsized, width: `${width}`, fit: plain.fit ?? "inside" })) : [plain];
  return formats.length ? formats.flatMap((format) => sized.map((one) => ({ ...one, format }))) : sized;
}

export function list(text) {
  return (text ?? "").split(/[,\s]+/).filter(Boolean);
}

/** Options as a query, in the order of the table, so that the same settings are the same text. */
export function query(options) {
  const order = (key) => {
    const place = server.options.findIndex((option) => option.name === key);
    return place < 0 ? -1 : place;
  };
  const keys = Object.keys(options).sort((a, b) => order(a) - order(b));
  return keys.map((key) => `${encodeURIComponent(key)}=${encodeURIComponent(options[key]).replaceAll("%2C", ",").replaceAll("%3A", ":")}`).join("&");
}

/** Settings from the address: only options that this server has. */
export function fromAddress(hash) {
  const known = (key) => key === "preset" || LISTS.includes(key) || server.options.some((option) => option.name === key);
  return Object.fromEntries([...new URLSearchParams(hash.replace(/^#/, ""))].filter(([key, value]) => known(key) && value));
}
