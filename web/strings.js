// Every English string of the page. Numbers stay on one line with their units: the spaces between do not break.

const number = new Intl.NumberFormat("en");
const plural = (n, one, many = `${one}s`) => `${number.format(n)} ${n === 1 ? one : many}`;

export function bytes(n) {
  if (n < 1000) return `${n}\u00a0B`;
  const units = ["kB", "MB", "GB"];
  let unit = -1;
  do {
    n /= 1000;
    unit++;
  } while (n >= 999.5 && unit < units.length - 1);
  return `${n < 10 ? n.toFixed(1) : Math.round(n)}\u00a0${units[unit]}`;
}

export function duration(ms) {
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)}\u00a0ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}\u00a0s`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s` : `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** The change of size as people read it: "−83 %", "+4 %", "±0 %". */
export function change(before, after) {
  const percent = Math.round((100 * (after - before)) / before);
  if (percent === 0 && after < before) return "−<1 %";
  return percent === 0 ? "±0 %" : percent < 0 ? `−${-percent} %` : `+${percent} %`;
}

export const t = {
  title: "imgsrv",
  heroTitle: "Drop pictures here",
  heroText: "One or ten thousand, files or whole folders. They go to this server and nowhere else.",
  chooseFiles: "Choose pictures",
  chooseFolder: "Choose a folder",
  pasteHint: "or paste one from the clipboard",
  add: "Add",
  dropVeil: "Drop to add",
  docs: "API",
  tasks: "Tasks",
  code: "Code",
  theme: "Light or dark",

  pictures: "Pictures",
  settings: "Settings",
  viewer: "Before and after",
  close: "Close",
  cancel: "Cancel",
  cancelAll: "Stop",
  retry: "Try again",
  retryFailed: (n) => `Try ${plural(n, "failed one")} again`,
  remove: "Remove",
  clear: "Remove all",
  downloadAll: "Download all",
  download: "Download",
  finish: "Finish",
  sendAsTasks: "Send as tasks",

  state: {
    waiting: "waiting",
    sending: (percent) => (percent < 100 ? `sending ${percent} %` : "working"),
    cancelled: "cancelled",
    unchanged: "unchanged",
  },
  rowLabel: (name, text) => `${name}, ${text}`,
  actionOf: (action, name) => `${action}: ${name}`,
  total: (done, all) => `${number.format(done)} of ${plural(all, "picture")}`,
  totalDone: (all) => plural(all, "picture"),
  totalBytes: (before, after) => `${bytes(before)} → ${bytes(after)}`,
  failures: (n) => `${number.format(n)} failed`,
  left: (ms) => `about ${duration(ms)} left`,
  announceDone: (n, failed) => `${plural(n, "picture")} done${failed ? `, ${number.format(failed)} failed` : ""}.`,
  announceAdded: (n) => `${plural(n, "picture")} added.`,
  notPictures: (n) => `${plural(n, "file")} left out: not a picture by name or type.`,
  tooLarge: (size, max) => `${bytes(size)} is more than this server takes (${bytes(max)}).`,
  tooManyBreaks: "the connection broke each time",

  away: (seconds) => `The server does not answer. Next try in ${seconds} s; nothing is lost.`,
  awayNow: "The server does not answer. Trying again ...",
  back: "The server is back.",
  busy: (seconds) => `The server is busy and asked to wait ${seconds} s.`,
  tryNow: "Try now",
  tokenNeeded: "This server asks for a token.",
  token: "Token",
  tokenUse: "Use",
  tokenWrong: "This token was refused.",

  split: "Share of the picture that shows the result",
  stage: "Picture. Plus and minus zoom, arrow keys move, 0 fits, 1 shows one pixel as one.",
  fitView: "Fit",
  zoomIn: "Zoom in",
  zoomOut: "Zoom out",
  before: "Before",
  after: "After",
  size: (width, height) => `${width} × ${height}`,
  quality: (n) => `quality ${n}`,
  score: (n) => `SSIMULACRA2 ${n.toFixed(1)}`,
  took: (ms) => `${duration(ms)}\u00a0of\u00a0work`,
  copy: "Copy",
  copied: "Copied",
  copyFailed: "This browser does not let pages copy that.",
  dragOut: "Drag the result to a folder or an application",
  noPreview: "No preview",
  beforeAlt: (name) => `${name} before`,
  afterAlt: (name) => `${name} after`,
  about: "About the source",
  facts: {
    format: "Format",
    dimensions: "Dimensions",
    depth: "Samples",
    profile: "Colour profile",
    metadata: "Metadata",
    coding: "Coding",
  },
  factOriented: (n) => `stored turned (EXIF orientation ${n})`,
  factDepth: (channels, depth) => `${plural(channels, "channel")}, ${depth} bits each`,
  factAlpha: "with transparency",
  factAnimated: "more than one frame",
  factNone: "none",
  factGps: "It says where it was taken (GPS).",
  factNoGps: "no place",
  factProfileSize: (name, size) => `${name} (${bytes(size)})`,
  factJpeg: (jpeg) =>
    [jpeg.process, jpeg.subsampling, jpeg.quality && `about quality ${jpeg.quality.quality ?? jpeg.quality}`].filter(Boolean).join(", "),
  metadataNames: { exif: "EXIF", xmp: "XMP", iptc: "IPTC", ownership: "copyright or author", other: "comments" },

  warnings: {
    upscaled: "Larger than the source: pixels were made up.",
    frames_dropped: "Only the first frame was kept.",
    profile_dropped: "The colour profile could not be used and was dropped.",
    truncated: "The file ends too early; what is there was used.",
    damaged: "The file is damaged; what could be read was used.",
    depth_reduced: "Reduced to 8 bits a sample.",
    passthrough: "Given back untouched: nothing needed doing, or nothing would have been gained.",
    shrunk: "Made smaller in pixels, so that the size in bytes fits.",
    lossless: "Rewritten without any loss.",
    target_missed: "No quality reaches the look that was asked for.",
    flattened: "Transparency was replaced by the background.",
    gain_map_dropped: "The HDR gain map was dropped.",
    dithered: "Colours were dithered to a palette.",
  },

  scopeAll: "All pictures",
  scopeOne: "This picture",
  scopeLabel: "Settings for",
  resetAll: "Reset",
  reset: (name) => `Reset ${name}`,
  byDefault: (text) => `default: ${text}`,
  inherited: (text) => `as for all: ${text}`,
  none: "none",
  automatic: "auto",
  on: "on",
  off: "off",
  groups: {
    size: "Size",
    quality: "Quality",
    operations: "Operations",
    geometry: "Geometry and resampling",
    encoding: "Encoding",
    metadata: "Metadata and colour",
    several: "Several results",
    other: "More",
  },
  format: "Format",
  modes: { quality: "Quality", target: "Look", max_bytes: "Size" },
  modeHelp: {
    quality: "The encoder's scale from 1 to 100.",
    target: "The lowest quality whose SSIMULACRA2 score reaches this: 70 is good, 80 looks the same side by side, 90 even when flipped.",
    max_bytes: "The best quality that fits this many bytes, such as 200k.",
  },
  looksTheSame: "Smallest that looks the same",
  curve: "Bytes over quality",
  drawCurve: "Draw",
  curveHelp: "The chosen picture at several qualities, in each format, with the SSIMULACRA2 score of each point. Click a point to use it.",
  curveAxis: { x: "quality", y: "bytes" },
  curvePoint: (format, quality, size, score) => `${format}, quality ${quality}: ${bytes(size)}, SSIMULACRA2 ${score.toFixed(1)}`,
  curveFailed: "No curve",
  curveBusy: (done, all) => `${done} of ${all} points`,
  preset: "Preset",
  presetNone: "Presets",
  presetServer: "Of this server",
  presetOwn: "Your own",
  presetBuiltIn: "Built in",
  presetSave: "Save",
  presetName: "Name of the preset",
  presetDelete: "Delete",
  builtIn: {
    Web: { format: "auto", quality: "80" },
    "Web, at most 1600 px": { width: "1600", height: "1600", fit: "inside", format: "auto", quality: "80" },
    "Looks the same": { format: "webp", target: "80" },
    "Mail, at most 200 kB": { width: "1600", height: "1600", fit: "inside", max_bytes: "200k", allow_smaller: "true" },
    Thumbnail: { width: "320", height: "320", fit: "cover", gravity: "smart", quality: "80" },
    "As it is": {},
  },
  oneClick: "One click",
  addOperation: "Add an operation",
  operationsInOrder: "Operations, in order",
  earlier: (name) => `${name} earlier`,
  later: (name) => `${name} later`,
  parameter: (name, n) => `${name}, value ${n}`,
  eight: {
    edges: "Edge detection",
    invert: "Colour manipulation",
    corners: "Corner detection",
    sift: "SIFT",
    denoise: "Denoise",
    erode: "Erosion",
    dilate: "Dilation",
    equalize: "Histogram equalization",
  },
  widths: "Widths",
  widthsHelp: "One result a width, such as 400, 800, 1600.",
  formats: "Formats",
  formatsHelp: "One result a format, such as webp, jpeg.",
  snippet: "HTML for these results",

  codeTitle: "The same from your own code",
  codeNames: { url: "URL", curl: "curl", imgcli: "imgcli", python: "Python", javascript: "JavaScript" },
  share: "Copy the address of these settings",

  tasksTitle: "Tasks",
  tasksText: "Tasks outlive this page: send pictures, go away, come back for the results.",
  tasksNone: "No tasks yet.",
  tasksOff: "This server keeps no tasks (data_dir is none).",
  tasksSent: (n) => `${plural(n, "picture")} sent as tasks.`,
  taskColumns: ["Task", "Submitted", "State", "Size", ""],
  taskState: (task) =>
    task.status === "queued" ? `waiting, number ${task.position}` : task.status === "processing" ? `${task.step}, ${task.progress} %` : task.status,

  strip: {
    label: "Server",
    workers: (busy, queue) => `${busy} working, ${queue} waiting`,
    rate: (n) => `${n.toFixed(n < 10 ? 1 : 0)} images/s`,
    latency: (p50, p99) => `p50 ${duration(p50)}, p99 ${duration(p99)}`,
    memory: (n) => `${bytes(n)} reserved`,
    refused: (n) => `${number.format(n)} refused`,
    ok: "The server is well",
    bad: "The server does not answer",
  },

  finishTitle: "Done",
  finishText: (done, before, after) => `${plural(done, "picture")}, ${bytes(before)} before, ${bytes(after)} after: ${change(before, after)}.`,
  finishTime: (ms) => `It took ${duration(ms)}.`,
  finishFailed: (n) => `${plural(n, "picture")} could not be done:`,
  finishOperations: (text) => `Operations: ${text}.`,
  finishFormats: (text) => `Formats: ${text}.`,
  finishNothing: "Nothing was done yet.",
  startOver: "Start over",
  zipBusy: (done, all) => `Packing ${number.format(done)} of ${number.format(all)}`,
  zipDone: "All results are in the zip.",
  zipNothing: "There are no results to download.",
};
