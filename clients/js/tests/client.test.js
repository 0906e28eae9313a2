// The client in Node, and that for browsers on Node's fetch, against the real server.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import * as node from "../src/node.js";
import * as browser from "../src/browser.js";
import { needsServer, png, sizeOf, startScripted, startServer } from "./support.js";

const folder = mkdtempSync(join(tmpdir(), "imgsrv-js-"));
after(() => rmSync(folder, { recursive: true }));

for (const [name, { Client, ...imgsrv }] of Object.entries({ node, browser })) {
  describe(name, needsServer, () => {
    let server, images;
    before(async () => {
      server = await startServer(`--data-dir=${folder}/${name}`);
      images = new Client(server.http);
    });
    after(() => {
      images.close();
      return server.stop();
    });

    test("a picture is resized and its report says how", async () => {
      const source = png();
      const options = { width: 320, format: "jpeg", quality: 70, ops: ["grayscale", "blur:1"], id: "mine", crop: [0, 0, 640, 320] };
      const result = await images.resize(source, options);
      assert.deepEqual(sizeOf(result.data), [320, 160]);
      assert.equal(result.contentType, "image/jpeg");
      const { report } = result;
      assert.deepEqual([report.width, report.height, report.format, report.quality, report.id], [320, 160, "jpeg", 70, "mine"]);
      assert.deepEqual([report.source_width, report.source_format, report.source_bytes], [640, "png", source.length]);
      assert.ok(report.encode_ms > 0 && report.etag);
      assert.deepEqual(report.warnings, []);
    });

    test("each route", async () => {
      const source = png();
      const format = "png";
      assert.deepEqual(sizeOf((await images.crop(source, { width: 90, height: 90, format })).data), [90, 90]);
      assert.deepEqual(sizeOf((await images.thumbnail(source, { width: 90, height: 90, format })).data), [90, 68]);
      assert.equal((await images.convert(source, { format: "webp", width: undefined, height: null })).format, "webp");
      assert.equal((await images.info(source)).width, 640);
      assert.equal(await images.health(), true);
    });

    test("an image may be bytes, a Blob or a stream", async () => {
      const source = png();
      const whole = new Uint8Array(source);
      const web = () => new Blob([source]).stream();
      const all = [source, whole, whole.buffer, new Blob([source]), web(), Readable.from([source.subarray(0, 999), source.subarray(999)])];
      const results = await Promise.all(all.map((image) => images.resize(image, { width: 16 })));
      for (const { data } of results) assert.deepEqual(data, results[0].data);
      await assert.rejects(images.resize("photo.jpg"), TypeError);
    });

    test("a result may be passed on as it arrives", async () => {
      const { body, report, contentType } = await images.stream(png(), { width: 64, format: "png" });
      const chunks = [];
      for await (const chunk of body) chunks.push(chunk);
      assert.deepEqual(sizeOf(Buffer.concat(chunks)), [64, 48]);
      assert.deepEqual([report.width, contentType], [64, "image/png"]);
    });

    test("a refusal says who has to act", async () => {
      await assert.rejects(images.resize(png(), { wdth: 5 }), (error) => {
        assert.ok(error instanceof imgsrv.BadRequest && error instanceof imgsrv.Refused);
        assert.match(error.message, /did you mean 'width'/);
        assert.deepEqual([error.name, error.status, error.code], ["BadRequest", "bad_request", 400]);
        return true;
      });
      await assert.rejects(images.resize(Buffer.from("no picture at all")), imgsrv.Unsupported);
      await assert.rejects(images.resize(png().subarray(0, 5000), { strict: true }), imgsrv.Damaged);
      await assert.rejects(images.task("0".repeat(32)), imgsrv.NotFound);
      assert.equal((await images.resize(png(), { width: 5 })).width, 5);
    });

    test("tasks are handed in, waited for, listed and removed", async () => {
      const task = await images.submit(png(), { width: 64, format: "png" });
      assert.equal(task.status, "queued");
      const done = await images.wait(task.id);
      assert.deepEqual([done.status, done.width, done.id], ["done", 64, task.id]);
      assert.deepEqual(sizeOf((await images.result(task.id)).data), [64, 48]);
      const others = await Promise.all([1, 2, 3].map((width) => images.submit(png(), { width })));
      const listed = [];
      for await (const { id } of images.tasks({ limit: 2 })) listed.push(id);
      for (const { id } of [task, ...others]) assert.ok(listed.includes(id));
      assert.equal(new Set(listed).size, listed.length);
      assert.equal((await images.cancel(task.id)).status, "cancelled");
      await assert.rejects(images.result(task.id), imgsrv.NotFound);
    });

    test("a call can be aborted and the client goes on", async () => {
      const abort = new AbortController();
      const call = images.resize(png(1600, 1200), { format: "webp", effort: "smallest" }, { signal: abort.signal });
      setTimeout(() => abort.abort(new Error("enough")), 5);
      await assert.rejects(call, /enough/);
      assert.equal((await images.resize(png(), { width: 5 })).width, 5);
    });

    test("a token is sent and a wrong one refused", async () => {
      const tokens = join(folder, `tokens-${name}`);
      writeFileSync(tokens, "app:sesame\n", { mode: 0o600 });
      const guarded = await startServer(`--token-file=${tokens}`);
      try {
        const width = 8;
        assert.equal((await new Client(guarded.http, { token: "sesame" }).resize(png(), { width })).width, 8);
        await assert.rejects(new Client(guarded.http, { token: "wrong" }).resize(png(), { width }), imgsrv.Unauthorized);
        await assert.rejects(new Client(guarded.http).resize(png(), { width }), imgsrv.Unauthorized);
      } finally {
        await guarded.stop();
      }
    });
  });

  describe(`${name}, retries`, () => {
    const busy = '{"status":"busy","message":"full","retry_after_ms":700}';
    const answer = (code, body) =>
      `HTTP/1.1 ${code} x\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;

    test("a busy server is asked again when it says", async () => {
      const server = await startScripted(answer(503, busy), answer(200, "x"));
      const { data } = await new Client(server.address).resize(new Uint8Array(9));
      assert.equal(new TextDecoder().decode(data), "x");
      assert.ok(server.times[1] - server.times[0] >= 690);
      server.stop();
    });

    test("retries end, and a refusal is not retried", async () => {
      const server = await startScripted(answer(429, busy.replace(700, 1)), answer(429, busy.replace(700, 1)));
      const images = new Client(server.address, { retries: 1, backoff: 1 });
      await assert.rejects(images.resize(new Uint8Array(9)), imgsrv.Busy);
      server.stop();
    });

    test("a lost answer is asked for again", async () => {
      const half = "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nhalf";
      const server = await startScripted("", half, answer(200, "x"));
      const { data } = await new Client(server.address, { backoff: 1 }).resize(new Uint8Array(9));
      assert.equal(data.length, 1);
      server.stop();
    });

    test("a stream is sent once", async () => {
      const server = await startScripted(answer(503, busy), answer(200, "x"));
      const images = new Client(server.address);
      await assert.rejects(images.resize(new Blob(["abc"]).stream()), imgsrv.Busy);
      server.stop();
    });

    test("a dead server is told", async () => {
      await assert.rejects(new Client("127.0.0.1:1", { retries: 0 }).resize(new Uint8Array(9)), imgsrv.Unreachable);
      assert.equal(await new Client("127.0.0.1:1", { retries: 0 }).health(), false);
    });
  });
}

test("a task whose answer is lost is not handed in twice", async () => {
  const server = await startScripted("", 'HTTP/1.1 202 x\r\nContent-Length: 15\r\n\r\n{"task_id":"1"}');
  await assert.rejects(new node.Client(server.address, { backoff: 1 }).submit(new Uint8Array(9)), node.Broken);
  server.stop();
});

test("a server that is silent too long is given up", async () => {
  const sockets = [];
  const silent = createServer((socket) => sockets.push(socket));
  await new Promise((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const images = new node.Client(`127.0.0.1:${silent.address().port}`, { timeout: 150, retries: 0 });
  await assert.rejects(images.resize(new Uint8Array(9)), node.Broken);
  sockets.forEach((socket) => socket.destroy());
  silent.close();
});

test("TLS checks the certificate", needsServer, async () => {
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
    "-keyout", key, "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], { stdio: "pipe" });
  const server = await startServer(`--tls-cert=${cert}`, `--tls-key=${key}`);
  try {
    const address = `https://localhost:${server.http.split(":").at(-1)}`;
    const images = new node.Client(address, { ca: readFileSync(cert) });
    assert.equal((await images.resize(png(), { width: 8 })).width, 8);
    images.close();
    await assert.rejects(new node.Client(address, { retries: 0 }).resize(png()), node.ImgsrvError);
  } finally {
    await server.stop();
  }
});

