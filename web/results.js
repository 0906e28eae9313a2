// Results leave the page: downloads under the right name, one zip of all, clipboard, drag and drop, HTML.
import { byId } from "./dom.js";
import { state } from "./state.js";
import { t } from "./strings.js";
import { downloadZip } from "./vendor/client-zip.js";

const SUFFIX = { jpeg: "jpg", tiff: "tif" };

/** The name of a result: the source's, with the suffix of what it is, and the width where there are several. */
export function resultName(item, result) {
  const stem = item.path.replace(/\.[^./]*$/, "");
  const suffix = SUFFIX[result.report.format] ?? result.report.format ?? "bin";
  const width = item.results.length > 1 && new Set(item.results.map((one) => one.report.width)).size > 1 ? `-${result.report.width}w` : "";
  return `${stem}${width}.${suffix}`;
}

const base = (path) => path.slice(path.lastIndexOf("/") + 1);

export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // the browser reads it after the click
}

/** Downloads the result of a picture, or the zip of its results. */
export function saveItem(item) {
  if (item.results.length === 1) return save(item.results[0].blob, base(resultName(item, item.results[0])));
  return saveZip([item], `${base(item.path).replace(/\.[^.]*$/, "")}.zip`);
}

/** Downloads every result as one zip: straight to disk where the browser can, else as a blob that it keeps on disk. */
export async function saveZip(items = state.items, name = "pictures.zip", onprogress = () => {}) {
  const done = items.filter((item) => item.state === "done" && item.results.length);
  if (!done.length) return 0;
  const used = new Set();
  const unique = (path) => {
    let free = path;
    for (let n = 2; used.has(free.toLowerCase()); n++) free = path.replace(/(\.[^./]*)?$/, `-${n}$1`);
    used.add(free.toLowerCase());
    return free;
  };
  let sink = null;
  if (window.showSaveFilePicker) {
    try {
      const handle = await window.showSaveFilePicker({ suggestedName: name, types: [{ accept: { "application/zip": [".zip"] } }] });
      sink = await handle.createWritable();
    } catch (error) {
      if (error.name === "AbortError") return 0;
    }
  }
  function* entries() {
    let packed = 0;
    for (const item of done) {
      onprogress(packed++, done.length);
      const lastModified = new Date(item.file.lastModified);
      for (const result of item.results) yield { name: unique(resultName(item, result)), input: result.blob, lastModified };
    }
  }
  const response = downloadZip(entries());
  if (sink) await response.body.pipeTo(sink);
  else save(await response.blob(), name);
  return done.length;
}

/** Puts a result on the clipboard, as PNG: browsers take no other picture. */
export async function copy(result) {
  const png = result.blob.type === "image/png" ? result.blob : asPng(result.preview ?? result.blob);
  await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
}

async function asPng(blob) {
  const bitmap = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

/** Lets an element be dragged out of the page as the file of a result. */
export function offerDrag(element, result) {
  element.draggable = true;
  element.addEventListener("dragstart", (event) => {
    const one = result();
    if (!one) return event.preventDefault();
    one.address ??= URL.createObjectURL(one.blob);
    const name = base(resultName(one.item, one));
    event.dataTransfer.setData("DownloadURL", `${one.blob.type}:${name}:${one.address}`);
    event.dataTransfer.setData("text/uri-list", one.address);
    event.dataTransfer.effectAllowed = "copy";
  });
}

const escape = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");

/** The HTML that offers these results to a browser: `<picture>` where formats differ, `srcset` where widths do. */
export function snippet(item) {
  const formats = new Map();
  for (const result of item.results) {
    const type = result.blob.type;
    formats.set(type, [...(formats.get(type) ?? []), result]);
  }
  const address = (result) => escape(base(resultName(item, result)).replaceAll(" ", "%20"));
  const srcset = (group) => group.map((result) => `${address(result)} ${result.report.width}w`).join(", ");
  const [fallback] = [...formats.values()].at(-1);
  const img = (group) => {
    const set = group.length > 1 ? ` srcset="${srcset(group)}" sizes="100vw"` : "";
    return `<img src="${address(fallback)}"${set} width="${fallback.report.width}" height="${fallback.report.height}" alt="">`;
  };
  const groups = [...formats.entries()];
  if (groups.length === 1) return img(groups[0][1]);
  const sources = groups.slice(0, -1).map(([type, group]) => `  <source type="${type}" srcset="${srcset(group)}" sizes="100vw">`);
  return ["<picture>", ...sources, `  ${img(groups.at(-1)[1])}`, "</picture>"].join("\n");
}

export async function copyText(text, button) {
  const was = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = t.copied;
  } catch {
    button.textContent = t.copyFailed;
  }
  byId("live").textContent = button.textContent;
  setTimeout(() => (button.textContent = was), 1600);
}
