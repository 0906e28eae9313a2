// Each line of docs/migrating.md for sharp: both sides run and their results are alike.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Duplex, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import sharp from "sharp";
import { Client, duplex } from "../src/node.js";
import { needsServer, startServer } from "./support.js";

// Most that two results may differ, as the mean of all samples.
const MOST = 6;

const text = readFileSync(new URL("../../../docs/migrating.md", import.meta.url), "utf8");
const section = text.split("## From sharp\n")[1].split("\n## ")[0];
const rows = [...section.matchAll(/^\| ([^|]+) \| `([^|]+)` \| `([^|]+)` \|$/gm)].map(([, ...cells]) => cells);
const lines = section.split("\n").filter((line) => line.startsWith("| ")).slice(1);

const AsyncFunction = (async () => {}).constructor;
const evaluate = (code, names) => new AsyncFunction(...Object.keys(names), `return ${code}`)(...Object.values(names));

/** A picture with checks and specks, which every filter changes. */
function paint() {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="400" height="300">
    <linearGradient id="g"><stop offset="0" stop-color="#246"/><stop offset="1" stop-color="#fc8"/></linearGradient>
    <rect width="400" height="300" fill="url(#g)"/><circle cx="200" cy="150" r="60" fill="#a33"/>
    <pattern id="p" width="16" height="16" patternUnits="userSpaceOnUse"><path d="M0 0h8v8H0zM8 8h8v8H8z" fill="#000"/></pattern>
    <pattern id="q" width="9" height="7" patternUnits="userSpaceOnUse"><path d="M0 0h1v1H0z" fill="#fff"/></pattern>
    <rect width="400" height="300" fill="url(#p)" opacity="0.2"/><rect width="400" height="300" fill="url(#q)" opacity="0.3"/></svg>`;
  return sharp(Buffer.from(svg)).jpeg({ quality: 98, chromaSubsampling: "4:4:4" }).toBuffer();
}

async function pixels(data) {
  const { data: samples, info } = await sharp(data).toColourspace("srgb").removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { samples, info };
}

async function sameSize(theirs, ours) {
  const [a, b] = [await sharp(theirs).metadata(), await sharp(ours).metadata()];
  assert.deepEqual([a.width, a.height], [b.width, b.height]);
}

async function difference(theirs, ours) {
  const [a, b] = [await pixels(theirs), await pixels(ours)];
  // A grey result may have one channel or three.
  const [stepA, stepB] = [a.info.channels, b.info.channels];
  let sum = 0;
  const count = a.info.width * a.info.height;
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) {
      sum += Math.abs(a.samples[i * stepA + Math.min(c, stepA - 1)] - b.samples[i * stepB + Math.min(c, stepB - 1)]);
    }
  }
  return sum / count / 3;
}

describe("from sharp", needsServer, () => {
  let server, images, photo;
  before(async () => {
    server = await startServer();
    images = new Client(server.http);
    photo = await paint();
  });
  after(() => {
    images.close();
    return server.stop();
  });

  test("every line of the table has the form of the others", () => assert.equal(rows.length, lines.length));

  for (const [what, theirs, ours] of rows) {
    test(what, async () => {
      const expected = await evaluate(theirs, { sharp, photo, Readable });
      const result = await evaluate(ours, { images, photo, duplex, Readable });
      if (["number", "string"].includes(typeof expected)) return assert.equal(result, expected);
      const theirFile = await expected.toBuffer();
      const ourFile = result instanceof Duplex ? await buffer(result) : result.data;
      await sameSize(theirFile, ourFile);
      if (theirs.includes("attention")) return; // another rule of what matters
      const differ = await difference(theirFile, ourFile);
      assert.ok(differ <= MOST, `the results differ by ${differ.toFixed(1)}`);
      if (ours.includes("ops:")) {
        const share = theirs.includes("sharpen") ? 0.8 : 0.5; // sharp has another formula
        assert.ok(differ < await difference(theirFile, photo) * share, "the operation has no effect");
      }
      const format = /\.(jpeg|webp|png|gif|tiff)\(/.exec(theirs)?.[1];
      if (format) assert.equal((await sharp(ourFile).metadata()).format, format);
    });
  }
});
