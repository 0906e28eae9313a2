// Pictures that this browser can show: the file itself, or the server's rendering of what it cannot.
import { patient, post } from "./api.js";

const SIDE = 96;
const AT_ONCE = 3;

let running = 0;
const waiting = [];

/** Runs at most a few tasks at once, the newest first: that is the row in view. */
function limited(task) {
  return new Promise((resolve) => {
    waiting.push(() => task().then(resolve, () => resolve(null)));
    next();
  });
}

function next() {
  if (running >= AT_ONCE || !waiting.length) return;
  running++;
  waiting.pop()().finally(() => {
    running--;
    next();
  });
}

/** The address of a small picture of an item's source; null if nobody can make one. */
export function thumbnail(item) {
  item.thumb ??= limited(async () => {
    const blob = await drawn(item.file).catch(async () => (await patient(() => post(`thumbnail?width=${SIDE * 2}&height=${SIDE}&format=webp`, item.file))).blob);
    return URL.createObjectURL(blob);
  });
  return item.thumb;
}

async function drawn(file) {
  const bitmap = await createImageBitmap(file, { resizeHeight: SIDE, resizeQuality: "medium" });
  const canvas = new OffscreenCanvas(Math.max(1, Math.min(SIDE * 2, bitmap.width)), SIDE);
  canvas.getContext("2d").drawImage(bitmap, (canvas.width - bitmap.width) / 2, 0);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/webp", quality: 0.8 });
}

/** A blob that this browser shows: the given one, or a PNG of it made by the server. Null if it is no picture. */
export async function showable(blob) {
  const image = new Image();
  const address = URL.createObjectURL(blob);
  try {
    image.src = address;
    await image.decode();
    return blob;
  } catch {
    try {
      return (await patient(() => post("convert?format=png&effort=fast", blob))).blob;
    } catch {
      return null;
    }
  } finally {
    URL.revokeObjectURL(address);
  }
}
