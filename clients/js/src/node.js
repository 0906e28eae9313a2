// The package in Node: sockets of node:http, which know Unix paths and keep connections.

import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { buffer } from "node:stream/consumers";
import { BaseClient } from "./client.js";
import { Broken, Unreachable } from "./errors.js";
import { LocalServer } from "./local.js";

export * from "./errors.js";

export class Client extends BaseClient {
  /** @param {string} [server] @param {import("./index.d.ts").ClientSettings} [settings] */
  constructor(server = "127.0.0.1:8080", settings) {
    super(nodeTransport(server, settings?.ca), settings);
  }
}

export class LocalClient extends BaseClient {
  #server;

  /** @param {LocalServer} server @param {import("./index.d.ts").ClientSettings} settings */
  constructor(server, settings) {
    const transport = nodeTransport(server.address, undefined, () => server.revive());
    super(transport, { ...settings, token: server.token });
    this.#server = server;
  }

  get address() {
    return this.#server.address;
  }

  get tcpAddress() {
    return this.#server.tcpAddress;
  }

  get pid() {
    return this.#server.pid;
  }

  close() {
    super.close();
    this.#server.close();
  }
}

/** @param {import("./index.d.ts").LocalSettings} [settings] */
export async function local({ program, settings = {}, ...client } = {}) {
  const server = new LocalServer(program, settings);
  try {
    await server.revive();
  } catch (error) {
    server.close();
    throw error;
  }
  return new LocalClient(server, client);
}

/** @param {BaseClient} client @param {import("./index.d.ts").Options} [options] */
export function duplex(client, options) {
  return Duplex.from(async function* (/** @type {AsyncIterable<Uint8Array>} */ source) {
    const { body } = await client.stream(source, options);
    yield* /** @type {AsyncIterable<Uint8Array>} */ (/** @type {unknown} */ (body));
  });
}

/**
 * @param {string} server
 * @param {string | Uint8Array | undefined} ca
 * @param {() => Promise<void>} [revive] starts the server again
 * @returns {import("./client.js").Transport}
 */
function nodeTransport(server, ca, revive) {
  const isUnix = server.startsWith("unix:");
  const url = isUnix ? undefined : new URL(server.includes("://") ? server : `http://${server}`);
  if (url && !["http:", "https:"].includes(url.protocol)) {
    throw new TypeError(`'${server}' is no address: give host:port, http(s)://host:port or unix:PATH`);
  }
  const isTls = url?.protocol === "https:";
  const pool = { keepAlive: true, maxFreeSockets: 64 };
  const agent = isTls ? new HttpsAgent({ ...pool, ca: /** @type {any} */ (ca) }) : new HttpAgent(pool);
  const place = url
    ? { host: url.hostname.replace(/^\[|\]$/g, ""), port: url.port || (isTls ? 443 : 80) }
    : { socketPath: server.slice("unix:".length) };
  const start = isTls ? httpsRequest : httpRequest;

  /**
   * @param {import("./client.js").Request} request
   * @returns {Promise<import("node:http").IncomingMessage>}
   */
  function exchange({ method, target, headers, body, signal, isIdempotent }) {
    return new Promise((resolve, reject) => {
      const length = body instanceof Uint8Array ? body.length : body instanceof Blob ? body.size : undefined;
      const sized = length === undefined ? {} : { "content-length": String(length) };
      const host = isUnix ? { host: "imgsrv" } : {};
      const sent = start({
        ...place,
        method,
        path: target,
        headers: { ...host, ...headers, ...sized },
        // A kept connection may be closed already, and its loss does not tell what the server has read.
        agent: isIdempotent ? agent : false,
        signal,
      });
      let isConnected = false;
      sent.on("socket", (socket) => {
        if (!socket.connecting) isConnected = true; // a kept one
        else socket.once(isTls ? "secureConnect" : "connect", () => (isConnected = true));
      });
      sent.on("response", resolve);
      sent.on("error", (/** @type {NodeJS.ErrnoException} */ error) => {
        if (signal.aborted) return reject(signal.reason);
        const isStale = sent.reusedSocket && ["ECONNRESET", "EPIPE"].includes(error.code ?? "");
        const kind = isConnected ? Broken : Unreachable;
        reject(new kind(`${isConnected ? "the connection to" : "cannot connect to"} ${server}: ${error.message}`, {
          cause: { code: error.code, isStale },
        }));
      });
      if (body === undefined || body instanceof Uint8Array) return sent.end(body);
      const chunks = body instanceof Blob ? body.stream() : body;
      // A server that refuses may close early: its answer says more than the error of the pipe.
      pipeline(Readable.from(/** @type {AsyncIterable<Uint8Array>} */ (chunks)), sent).catch((error) => {
        if (!sent.destroyed) sent.destroy(error);
        reject(error);
      });
    });
  }

  return {
    close: () => agent.destroy(),
    async send(request) {
      const canRepeat = request.body === undefined || request.body instanceof Uint8Array || request.body instanceof Blob;
      let answer;
      for (;;) {
        try {
          answer = await exchange(request);
          break;
        } catch (/** @type {any} */ error) {
          if (canRepeat && error?.cause?.isStale) continue;
          if (!revive || !(error instanceof Unreachable)) throw error;
          if (!["ENOENT", "ECONNREFUSED"].includes(/** @type {any} */ (error.cause)?.code)) throw error;
          await revive();
          answer = await exchange(request);
          break;
        }
      }
      const incoming = answer;
      return {
        code: incoming.statusCode ?? 0,
        header: (name) => /** @type {string | undefined} */ (incoming.headers[name]),
        async bytes() {
          try {
            return /** @type {Uint8Array<ArrayBuffer>} */ (await buffer(incoming));
          } catch (error) {
            if (request.signal.aborted) throw request.signal.reason;
            throw new Broken(`the connection to ${server} ended within the answer`, { cause: error });
          }
        },
        stream: () => /** @type {ReadableStream<Uint8Array>} */ (Readable.toWeb(incoming)),
      };
    },
  };
}
