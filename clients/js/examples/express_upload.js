// An upload handler of Express: three sizes of each photo. express_sharp.js is the same with sharp in process.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import express from "express";
import multer from "multer";
import { Damaged, TooLarge, Unsupported, local } from "imgsrv";

const SIZES = [320, 640, 1280];

export async function createApp(folder) {
  const images = await local(); // shared among the workers of a cluster; or new Client("imgsrv.internal:8080")
  const app = express();
  const upload = multer({ limits: { fileSize: 32 << 20 } });

  app.post("/photos/:name", upload.single("photo"), async (request, response) => {
    try {
      const widths = await Promise.all(SIZES.map(async (size) => {
        const { data, width } = await images.resize(request.file.buffer, { width: size, fit: "inside", format: "jpeg", quality: 80 });
        await writeFile(join(folder, `${request.params.name}-${size}.jpg`), data);
        return width;
      }));
      response.json({ widths });
    } catch (error) {
      if (!(error instanceof Unsupported || error instanceof Damaged || error instanceof TooLarge)) throw error;
      response.status(422).json({ error: error.message });
    }
  });
  return { app, pid: images.pid, close: () => images.close() };
}
