// sharp; standard input has the number of repeats of its task: worker.mjs sharp|sharp:no-icc TASK, as worker.py.
import fs from 'node:fs';
import readline from 'node:readline';
import sharp from './sharp.mjs';

const [, way] = process.argv[2].split(':');
const task = JSON.parse(process.argv[3]);
const data = fs.readFileSync(task.source);
const run = () =>
  sharp(data, { ignoreIcc: way === 'no-icc' })
    .resize(task.width, task.height, { fit: 'fill' })
    .toFormat(task.format, { quality: task.quality })
    .toBuffer();

for await (const line of readline.createInterface({ input: process.stdin })) {
  const times = [];
  let result;
  for (let left = Number(line); left > 0; left -= 1) {
    const started = performance.now();
    result = await run();
    times.push(performance.now() - started);
  }
  fs.writeFileSync(task.result, result);
  console.log(JSON.stringify(times));
}
