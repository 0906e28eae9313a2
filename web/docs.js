// The page at `/docs`: `openapi.json` to read, to copy as curl, and to send from here.
import { byId, h } from "./dom.js";

const response = await fetch("openapi.json");
const api = await response.json();
const origin = location.origin + location.pathname.replace(/\/docs$/, "");
const needsToken = api.security.every((one) => Object.keys(one).length > 0);

/** The component that a reference names, or the value itself. */
function resolve(value) {
  if (!value.$ref) return value;
  return value.$ref.split("/").slice(1).reduce((at, part) => at[part], api);
}

/** The control of a parameter, empty where nothing is to be sent. */
function control({ name, schema, required }) {
  const label = { "aria-label": name, required };
  const words = schema.enum ?? (schema.type === "boolean" ? ["true", "false"] : undefined);
  if (words) return h("select", label, h("option", { value: "" }, ""), ...words.map((word) => h("option", {}, word)));
  if (schema.type === "integer" || schema.type === "number") {
    return h("input", { ...label, type: "number", min: schema.minimum, max: schema.maximum, step: schema.type === "integer" ? 1 : "any" });
  }
  return h("input", { ...label, type: "text", pattern: schema.pattern });
}

function table(heads, rows) {
  const head = h("tr", {}, heads.map((text) => h("th", {}, text)));
  return h("div", { class: "wide" }, h("table", {}, head, rows.map((cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell))))));
}

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** One operation: what it takes, what it answers, curl, and a button that sends it. */
class Endpoint {
  constructor(path, method, operation) {
    Object.assign(this, { path, method, operation });
    this.parameters = (operation.parameters ?? []).map(resolve);
    this.isOpen = operation.security?.length === 0 || !needsToken;
    this.words = [path, method, operation.operationId, operation.summary, ...this.parameters.map(({ name }) => name)].join(" ").toLowerCase();
    const { operationId: id, summary } = operation;
    this.element = h("details", { id, ontoggle: () => this.fill() }, h("summary", {},
      h("span", { class: "method" }, method.toUpperCase()), h("code", {}, path), h("span", { class: "soft" }, ` ${summary}`)));
  }

  /** Builds the contents when they are first shown: there are hundreds of controls. */
  fill() {
    if (this.controls) return;
    this.controls = this.parameters.map((parameter) => [parameter, control(parameter)]);
    const rows = this.controls.map(([{ name, description }, input]) => [h("code", {}, name), input, description]);
    const answers = Object.entries(this.operation.responses).map(([code, answer]) => [h("code", {}, code), resolve(answer).description]);
    this.curl = h("pre", { class: "curl", tabIndex: 0 });
    this.sent = h("div", { class: "sent", "aria-live": "polite" });
    const copy = h("button", { onclick: () => navigator.clipboard.writeText(this.curl.textContent) }, "Copy");
    const form = h("form", { oninput: () => this.write(), onsubmit: (event) => {
      event.preventDefault();
      this.send();
    } },
    rows.length ? table(["parameter", "value", "meaning"], rows) : null,
    this.operation.requestBody ? h("p", {}, `Body: ${this.operation.requestBody.description}.`) : null,
    this.curl, h("div", { class: "buttons" }, h("button", { class: "primary", type: "submit" }, "Send"), copy), this.sent);
    const link = h("p", {}, h("a", { href: `#${this.operation.operationId}` }, "Link to this endpoint"));
    this.element.append(link, form, table(["answer", "meaning"], answers));
    this.write();
  }

