// The page at `/`: a chosen picture, the options, and what the server makes of them, side by side.

const byId = (id) => document.getElementById(id);
const [drop, file, form, go, said] = ["drop", "file", "options", "go", "said"].map(byId);

let chosen = null;
let asked = null;

function size(bytes) {
  return bytes < 1024 ? `${bytes} B` : bytes < 1 << 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / (1 << 20)).toFixed(2)} MiB`;
}

function show(image, blob) {
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
}

function say(text, failed) {
  said.textContent = text;
  said.className = failed ? "failed" : "soft";
}

function choose(picture) {
  if (!picture) return;
  chosen = picture;
  go.disabled = false;
  byId("pair").hidden = false;
  show(byId("before"), picture);
  byId("before-text").textContent = `${picture.name}, ${size(picture.size)}`;
  resize();
}

async function resize() {
  if (!chosen) return;
  asked?.abort();
  const mine = (asked = new AbortController());
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  const token = byId("token").value;
  say("resizing ...");
  try {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const response = await fetch(`resize?${query}`, { method: "POST", body: chosen, headers, signal: mine.signal });
    if (!response.ok) {
      say((await response.json()).message, true);
      return;
    }
    const result = await response.blob();
    const told = (name) => response.headers.get(name);
    show(byId("after"), result);
    byId("before-text").textContent =
      `${chosen.name}, ${told("x-origin-format")}, ${told("x-origin-width")} × ${told("x-origin-height")}, ${size(chosen.size)}`;
    byId("after-text").textContent =
      `${told("x-result-format")}, ${told("x-result-width")} × ${told("x-result-height")}, ${size(result.size)}, ` +
      `${((100 * result.size) / chosen.size).toFixed(1)} % of the source`;
    const warnings = told("x-result-warnings");
    say((told("server-timing") ?? "").replaceAll(";dur=", " ").replaceAll(",", " ms,") + " ms" + (warnings ? `; ${warnings}` : ""));
  } catch (error) {
    if (error.name !== "AbortError") say(`the server does not answer: ${error.message}`, true);
  }
}

file.addEventListener("change", () => choose(file.files[0]));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  resize();
});
form.addEventListener("change", resize);
for (const [type, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  drop.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", over);
    if (type === "drop") choose(event.dataTransfer.files[0]);
  });
}
