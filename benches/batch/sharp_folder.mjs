// Resizes every photo of a folder into a box, with sharp on all cores: sharp_folder.mjs FROM TO WIDTH HEIGHT QUALITY.
// As many photos at once as there are cores, one thread for each, which is faster than all threads for one photo at a time.
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const sharp = createRequire(`${process.env.PEERS_DIR}/`)('sharp');
sharp.concurrency(1);
sharp.cache(false);

const [from, to, width, height, quality] = process.argv.slice(2);
const names = readdirSync(from).filter((name) => name.endsWith('.jpg')).sort();

async function worker() {
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    await sharp(join(from, name))
      .rotate()
      .resize({ width: Number(width), height: Number(height), fit: 'inside' })
      .jpeg({ quality: Number(quality) })
      .toFile(join(to, name));
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, worker));
