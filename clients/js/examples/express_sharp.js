// The twin of express_upload.js with sharp: the decoders run in the application's own process.

import { join } from "node:path";
import express from "express";
import multer from "multer";
import sharp from "sharp";

const SIZES = [320, 640, 1280];

export async function createApp(folder) {
  const app = express();
  const upload = multer({ limits: { fileSize: 32 << 20 } });

  app.post("/photos/:name", upload.single("photo"), async (request, response) => {
    try {
      const source = sharp(request.file.buffer).rotate();
      const widths = await Promise.all(SIZES.map(async (size) => {
        const file = join(folder, `${request.params.name}-${size}.jpg`);
        const { width } = await source.clone().resize({ width: size, withoutEnlargement: true }).jpeg({ quality: 80 }).toFile(file);
        return width;
      }));
      response.json({ widths });
    } catch (error) {
      response.status(422).json({ error: error.message });
    }
  });
  return { app, close() {} };
}
