// The examples answer alike, and the JavaScript of the README runs as it stands.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PROGRAM, needsServer, png, sizeOf, startServer } from "./support.js";

const folder = mkdtempSync("/tmp/ix-");
after(() => rmSync(folder, { recursive: true }));
Object.assign(process.env, { TMPDIR: folder, IMGSRV_PROGRAM: PROGRAM });

async function post(address, bytes) {
  const form = new FormData();
  form.append("photo", new Blob([bytes]), "cat.png");
  const response = await fetch(`http://127.0.0.1:${address.port}/photos/cat`, { method: "POST", body: form });
  return [response.status, await response.json()];
}

for (const name of ["express_upload", "express_sharp"]) {
  test(name, needsServer, async () => {
    const { createApp } = await import(`../examples/${name}.js`);
    const { app, close } = await createApp(folder);
    const listening = app.listen(0, "127.0.0.1");
    await new Promise((resolve) => listening.on("listening", resolve));
    try {
      assert.deepEqual(await post(listening.address(), png(1600, 1200)), [200, { widths: [320, 640, 1280] }]);
      assert.deepEqual(sizeOf(readFileSync(join(folder, "cat-640.jpg"))), [640, 480]);
      assert.equal((await post(listening.address(), Buffer.from("text")))[0], 422);
    } finally {
      listening.close();
      listening.closeAllConnections();
      close();
    }
  });
}

test("the JavaScript of the README", needsServer, async () => {
  const server = await startServer(`--data-dir=${folder}/tasks`);
  try {
    const text = readFileSync(new URL("../README.md", import.meta.url), "utf8");
    const blocks = [...text.matchAll(/```js\n(.*?)```/gs)].map(([, block]) => block);
    assert.equal(blocks.length, 4);
    const program = blocks.join("\n").replaceAll("127.0.0.1:8080", server.http);
    writeFileSync(join(folder, "readme.mjs"), program);
    writeFileSync(join(folder, "photo.jpg"), png(1600, 1200));
    symlinkSync(fileURLToPath(new URL("../node_modules", import.meta.url)), join(folder, "node_modules"));
    const out = execFileSync(process.execPath, ["readme.mjs"], { cwd: folder, encoding: "utf8" });
    assert.match(out, /^800 600 /);
    assert.match(out, /done/);
    assert.deepEqual(sizeOf(readFileSync(join(folder, "piped.jpg"))), [800, 600]);
  } finally {
    await server.stop();
  }
});
