// Errors, by who has to act. index.d.ts describes them.

export class ImgsrvError extends Error {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}
export class Unreachable extends ImgsrvError {}
export class Broken extends ImgsrvError {}
export class LocalError extends ImgsrvError {}

export class Refused extends ImgsrvError {
  /** @param {string} message @param {{status: string, code: number, id?: string, retry_after_ms?: number}} told */
  constructor(message, told) {
    super(message);
    this.status = told.status;
    this.code = told.code;
    this.id = told.id;
    this.retryAfterMs = told.retry_after_ms;
  }
}
export class BadRequest extends Refused {}
export class Unauthorized extends Refused {}
export class Forbidden extends Refused {}
export class NotFound extends Refused {}
export class NotReady extends Refused {}
export class TooLarge extends Refused {}
export class Unsupported extends Refused {}
export class Damaged extends Refused {}
export class Busy extends Refused {}
export class TimedOut extends Refused {}
export class StorageFull extends Refused {}
export class InternalError extends Refused {}

/** @type {Record<string, typeof Refused>} */
const BY_STATUS = {
  bad_request: BadRequest,
  unauthorized: Unauthorized,
  not_found: NotFound,
  too_large: TooLarge,
  unsupported: Unsupported,
  damaged: Damaged,
  busy: Busy,
  timeout: TimedOut,
  storage_full: StorageFull,
  internal: InternalError,
};
/** @type {Record<number, typeof Refused>} */
const BY_CODE = { 403: Forbidden, 404: NotFound, 409: NotReady, 429: Busy };

/**
 * Makes the error of an answer that is not a success.
 * @param {number} code
 * @param {Uint8Array} body
 */
export function refusal(code, body) {
  const text = new TextDecoder().decode(body);
  /** @type {any} */
  let told;
  try {
    told = JSON.parse(text);
  } catch {
    told = undefined;
  }
  if (typeof told !== "object" || told === null) {
    told = { status: "internal", message: `HTTP ${code}: ${text.slice(0, 200)}` };
  }
  const kind = BY_CODE[code] ?? BY_STATUS[told.status] ?? Refused;
  return new kind(String(told.message ?? told.status), { ...told, code });
}
