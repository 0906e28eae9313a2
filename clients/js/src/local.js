// `LocalServer`: a server of the application's own, on Unix sockets in a private folder.
//
// Processes of one user with the same program and settings share one server, such as the workers of a cluster. The
// server's standard input is a FIFO whose other end each process holds: it stops with the last of them, also after
// kill -9. The server's lock beside its socket decides which of two that start at once stays.

import { execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { connect } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LocalError } from "./errors.js";
import { carriedProgram } from "./programs.js";

/** Milliseconds that a server may take to start. */
const PATIENCE = 10_000;

/** Milliseconds after which a program that ended by itself will not be replaced by that of another process. */
const RACE = 1000;

export class LocalServer {
  #program;
  #arguments;
  #folder;
  /** @type {number | undefined} */
  #life;
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #child;
  /** @type {Promise<void> | undefined} */
  #reviving;

  /** @param {string | undefined} program @param {Record<string, string | number | boolean>} settings */
  constructor(program, settings) {
    if (process.platform === "win32") {
      throw new LocalError("this system has no Unix sockets: start imgsrv as a service and use Client");
    }
    this.#program = findProgram(program);
    this.#arguments = argumentsOf(settings);
    this.#folder = privateFolder(this.#program, this.#arguments);
    this.#life = openLife(path.join(this.#folder, "life"));
    this.token = sharedToken(this.#folder);
  }

  get address() {
    return `unix:${path.join(this.#folder, "http")}`;
  }

  get tcpAddress() {
    return `unix:${path.join(this.#folder, "tcp")}`;
  }

  get pid() {
    return this.#hasEnded() ? undefined : this.#child?.pid;
  }

  /** Lets go of the server, which stops once nobody holds it. */
  close() {
    if (this.#life !== undefined) fs.closeSync(this.#life);
    this.#life = undefined;
  }

  /** Starts the program unless it answers. Resolves once it does, and rejects with the end of its log if it does not. */
  revive() {
    this.#reviving ??= this.#start().finally(() => (this.#reviving = undefined));
    return this.#reviving;
  }

  async #start() {
    const began = Date.now();
    while (!(await answers(path.join(this.#folder, "http")))) {
      if (this.#life === undefined) throw new LocalError("this local server was closed");
      const time = Date.now() - began;
      if (this.#hasEnded()) {
        if (this.#child?.exitCode && time > RACE) {
          throw new LocalError(`${this.#program} does not start: ${this.#logEnd()}`);
        }
        this.#spawn();
      }
      if (time > PATIENCE) {
        throw new LocalError(`${this.#program} does not answer within ${PATIENCE} ms: ${this.#logEnd()}`);
      }
      await sleep(20);
    }
  }

  #hasEnded() {
    const child = this.#child;
    return child === undefined || child.exitCode !== null || child.signalCode !== null;
  }

  #spawn() {
    const stdin = fs.openSync(path.join(this.#folder, "life"), fs.constants.O_RDONLY);
    const log = fs.openSync(path.join(this.#folder, "log"), "w", 0o600);
    try {
      const own = [
        `--bind=${this.tcpAddress}`,
        `--http=${this.address}`,
        `--token-file=${path.join(this.#folder, "token")}`,
        "--stop-at-eof",
        "--quiet",
      ];
      // Detached: an interrupt at the terminal is for the application, which may still need it.
      this.#child = spawn(this.#program, [...own, ...this.#arguments], { stdio: [stdin, "ignore", log], detached: true });
      this.#child.on("error", (error) => fs.writeFileSync(path.join(this.#folder, "log"), error.message));
      this.#child.unref();
    } finally {
      fs.closeSync(stdin);
      fs.closeSync(log);
    }
  }

  #logEnd() {
    try {
      return fs.readFileSync(path.join(this.#folder, "log"), "utf8").slice(-500).trim() || "its log is empty";
    } catch (error) {
      return String(error);
    }
  }
}

/** @param {string} socketPath @returns {Promise<boolean>} */
function answers(socketPath) {
  return new Promise((resolve) => {
    const probe = connect(socketPath);
    probe.on("connect", () => resolve(true) ?? probe.destroy());
    probe.on("error", () => resolve(false));
  });
}

/** The path of the server's program. @param {string} [program] */
function findProgram(program) {
  const named = program ?? process.env.IMGSRV_PROGRAM;
  const onPath = (process.env.PATH ?? "").split(path.delimiter).map((folder) => path.join(folder, "imgsrv"));
  const found = (named !== undefined ? [named] : [carriedProgram("imgsrv"), ...onPath]).find((candidate) => {
    if (candidate === undefined) return false;
    try {
      fs.accessSync(candidate, fs.constants.X_OK);
      return fs.statSync(candidate).isFile();
    } catch {
      return false;
    }
  });
  if (found === undefined) {
    const name = named ?? "imgsrv";
    throw new LocalError(`no program ${name}: put imgsrv on the PATH, or name it by program or IMGSRV_PROGRAM`);
  }
  return fs.realpathSync(found);
}

/** @param {Record<string, string | number | boolean>} settings */
function argumentsOf(settings) {
  for (const own of ["bind", "http", "token_file"]) {
    if (own in settings) throw new TypeError(`local() sets ${own} itself`);
  }
  // Without tasks, and all callers come from one address.
  const merged = { data_dir: "none", per_ip: 2048, ...settings };
  return Object.entries(merged)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `--${name.replaceAll("_", "-")}=${value}`);
}

/** A folder of this user alone, the same for equal programs and settings. @param {string} program @param {string[]} args */
function privateFolder(program, args) {
  const uid = process.getuid?.();
  const { mtimeNs, size } = fs.statSync(program, { bigint: true });
  // A program that was replaced is another one.
  const key = [program, mtimeNs, size, ...args].join("\0");
  const parent = path.join(os.tmpdir(), `imgsrv-${uid}`);
  const folder = path.join(parent, createHash("sha256").update(key).digest("hex").slice(0, 16));
  for (const one of [parent, folder]) {
    try {
      fs.mkdirSync(one, 0o700);
    } catch (/** @type {any} */ error) {
      if (error.code !== "EEXIST") throw error;
    }
    const found = fs.lstatSync(one);
    if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) {
      throw new LocalError(`${one} is not a private folder of this user: remove it`);
    }
  }
  return folder;
}

/** Opens the FIFO for writing; a server reads its end. @param {string} life */
function openLife(life) {
  if (!fs.existsSync(life)) {
    try {
      execFileSync("mkfifo", ["-m", "600", life], { stdio: "pipe" });
    } catch (error) {
      if (!fs.existsSync(life)) throw new LocalError(`cannot make ${life}`, { cause: error });
    }
  }
  // A FIFO can be opened for writing only while somebody reads, and O_RDWR is both.
  const both = fs.openSync(life, fs.constants.O_RDWR);
  try {
    return fs.openSync(life, fs.constants.O_WRONLY);
  } finally {
    fs.closeSync(both);
  }
}

/** The token of the folder; the first process makes it, whole before it has its name. @param {string} folder */
function sharedToken(folder) {
  const file = path.join(folder, "token");
  if (!fs.existsSync(file)) {
    const made = path.join(folder, `token.${process.pid}.${randomBytes(4).toString("hex")}`);
    fs.writeFileSync(made, `local:${randomBytes(32).toString("hex")}\n`, { mode: 0o600, flag: "wx" });
    try {
      fs.linkSync(made, file);
    } catch (/** @type {any} */ error) {
      if (error.code !== "EEXIST") throw error;
    }
    fs.unlinkSync(made);
  }
  return fs.readFileSync(file, "utf8").trim().split(":")[1];
}
