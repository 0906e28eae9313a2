// The page at `/docs`: `openapi.json` to read.

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function table(heads, rows) {
  const head = element("tr", "", ...heads.map((text) => element("th", text)));
  const body = rows.map((cells) => element("tr", "", ...cells.map((cell) => (cell instanceof Node ? element("td", "", cell) : element("td", cell)))));
  const wide = element("div", "", element("table", "", head, ...body));
  wide.className = "wide";
  return wide;
}

function endpoint(path, method, operation) {
  const verb = element("span", method.toUpperCase());
  verb.className = "method";
  const about = element("span", ` ${operation.summary}`);
  about.className = "soft";
  const made = element("details", "", element("summary", "", verb, element("code", path), about));
  const parameters = operation.parameters ?? [];
  if (parameters.length) {
    const rows = parameters.map((one) => [element("code", one.name), one.schema.default ?? "", one.description]);
    made.append(table(["option", "default", "meaning"], rows));
  }
  if (operation.requestBody) made.append(element("p", `Body: ${operation.requestBody.description}.`));
  const codes = Object.entries(operation.responses).map(([code, response]) => [element("code", code), response.description]);
  made.append(table(["answer", ""], codes));
  return made;
}

const response = await fetch("openapi.json");
const api = await response.json();
document.getElementById("about").textContent = `${api.info.description} Version ${api.info.version}.`;
for (const [path, operations] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(operations)) {
    document.getElementById("endpoints").append(endpoint(path, method, operation));
  }
}
