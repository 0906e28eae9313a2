// A program in TypeScript as users write it. It is compiled, not run: each line that must not compile says so.

import { BadRequest, Busy, Client, duplex, local, type Result, type Task } from "../src/index.js";

export async function use(photo: Uint8Array, request: ReadableStream<Uint8Array>): Promise<number | undefined> {
  const images = new Client("unix:/run/imgsrv/http", { token: "sesame", retries: 5 });
  const small: Result = await images.resize(photo, { width: 800, fit: "inside", crop: [0, 0, 10, 10], gravity: [0.5, 1] });
  const streamed = await images.stream(request, { format: "webp" }, { signal: AbortSignal.timeout(1000) });
  new Response(streamed.body);
  const tasks: Task[] = [];
  for await (const task of images.tasks({ limit: 10 })) tasks.push(task);
  const own = await local({ settings: { workers: 2, max_body: "64MiB" } });
  duplex(own, { width: 10 }).end();
  try {
    await own.crop(photo, { width: 5 });
  } catch (error) {
    if (error instanceof Busy) return error.retryAfterMs;
    if (error instanceof BadRequest) return error.code;
  }
  // @ts-expect-error: no such option
  await images.resize(photo, { wdth: 800 });
  // @ts-expect-error: no such fit
  await images.resize(photo, { fit: "squeeze" });
  // @ts-expect-error: a path is not an image
  await images.resize("photo.jpg");
  return small.width;
}
