// What the server tells: headers and JSON to reports and tasks.

/**
 * @param {(name: string) => string | null | undefined} header
 * @returns {import("./index.d.ts").Report}
 */
export function reportOf(header) {
  /** @param {string} name */
  const text = (name) => header(name) ?? undefined;
  /** @param {string} name */
  const number = (name) => {
    const value = header(name);
    return value == null ? undefined : Number(value);
  };
  const stages = new Map(
    (header("server-timing") ?? "").split(",").map((part) => /** @type {[string, string]} */ (part.trim().split(";dur="))),
  );
  /** @param {string} name */
  const stage = (name) => (stages.has(name) ? Number(stages.get(name)) : undefined);
  return {
    width: number("x-result-width"),
    height: number("x-result-height"),
    format: text("x-result-format"),
    quality: number("x-result-quality"),
    source_width: number("x-origin-width"),
    source_height: number("x-origin-height"),
    source_format: text("x-origin-format"),
    source_bytes: number("x-origin-bytes"),
    queue_ms: stage("queue"),
    decode_ms: stage("decode"),
    resize_ms: stage("resize"),
    encode_ms: stage("encode"),
    tries: number("x-result-tries"),
    score: number("x-result-score"),
    warnings: (header("x-result-warnings") ?? "").split(",").filter(Boolean),
    id: text("x-request-id"),
    etag: text("etag"),
  };
}

/**
 * @param {any} told
 * @returns {import("./index.d.ts").Task}
 */
export function taskOf({ task_id, ...told }) {
  return { ...told, id: task_id };
}