  /** Path, query and headers of what is filled in. */
  request() {
    let path = this.path;
    const [query, headers] = [new URLSearchParams(), {}];
    for (const [{ name, in: place }, input] of this.controls) {
      if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(input.value).replaceAll("%2C", ",").replaceAll("%3A", ":") || `{${name}}`);
      else if (input.value && place === "header") headers[name] = input.value;
      else if (input.value) query.set(name, input.value);
    }
    const text = query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
    return { url: path + (text && `?${text}`), headers };
  }

  write() {
    const { url, headers } = this.request();
    const file = byId("file").files[0]?.name ?? "photo.jpg";
    const parts = ["curl"];
    if (this.method === "delete") parts.push("-X DELETE");
    if (!this.isOpen) parts.push('-H "Authorization: Bearer $TOKEN"');
    for (const [name, value] of Object.entries(headers)) parts.push(`-H ${shell(`${name}: ${value}`)}`);
    if (this.operation.requestBody) parts.push(`--data-binary ${shell(`@${file}`)}`);
    parts.push(shell(origin + url));
    if (this.operation.responses[200]?.content?.["image/jpeg"]) parts.push("-o result");
    this.curl.textContent = parts.join(" ");
  }

  async send() {
    const { url, headers } = this.request();
    const file = byId("file").files[0];
    if (this.operation.requestBody && !file) {
      byId("file").focus();
      return this.sent.replaceChildren(h("p", { class: "failed" }, "Choose a file above: it is the body."));
    }
    const token = byId("token").value;
    if (token && !this.isOpen) headers.Authorization = `Bearer ${token}`;
    this.sent.replaceChildren(h("p", { class: "soft" }, "sending ..."));
    const began = performance.now();
    try {
      const body = this.operation.requestBody ? file : undefined;
      const answer = await fetch(origin + url, { method: this.method.toUpperCase(), headers, body });
      const data = await answer.blob();
      this.show(answer, data, Math.round(performance.now() - began));
    } catch (error) {
      this.sent.replaceChildren(h("p", { class: "failed" }, String(error)));
    }
  }

  async show(answer, data, ms) {
    const kind = answer.headers.get("content-type") ?? "";
    const line = h("p", { class: answer.ok ? "" : "failed" }, `${answer.status} ${answer.statusText}, ${data.size} bytes, ${ms} ms`);
    const wanted = /^(x-|etag|server-timing|location|retry-after|content-type)/;
    const headers = [...answer.headers].filter(([name]) => wanted.test(name)).map(([name, value]) => [h("code", {}, name), value]);
    this.sent.replaceChildren(line, table(["header", "value"], headers));
    if (kind.startsWith("image/")) {
      if (this.address) URL.revokeObjectURL(this.address);
      this.address = URL.createObjectURL(data);
      const name = `result.${kind.split("/")[1].replace("jpeg", "jpg")}`;
      this.sent.append(h("img", { src: this.address, alt: "The result" }), h("p", {}, h("a", { href: this.address, download: name }, `Save ${name}`)));
    } else if (data.size) {
      const text = await data.text();
      this.sent.append(h("pre", { tabIndex: 0 }, kind.startsWith("application/json") ? JSON.stringify(JSON.parse(text), null, 2) : text));
    }
  }
}

const groups = api.tags.map(({ name, description }) => {
  const endpoints = Object.entries(api.paths).flatMap(([path, operations]) =>
    Object.entries(operations).filter(([, operation]) => operation.tags[0] === name).map(([method, operation]) => new Endpoint(path, method, operation)));
  const element = h("section", {}, h("h2", { id: name }, name), h("p", { class: "soft" }, `${description}.`), endpoints.map((one) => one.element));
  return { name, endpoints, element };
});

byId("about").textContent = `${api.info.description} Version ${api.info.version}.`;
byId("token").hidden = !needsToken;
byId("groups").append(...groups.map(({ name }) => h("a", { href: `#${name}` }, name)));
byId("endpoints").append(...groups.map(({ element }) => element));

byId("filter").addEventListener("input", ({ target }) => {
  const words = target.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const { endpoints, element } of groups) {
    for (const one of endpoints) one.element.hidden = !words.every((word) => one.words.includes(word));
    element.hidden = endpoints.every((one) => one.element.hidden);
  }
  byId("nothing").hidden = groups.some(({ element }) => !element.hidden);
});
byId("file").addEventListener("change", () => {
  for (const { endpoints } of groups) for (const one of endpoints) if (one.controls) one.write();
});

/** Opens and shows what the address names. */
function follow() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!named) return;
  if (named.tagName === "DETAILS") named.open = true;
  named.scrollIntoView();
}
addEventListener("hashchange", follow);
follow();
document.documentElement.dataset.ready = "";
