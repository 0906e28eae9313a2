// A curve of bytes over quality, in several formats, with the SSIMULACRA2 score of each point.
import { patient, report } from "./api.js";
import { byId, h, s } from "./dom.js";
import { query, results, server } from "./options.js";
import { set } from "./settings.js";
import { sendFrom } from "./sources.js";
import { on, settingsOf, state } from "./state.js";
import { bytes, t } from "./strings.js";

/** Scores that points are made for: the server finds the quality of each. */
const TARGETS = [40, 55, 65, 72, 79, 85, 90];
const FORMATS = ["jpeg", "webp"];
const BOX = { width: 320, height: 190, left: 48, right: 10, top: 12, bottom: 30 };

let work = new AbortController();

export function start() {
  const place = byId("curve-place");
  if (!place) return;
  place.append(
    h("p", { class: "help shown" }, t.curveHelp),
    h("button", { id: "curve-draw", onclick: measure }, t.drawCurve),
    h("p", { id: "curve-state", class: "soft", role: "status" }),
    h("div", { id: "curve-chart" }),
  );
  on("selected", () => {
    work.abort();
    byId("curve-chart").replaceChildren();
    byId("curve-state").textContent = "";
  });
}

async function measure() {
  const item = state.selected;
  if (!item) return;
  work.abort();
  work = new AbortController();
  const { signal } = work;
  const formats = FORMATS.filter((format) => server.formats.includes(format));
  const { quality: _q, max_bytes: _b, lossless: _l, progressive: _p, subsampling: _s, icc: _i, ...plain } = results(settingsOf(item))[0];
  const points = [];
  const all = formats.length * TARGETS.length;
  const wanted = TARGETS.flatMap((target) => formats.map((format) => ({ format, target })));
  byId("curve-state").textContent = t.curveBusy(0, all);
  try {
    for (const { format, target } of wanted) {
      const response = await patient(() => sendFrom(item, `resize?${query({ ...plain, format, target, passthrough: "false" })}`, { signal, keepsSource: true }));
      const { quality, score } = report(response.header);
      const isNew = !points.some((one) => one.format === format && one.quality === quality);
      if (quality !== null && score !== null && isNew) points.push({ format, quality, score, size: response.blob.size });
      byId("curve-state").textContent = t.curveBusy(wanted.findIndex((one) => one.format === format && one.target === target) + 1, all);
      draw(formats, points);
    }
    byId("curve-state").textContent = "";
  } catch (error) {
    if (error.name !== "AbortError") byId("curve-state").textContent = `${t.curveFailed}: ${error.message}`;
  }
}

function draw(formats, points) {
  const { width, height, left, right, top, bottom } = BOX;
  const most = Math.max(...points.map((one) => one.size)) * 1.15;
  const qualities = points.map((one) => one.quality);
  const least = Math.max(0, Math.min(...qualities) - 4);
  const x = (quality) => left + ((quality - least) / (100 - least)) * (width - left - right);
  const y = (size) => height - bottom - (size / most) * (height - top - bottom);
  const text = (at, words, anchor = "middle") => s("text", { x: at[0], y: at[1], "text-anchor": anchor }, words);
  const chart = s("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "group", "aria-label": t.curve });
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    chart.append(s("line", { class: "grid", x1: left, x2: width - right, y1: y(most * part), y2: y(most * part) }));
    chart.append(text([left - 6, y(most * part) + 3], bytes(Math.round(most * part)), "end"));
  }
  for (const quality of [20, 40, 60, 80, 100].filter((one) => one >= least)) chart.append(text([x(quality), height - bottom + 14], `${quality}`));
  chart.append(text([(left + width - right) / 2, height - 4], t.curveAxis.x));
  formats.forEach((format, series) => {
    const own = points.filter((one) => one.format === format).sort((a, b) => a.quality - b.quality);
    if (!own.length) return;
    chart.append(s("polyline", { class: `series series-${series}`, points: own.map((one) => `${x(one.quality)},${y(one.size)}`).join(" ") }));
    for (const one of own) {
      const label = t.curvePoint(format, one.quality, one.size, one.score);
      const use = () => set({ format, quality: `${one.quality}`, target: "", max_bytes: "" });
      const dot = s("circle", { class: `dot series-${series}`, cx: x(one.quality), cy: y(one.size), r: 4.5, tabindex: 0, role: "button", "aria-label": label });
      dot.append(s("title", {}, label));
      dot.addEventListener("click", use);
      dot.addEventListener("keydown", (event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), use()));
      chart.append(dot, text([x(one.quality), y(one.size) + (series ? 15 : -8)], one.score.toFixed(0)));
    }
  });
  byId("curve-chart").replaceChildren(chart, h("p", { class: "legend" }, formats.map((format, series) => h("span", { class: `series-${series}` }, format))));
}
