// Local mode: a server that lives and dies with the processes that use it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, beforeEach, describe, test } from "node:test";
import { Client, LocalError, TooLarge, Unauthorized, local } from "../src/node.js";
import { PROGRAM, eventually, needsServer, png } from "./support.js";

// The path of a socket has at most 107 bytes.
const folders = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

function isAlive(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(")").at(-1).trim()[0] !== "Z";
  } catch {
    return false;
  }
}

const ended = (pid) => eventually(() => !isAlive(pid), `process ${pid} ends`);

describe("local mode", { ...needsServer, concurrency: false }, () => {
  beforeEach(() => {
    const folder = mkdtempSync("/tmp/ij-");
    folders.push(folder);
    Object.assign(process.env, { TMPDIR: folder, IMGSRV_PROGRAM: PROGRAM });
  });

  test("it starts, serves and stops", async () => {
    const images = await local({ settings: { workers: 1, max_body: "1MiB" } });
    const { pid, address } = images;
    assert.equal((await images.resize(png(), { width: 32 })).width, 32);
    await assert.rejects(images.resize(new Uint8Array(2 << 20)), TooLarge);
    const stranger = new Client(address, { retries: 0 });
    await assert.rejects(stranger.resize(png()), Unauthorized);
    stranger.close();
    images.close();
    await ended(pid);
    await assert.rejects(images.resize(png()), LocalError);
  });

  test("it is started again when it dies", async () => {
    const images = await local();
    const { pid } = images;
    assert.equal((await images.resize(png(), { width: 32 })).width, 32);
    process.kill(pid, "SIGKILL");
    const many = await Promise.all([33, 34, 35, 36].map((width) => images.resize(png(), { width })));
    assert.deepEqual(many.map(({ width }) => width), [33, 34, 35, 36]);
    assert.notEqual(images.pid, pid);
    const second = images.pid;
    images.close();
    await ended(second);
  });

  const worker = `
    const { local } = await import(${JSON.stringify(new URL("../src/node.js", import.meta.url).href)});
    const images = await local();
    if (!(await images.health())) process.exit(1);
    console.log(images.pid ?? 0);
    process.stdin.resume().on("end", async () => process.exit((await images.health()) ? 0 : 1));
  `;
  const startWorker = () => spawn(process.execPath, ["--input-type=module", "-e", worker], { stdio: ["pipe", "pipe", "inherit"] });

  test("it stops with its parent, even after kill -9", async () => {
    const parent = startWorker();
    const [line] = await once(parent.stdout, "data");
    const pid = Number(line);
    assert.ok(isAlive(pid));
    parent.kill("SIGKILL");
    await ended(pid);
  });

  test("processes share one, and it stops with the last", async () => {
    const workers = [1, 2, 3].map(startWorker);
    await Promise.all(workers.map(({ stdout }) => once(stdout, "data")));
    await new Promise((resolve) => setTimeout(resolve, 300)); // the losers of the race end
    const mine = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry)).filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`--http=unix:${process.env.TMPDIR}`) && isAlive(pid);
      } catch {
        return false;
      }
    });
    assert.equal(mine.length, 1);
    for (const one of workers.slice(1)) {
      one.kill("SIGKILL");
      await once(one, "exit");
    }
    assert.ok(isAlive(mine[0]));
    workers[0].stdin.end();
    assert.deepEqual(await once(workers[0], "exit"), [0, null]);
    await ended(mine[0]);
  });

  test("mistakes are told", async () => {
    await assert.rejects(local({ settings: { wrkers: 1 } }), LocalError);
    await assert.rejects(local({ settings: { bind: "x" } }), TypeError);
    await assert.rejects(local({ program: "/no/such/imgsrv" }), /no program/);
    delete process.env.IMGSRV_PROGRAM;
    const path = process.env.PATH;
    process.env.PATH = `${dirname(PROGRAM)}:${path}`;
    (await local()).close();
    process.env.PATH = path;
    process.env.IMGSRV_PROGRAM = PROGRAM;
    const [folder] = readdirSync(process.env.TMPDIR);
    chmodSync(join(process.env.TMPDIR, folder), 0o755);
    await assert.rejects(local(), /private/);
  });
});
