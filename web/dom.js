// Builds and finds elements.

export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

/** Makes an element. Keys that begin with "on" are listeners, "class", "data-*" and "aria-*" attributes, others properties. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  if (name === "button") element.type = "button"; // else a form takes it for its submit button
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class" || key === "for" || key === "role" || key === "list" || key.includes("-")) element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Makes an SVG element. */
export function s(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const PATHS = {
  download: "M12 4v11m0 0-4.5-4.5M12 15l4.5-4.5M5 19.5h14",
  close: "M6.5 6.5l11 11m0-11-11 11",
  retry: "M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4",
  plus: "M12 5.5v13M5.5 12h13",
  minus: "M5.5 12h13",
  left: "M14.5 6l-6 6 6 6",
  right: "M9.5 6l6 6-6 6",
  copy: "M9 9h10v10H9zM15 9V5H5v10h4",
  image: "M4 5.5h16v13H4zM4 16l4.5-4.5 3.5 3.5 3-3 5 5M15.5 9.4v.1",
  code: "M9 7l-5 5 5 5m6-10 5 5-5 5",
  check: "M5 12.5l4.5 4.5L19 7.5",
  theme: "M12 4.5a7.5 7.5 0 1 0 0 15zM12 4.5a7.5 7.5 0 0 1 0 15",
  tasks: "M5 7h14M5 12h14M5 17h9",
  undo: "M8 6 4.5 9.5 8 13M4.5 9.5h9a5 5 0 0 1 0 10H9",
};

/** Makes an icon, hidden from screen readers. */
export function icon(name) {
  const svg = s("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" });
  svg.append(s("path", { d: PATHS[name] }));
  return svg;
}

/** Makes a button that shows an icon alone; its label is for screen readers and the tooltip. */
export function iconButton(name, label, onclick, extra = {}) {
  return h("button", { class: "icon-button", "aria-label": label, title: label, onclick, ...extra }, icon(name));
}

/** Calls `action` once `wait` ms have passed without another call. */
export function debounce(action, wait) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...args), wait);
  };
}

/** Calls `action` at most once in `wait` ms, and once behind the last call. A stream of calls does not put it off. */
export function throttle(action, wait) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      action();
    }, wait);
  };
}

/** Calls `action` at most once a frame. */
export function perFrame(action) {
  let pending = false;
  return () => {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => {
      pending = false;
      action();
    });
  };
}
