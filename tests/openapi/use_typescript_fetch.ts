// The client of openapi-generator (typescript-fetch) at work.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { Configuration, FactsApi, ImagesApi, TasksApi } from "./generated_fetch/index.js";

const configuration = new Configuration({ basePath: process.argv[2] });
const images = new ImagesApi(configuration);
const tasks = new TasksApi(configuration);
const script = "import sys, pictures; sys.stdout.buffer.write(pictures.picture())";
const body = new Blob([execFileSync("venv/bin/python", ["-c", script])]);

const small = await images.resizeRaw({ body, width: 80, height: 80, fit: "cover", ops: ["grayscale", "blur:1"] });
assert.equal(small.raw.headers.get("x-result-width"), "80");
assert.ok((await small.value()).size > 100);
const cut = await images.resizeRaw({ body, crop: [10, 10, 40, 30] });
assert.equal(cut.raw.headers.get("x-result-width"), "40");
assert.equal((await images.convertRaw({ format: "webp", body })).raw.headers.get("content-type"), "image/webp");
await assert.rejects(images.resize({ body: new Blob(["text"]) }));
assert.equal((await new FactsApi(configuration).getInfo({ body })).width, 320);
const { taskId } = await tasks.submitTask({ body, width: 9 });
assert.ok((await tasks.listTasks()).tasks.some((task) => task.taskId === taskId));
