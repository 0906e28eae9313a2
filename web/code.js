// The settings as code: URL, curl, imgcli, Python, JavaScript.
import { byId, h } from "./dom.js";
import { query, results } from "./options.js";
import { on, settingsOf, state } from "./state.js";
import { copyText } from "./results.js";
import { t } from "./strings.js";

let language = "curl";

export function start() {
  byId("show-code").addEventListener("click", () => {
    draw();
    byId("code-dialog").showModal();
  });
  byId("code-tabs").replaceChildren(...Object.entries(t.codeNames).map(([key, name]) =>
    h("label", {}, h("input", { type: "radio", name: "language", value: key, checked: key === language, onchange: () => {
      language = key;
      draw();
    } }), h("span", {}, name))));
  byId("code-copy").addEventListener("click", (event) => copyText(byId("code-text").textContent, event.currentTarget));
  byId("code-share").addEventListener("click", (event) => copyText(location.href, event.currentTarget));
  on("settings", draw);
}

function draw() {
  const item = state.isOwn ? state.selected : null;
  const options = results(item ? settingsOf(item) : state.all)[0];
  byId("code-text").textContent = write[language](options, state.selected?.name ?? "photo.jpg");
}

const here = () => location.origin + location.pathname.replace(/\/$/, "");
const shell = (text) => (/^[\w./:,=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
const stem = (name) => name.replace(/\.[^.]*$/, "");
const suffix = (options, name) => ({ jpeg: "jpg", tiff: "tif" })[options.format ?? "jpeg"] ?? (["auto", "source"].includes(options.format) ? name.split(".").at(-1) : options.format);
const url = (options) => `${here()}/resize${Object.keys(options).length ? `?${query(options)}` : ""}`;
const output = (options, name) => `${stem(name)}-small.${suffix(options, name)}`;

const write = {
  url: (options) => url(options),
  curl: (options, name) => `curl --fail-with-body --data-binary ${shell(`@${name}`)} \\\n  '${url(options)}' \\\n  -o ${shell(output(options, name))}`,
  imgcli: (options, name) => {
    const flags = Object.entries(options).map(([key, value]) => `--${key.replaceAll("_", "-")} ${shell(value)}`);
    // A side that is not named would be one of imgcli's 800 x 600.
    const size = options.scale ? [] : ["width", "height"].filter((side) => !options[side]).map((side) => `--${side} 0`);
    return ["imgcli", shell(name), ...size, ...flags, "-o", shell(output(options, name))].join(" ");
  },
  python: (options, name) => `import urllib.parse, urllib.request

options = ${JSON.stringify(options, null, 4)}
address = "${here()}/resize?" + urllib.parse.urlencode(options)
with open(${JSON.stringify(name)}, "rb") as image:
    request = urllib.request.Request(address, image.read(), method="POST")
with urllib.request.urlopen(request) as response, open(${JSON.stringify(output(options, name))}, "wb") as result:
    result.write(response.read())
`,
  javascript: (options) => `const options = new URLSearchParams(${JSON.stringify(options, null, 2)});
const response = await fetch(\`${here()}/resize?\${options}\`, { method: "POST", body: file });
if (!response.ok) throw new Error((await response.json()).message);
const result = await response.blob();
`,
};
