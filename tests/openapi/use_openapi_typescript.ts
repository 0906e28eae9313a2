// The types of openapi-typescript with openapi-fetch at work.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const client = createClient<paths>({ baseUrl: process.argv[2] });
const script = "import sys, pictures; sys.stdout.buffer.write(pictures.picture())";
const image = new Blob([execFileSync("venv/bin/python", ["-c", script])]);
// The description says that a body is a string of bytes; what is sent is the Blob.
const raw = {
  body: image as unknown as string,
  bodySerializer: (body: unknown) => body as Blob,
  headers: { "content-type": "application/octet-stream" },
};

const small = await client.POST("/resize", {
  ...raw,
  params: { query: { width: 80, height: 80, fit: "cover", ops: ["grayscale", "blur:1"] } },
  parseAs: "blob",
});
assert.equal(small.response.headers.get("x-result-width"), "80");
assert.ok(small.data && (small.data as Blob).size > 100);
const refused = await client.POST("/resize", { ...raw, params: { query: { width: 16385 } } });
assert.equal(refused.error?.status, "bad_request");
const info = await client.POST("/info", raw);
assert.equal(info.data?.width, 320);
const submitted = await client.POST("/upload", { ...raw, params: { query: { width: 9 } } });
assert.ok(submitted.data);
const page = await client.GET("/tasks", { params: { query: { limit: 200 } } });
assert.ok(page.data?.tasks.some((task) => task.task_id === submitted.data.task_id));
// @ts-expect-error: no such option
await client.POST("/resize", { ...raw, params: { query: { wdth: 80 } } });
// @ts-expect-error: no such fit
await client.POST("/resize", { ...raw, params: { query: { fit: "squeeze" } } });
