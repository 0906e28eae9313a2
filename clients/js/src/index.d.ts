// The public types. Node has all of them; `local`, `unix:` addresses, `tls` and `duplex` are absent in browsers.

/** What can be sent. A stream is sent as it comes and not sent again. */
export type Image =
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ReadableStream<Uint8Array>
  | NodeJS.ReadableStream
  | AsyncIterable<Uint8Array>;

/** Every option; docs/options.md tells what each does. One that is undefined or null is not sent. */
export interface Options {
  width?: number | null;
  height?: number | null;
  scale?: number | null;
  fit?: "fill" | "cover" | "contain" | "inside" | "outside" | null;
  /** a word such as `north` or `smart`, or a focal point from 0 to 1 */
  gravity?: string | readonly [number, number] | null;
  enlarge?: boolean | null;
  /** x, y, width, height within the upright picture */
  crop?: string | readonly [number, number, number, number] | null;
  rotate?: "auto" | 0 | 90 | 180 | 270 | null;
  flip?: boolean | null;
  flop?: boolean | null;
  kernel?: "lanczos3" | "catmullrom" | "mitchell" | "bilinear" | "box" | "nearest" | null;
  speed?: "normal" | "fast" | null;
  linear?: boolean | null;
  /** #rrggbb or #rrggbbaa */
  background?: string | null;
  /** jpeg, png, webp, gif, tiff, bmp, qoi, source or auto */
  format?: string | null;
  quality?: number | string | null;
  progressive?: boolean | null;
  subsampling?: "auto" | "444" | "422" | "420" | null;
  effort?: "fast" | "balanced" | "smallest" | null;
  lossless?: boolean | null;
  dither?: boolean | null;
  /** bytes, or a text such as 200k */
  max_bytes?: number | string | null;
  allow_smaller?: boolean | null;
  target?: number | null;
  passthrough?: boolean | null;
  metadata?: "strip" | "copyright" | "keep" | null;
  icc?: "srgb" | "keep" | "ignore" | null;
  strict?: boolean | null;
  /** of an animation: all, first, a number from 0, or a range such as 2-9 */
  frames?: number | string | null;
  /** operations in order, such as ["grayscale", "blur:2"] */
  ops?: string | readonly string[] | null;
  /** a preset of the server, from which the other options start */
  preset?: string | null;
  /** echoed in the report and the log */
  id?: string | null;
  /** give up after so many milliseconds */
  deadline_ms?: number | null;
}

/** Facts about a result and its source; undefined where they are not known. */
export interface Report {
  width?: number;
  height?: number;
  format?: string;
  quality?: number;
  source_width?: number;
  source_height?: number;
  source_format?: string;
  source_bytes?: number;
  queue_ms?: number;
  decode_ms?: number;
  resize_ms?: number;
  encode_ms?: number;
  tries?: number;
  score?: number;
  warnings: string[];
  id?: string;
  etag?: string;
}

/** A picture, with its report. */
export interface Result {
  data: Uint8Array<ArrayBuffer>;
  width?: number;
  height?: number;
  format?: string;
  contentType: string;
  report: Report;
}

/** A picture that is still arriving. */
export interface StreamedResult {
  body: ReadableStream<Uint8Array>;
  contentType: string;
  report: Report;
}

/** The state of work that outlives its request. */
export interface Task {
  id: string;
  status: "queued" | "processing" | "done" | "failed" | "cancelled";
  submitted?: string;
  started?: string;
  finished?: string;
  position?: number;
  step?: string;
  progress?: number;
  source_bytes?: number;
  result_bytes?: number;
  width?: number;
  height?: number;
  format?: string;
  quality?: number;
  error?: string;
  code?: number;
  message?: string;
}

export interface ClientSettings {
  token?: string;
  /** milliseconds of one try; default 60000 */
  timeout?: number;
  /** tries after the first where the server is busy, gone or cut off; default 3 */
  retries?: number;
  /** milliseconds before the first of them, doubled for each more; default 100 */
  backoff?: number;
  /** certificate authorities as PEM, in Node */
  ca?: string | Uint8Array;
}

export interface Call {
  signal?: AbortSignal;
}

/** Calls to one server: `host:port`, `http(s)://host:port`, or `unix:PATH` in Node. */
export class Client {
  constructor(server?: string, settings?: ClientSettings);
  /** Resizes, crops, turns and converts, as the options say. */
  resize(image: Image, options?: Options, call?: Call): Promise<Result>;
  /** Fills the box and cuts off the rest: `resize` with fit=cover. */
  crop(image: Image, options?: Options, call?: Call): Promise<Result>;
  /** Fits within the box, never larger than the source: `resize` with fit=inside. */
  thumbnail(image: Image, options?: Options, call?: Call): Promise<Result>;
  /** Converts to another format, which has to be named. */
  convert(image: Image, options?: Options, call?: Call): Promise<Result>;
  /** `resize` whose result is passed on as it arrives. */
  stream(image: Image, options?: Options, call?: Call): Promise<StreamedResult>;
  /** Facts about an image, from its header. */
  info(image: Image, call?: Call): Promise<Record<string, unknown>>;
  /** Hands in work that outlives the request and any crash of the server. */
  submit(image: Image, options?: Options, call?: Call): Promise<Task>;
  /** The state of a task. */
  task(id: string, call?: Call): Promise<Task>;
  /** Waits until a task is done, failed or cancelled. */
  wait(id: string, call?: Call): Promise<Task>;
  /** The result of a task that is done. A failed task rejects with its failure. */
  result(id: string, call?: Call): Promise<Result>;
  /** Cancels a task, or deletes its result. */
  cancel(id: string, call?: Call): Promise<Task>;
  /** The tasks of the caller, oldest first, page by page of `limit`. */
  tasks(settings?: { limit?: number }): AsyncGenerator<Task, void, void>;
  /** True if the server answers. */
  health(call?: Call): Promise<boolean>;
  /** Closes the connections. */
  close(): void;
}

/** A stream for `pipe` and `pipeline`: a picture in, its result out. Node alone. */
export function duplex(client: Client, options?: Options): import("node:stream").Duplex;

export interface LocalSettings extends Omit<ClientSettings, "token" | "ca"> {
  /** path of `imgsrv`; default `$IMGSRV_PROGRAM`, the one that the package carries, or the one on the PATH */
  program?: string;
  /** settings of the server, such as { workers: 4, max_body: "64MiB" } */
  settings?: Record<string, string | number | boolean>;
}

/** A client whose server is started again when it has died. */
export class LocalClient extends Client {
  /** address of its TCP listener, for `imgcli --server` */
  readonly tcpAddress: string;
  /** address of its HTTP listener */
  readonly address: string;
  /** the process, if this one started it */
  readonly pid: number | undefined;
}

/** Starts a server, or joins the one that this user's processes share. Node alone. */
export function local(settings?: LocalSettings): Promise<LocalClient>;

/** Any failure of a call. */
export class ImgsrvError extends Error {}
/** Nothing answers at the address. */
export class Unreachable extends ImgsrvError {}
/** The connection ended or took too long before the whole answer came. */
export class Broken extends ImgsrvError {}
/** The program of `local()` is missing or does not start. */
export class LocalError extends ImgsrvError {}
/** The server's refusal. Its subclasses tell who has to act. */
export class Refused extends ImgsrvError {
  /** word of the refusal, such as `too_large` */
  readonly status: string;
  /** HTTP status */
  readonly code: number;
  /** id of the request, as in the server's log */
  readonly id?: string;
  /** milliseconds after which trying again may help */
  readonly retryAfterMs?: number;
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