test("a picture is piped through", needsServer, async () => {
  const server = await startServer();
  const images = new node.Client(server.http);
  try {
    const stream = Readable.from([png()]).pipe(node.duplex(images, { width: 48, format: "png" }));
    assert.deepEqual(sizeOf(await buffer(stream)), [48, 36]);
    const refused = Readable.from([Buffer.from("no picture")]).pipe(node.duplex(images));
    await assert.rejects(buffer(refused), node.Unsupported);
  } finally {
    images.close();
    await server.stop();
  }
});

test("a kept connection that the server closed is replaced", needsServer, async () => {
  const server = await startServer("--idle-timeout=1s");
  const images = new node.Client(server.http, { retries: 0 });
  try {
    for (let round = 0; round < 2; round++) {
      assert.equal((await images.resize(png(), { width: 8 })).width, 8);
      await new Promise((resolve) => setTimeout(resolve, 1200));
    }
  } finally {
    images.close();
    await server.stop();
  }
});

test("every option of the server is in the types", needsServer, async () => {
  const server = await startServer();
  try {
    const told = await (await fetch(`http://${server.http}/options.json`)).json();
    const types = readFileSync(new URL("../src/index.d.ts", import.meta.url), "utf8");
    const options = types.slice(types.indexOf("interface Options"), types.indexOf("interface Report"));
    const names = (Array.isArray(told) ? told : told.options).map(({ name }) => name);
    assert.ok(names.length > 20);
    for (const name of names) assert.match(options, new RegExp(`\\b${name}\\?:`), name);
  } finally {
    await server.stop();
  }
});
