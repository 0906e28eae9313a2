// mozjpeg as bundled with sharp: mozjpeg.mjs PICTURE.png FOLDER QUALITY... writes FOLDER/QUALITY.jpg for each.
import sharp from './sharp.mjs';

const [, , picture, folder, ...qualities] = process.argv;
for (const quality of qualities) {
  const file = `${folder}/${quality}.jpg`;
  await sharp(picture).jpeg({ quality: Number(quality), mozjpeg: true, chromaSubsampling: '4:2:0' }).toFile(file);
}
