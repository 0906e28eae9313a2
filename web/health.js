// The strip that shows how the server is: queue, workers, throughput, latency, memory, refusals, from /metrics.
import { get } from "./api.js";
import { byId, h } from "./dom.js";
import { t } from "./strings.js";

const EVERY = 3000;

let last = null;
let timer = 0;

export function start() {
  document.addEventListener("visibilitychange", () => !document.hidden && look());
}

/** Reads the metrics now, and again while the page is in view. */
export async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const now = { time: performance.now(), samples: parse(await get("metrics")) };
    draw(now, last);
    last = now;
  } catch (error) {
    byId("health").dataset.state = error.status === 401 ? "unknown" : "bad";
    byId("health").replaceChildren(error.status === 401 ? "" : h("span", { class: "dot", title: t.strip.bad }));
    if (error.status === 401) return; // the token field asks; nothing to see without one
  }
  timer = setTimeout(look, EVERY);
}

function parse(text) {
  const samples = [];
  for (const [, name, labels = "", value] of text.matchAll(/^(\w+)(?:\{([^}]*)\})? (\S+)$/gm)) {
    samples.push({ name, labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, word]) => [key, word])), value: Number(value) });
  }
  return samples;
}

const sum = (samples, name, keep = () => true) => samples.filter((one) => one.name === name && keep(one.labels)).reduce((total, one) => total + one.value, 0);

function draw(now, before) {
  const gauge = (name) => sum(now.samples, `imgsrv_${name}`);
  const done = (samples) => sum(samples, "imgsrv_requests_total", ({ status }) => status === "ok");
  const rate = before ? (1000 * (done(now.samples) - done(before.samples))) / (now.time - before.time) : 0;
  const quantile = latency(now.samples);
  const parts = [
    t.strip.workers(gauge("workers_busy"), gauge("queue_depth")),
    t.strip.rate(Math.max(0, rate)),
    quantile && t.strip.latency(quantile(0.5), quantile(0.99)),
    t.strip.memory(gauge("memory_reserved_bytes")),
    gauge("rejected_total") && t.strip.refused(gauge("rejected_total")),
  ].filter(Boolean);
  const strip = byId("health");
  strip.dataset.state = "ok";
  strip.replaceChildren(h("span", { class: "dot", title: t.strip.ok }), ...parts.map((text) => h("span", {}, text)));
}

/** Quantiles of all requests so far, by the buckets of the histogram, in milliseconds. */
function latency(samples) {
  const buckets = new Map();
  for (const { name, labels, value } of samples) {
    if (name === "imgsrv_request_duration_seconds_bucket") buckets.set(labels.le, (buckets.get(labels.le) ?? 0) + value);
  }
  const all = buckets.get("+Inf");
  if (!all) return null;
  const edges = [...buckets].filter(([edge]) => edge !== "+Inf").map(([edge, n]) => [Number(edge), n]).sort(([a], [b]) => a - b);
  return (part) => {
    let [low, below] = [0, 0];
    for (const [edge, n] of edges) {
      if (n >= part * all) return 1000 * (low + ((edge - low) * (part * all - below)) / (n - below || 1));
      [low, below] = [edge, n];
    }
    return 1000 * low;
  };
}
