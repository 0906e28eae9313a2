// Requests to the server: progress, errors by who must act, the token.

/** The server answered, and refuses. */
export class Refused extends Error {
  constructor(status, body, retryAfter) {
    super(body.message || `${status}`);
    Object.assign(this, { status, word: body.status ?? "", retryAfter });
  }
}

/** No answer came. */
export class Unreachable extends Error {}

let token = sessionStorage.getItem("imgsrv-token") ?? "";

export function setToken(value) {
  token = value.trim();
  sessionStorage.setItem("imgsrv-token", token);
}

export function authorization() {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** What an <img> of this browser sends as Accept: AVIF and WebP only if it decodes them. */
export const imageAccept = (async () => {
  // Without ImageDecoder (an old browser, or plain HTTP) WebP is safe to ask for.
  const decodes = async (type) => (globalThis.ImageDecoder ? ImageDecoder.isTypeSupported(type) : type === "image/webp");
  const types = ["image/avif", "image/webp"];
  const able = await Promise.all(types.map(decodes));
  return [...types.filter((_, place) => able[place]), "image/apng", "image/*", "*/*;q=0.8"].join(",");
})();

/** Posts a body and resolves to the response: `blob`, `header(name)`. */
export function post(path, body, { signal, onprogress, headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "blob";
    for (const [name, value] of Object.entries({ ...authorization(), ...headers })) request.setRequestHeader(name, value);
    const abort = () => request.abort();
    signal?.addEventListener("abort", abort);
    const end = (settle) => async (event) => {
      signal?.removeEventListener("abort", abort);
      settle(event);
    };
    if (onprogress) request.upload.onprogress = (event) => onprogress(event.loaded);
    request.onabort = end(() => reject(new DOMException("aborted", "AbortError")));
    request.onerror = end(() => reject(new Unreachable()));
    request.onload = end(async () => {
      if (request.status < 300) {
        resolve({ status: request.status, blob: request.response, header: (name) => request.getResponseHeader(name) });
      } else {
        reject(await refusal(request.status, request.response, (name) => request.getResponseHeader(name)));
      }
    });
    if (signal?.aborted) return abort();
    request.send(body);
  });
}

async function refusal(status, blob, header) {
  let body = {};
  try {
    body = JSON.parse(await blob.text());
  } catch {
    // A proxy's own page: its status says enough.
  }
  const seconds = Number(header("retry-after"));
  return new Refused(status, body, body.retry_after_ms ?? (seconds > 0 ? seconds * 1000 : undefined));
}

/** Repeats a request that the server is too busy for, when it says. */
export async function patient(send, attempts = 6) {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      const isBusy = error instanceof Refused && (error.status === 503 || error.status === 429);
      if (!isBusy || --attempts === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, error.retryAfter ?? 1000));
    }
  }
}

/** Fetches a path; JSON where the answer is JSON, else text. */
export async function get(path, { method = "GET", signal } = {}) {
  let response;
  try {
    response = await fetch(path, { method, headers: authorization(), cache: "no-store", signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable();
  }
  if (!response.ok) throw await refusal(response.status, await response.blob(), (name) => response.headers.get(name));
  return response.headers.get("content-type")?.includes("json") ? response.json() : response.text();
}

/** Reads server-sent events with the token, which EventSource cannot send. */
export async function* events(path, signal) {
  const response = await fetch(path, { headers: authorization(), signal });
  if (!response.ok) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const data = text.slice(0, end).split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
      if (data) yield JSON.parse(data);
    }
  }
}

/** The report of a result, from its headers. */
export function report(header) {
  const number = (name) => (header(name) === null ? null : Number(header(name)));
  const timing = [...(header("server-timing") ?? "").matchAll(/(\w+);dur=([\d.]+)/g)];
  return {
    sourceWidth: number("x-origin-width"),
    sourceHeight: number("x-origin-height"),
    sourceFormat: header("x-origin-format"),
    width: number("x-result-width"),
    height: number("x-result-height"),
    format: header("x-result-format"),
    quality: number("x-result-quality"),
    score: number("x-result-score"),
    tries: number("x-result-tries"),
    warnings: (header("x-result-warnings") ?? "").split(",").filter(Boolean),
    ms: timing.reduce((sum, [, , ms]) => sum + Number(ms), 0),
  };
}
