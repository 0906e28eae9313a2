// A real server, pictures of our own making, and their sizes by their own headers.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { crc32, deflateSync } from "node:zlib";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** The server: $IMGSRV_PROGRAM, or the build of this repository; undefined without one. */
export const PROGRAM = (process.env.IMGSRV_PROGRAM ? [process.env.IMGSRV_PROGRAM] : [
  `${ROOT}/target/release/imgsrv`,
  `${ROOT}/target/debug/imgsrv`,
]).find(existsSync);
if (PROGRAM === undefined && process.env.CI) throw new Error("no server: build it, or set IMGSRV_PROGRAM");

/** Options of a test that needs the program. */
export const needsServer = PROGRAM ? {} : { skip: "no server: build it, or set IMGSRV_PROGRAM" };

/** Starts a server on free ports. */
export async function startServer(...args) {
  const child = spawn(PROGRAM, ["--bind=127.0.0.1:0", "--http=127.0.0.1:0", "-qq", ...args], {
    env: { ...process.env, IMGSRV_DATA_DIR: "none" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const addresses = [];
  for await (const line of createInterface({ input: child.stdout })) {
    addresses.push(line.split(" ").at(-1));
    if (addresses.length === 2) break;
  }
  const ended = new Promise((resolve) => child.on("exit", resolve));
  return { http: addresses[0], tcp: addresses[1], stop: () => (child.kill("SIGKILL"), ended) };
}

/** A server that answers each connection with the next of these texts, and notes when. */
export async function startScripted(...answers) {
  const times = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      times.push(performance.now());
      socket.end(answers.shift());
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `127.0.0.1:${server.address().port}`, times, stop: () => server.close() };
}

/** A PNG with gradients. */
export function png(width = 640, height = 480) {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * (width * 3 + 1) + 1 + x * 3;
      rows[at] = (x * 255) / width;
      rows[at + 1] = (y * 255) / height;
      rows[at + 2] = ((x * 7 + y * 13) % 64) * 3;
    }
  }
  const chunk = (name, data) => {
    const body = Buffer.concat([Buffer.from(name), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([signature, chunk("IHDR", head), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

/** Width and height that a PNG or a JPEG states. */
export function sizeOf(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (view.getUint32(0) === 0x89504e47) return [view.getUint32(16), view.getUint32(20)];
  for (let at = 2; at < data.length; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint16(at);
    if (marker >= 0xffc0 && marker <= 0xffc2) return [view.getUint16(at + 7), view.getUint16(at + 5)];
  }
  throw new Error("neither PNG nor JPEG");
}

/** Waits until `check` holds. */
export async function eventually(check, what) {
  for (let tries = 0; tries < 1500; tries++) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`never: ${what}`);
}
