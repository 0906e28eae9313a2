// The package in a browser, or wherever there is fetch.

import { BaseClient } from "./client.js";
import { Broken, Unreachable } from "./errors.js";

export * from "./errors.js";

export class Client extends BaseClient {
  /** @param {string} [server] @param {import("./index.d.ts").ClientSettings} [settings] */
  constructor(server = globalThis.location?.origin ?? "127.0.0.1:8080", settings) {
    super(fetchTransport(server), settings);
  }
}

/**
 * @param {string} server
 * @returns {import("./client.js").Transport}
 */
function fetchTransport(server) {
  const base = new URL(server.includes("://") ? server : `http://${server}`).origin;
  return {
    close() {},
    async send({ method, target, headers, body, signal }) {
      // Few browsers stream a body; a Blob may lie on disk.
      const known = body === undefined || body instanceof Blob || body instanceof Uint8Array;
      const content = known ? body : await new Response(streamOf(body)).blob();
      let response;
      try {
        response = await fetch(base + target, { method, headers, body: /** @type {BodyInit} */ (content), signal });
      } catch (error) {
        if (signal.aborted) throw error;
        throw new Unreachable(`cannot reach ${base}, or it does not admit this page (cors_origin)`, { cause: error });
      }
      return {
        code: response.status,
        header: (name) => response.headers.get(name),
        async bytes() {
          try {
            return new Uint8Array(await response.arrayBuffer());
          } catch (error) {
            if (signal.aborted) throw error;
            throw new Broken(`the connection to ${base} failed`, { cause: error });
          }
        },
        stream: () => response.body ?? new Blob().stream(),
      };
    },
  };
}

/** @param {AsyncIterable<Uint8Array>} chunks */
function streamOf(chunks) {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}
