// sharp behind the plain form of the protocol: 12 bytes (size, width, height), the image; size and JPEG back.
import net from 'node:net';
import sharp from './sharp.mjs';

const HEADER = 12;

async function answer(socket, header, image) {
  const [width, height] = [header.readUInt32BE(4), header.readUInt32BE(8)];
  const result = await sharp(image).resize(width, height, { fit: 'fill' }).jpeg({ quality: 85 }).toBuffer();
  const size = Buffer.alloc(4);
  size.writeUInt32BE(result.length);
  socket.cork();
  socket.write(size);
  socket.write(result);
  socket.uncork();
}

const server = net.createServer(async (socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  let chunks = [];
  let held = 0;
  let wanted = Infinity;
  for await (const chunk of socket) {
    chunks.push(chunk);
    held += chunk.length;
    if (wanted === Infinity && held >= HEADER) {
      chunks = [Buffer.concat(chunks)];
      wanted = HEADER + chunks[0].readUInt32BE(0);
    }
    if (held >= wanted) {
      const all = Buffer.concat(chunks);
      await answer(socket, all.subarray(0, HEADER), all.subarray(HEADER, wanted));
      chunks = [];
      held = 0;
      wanted = Infinity;
    }
  }
});
server.listen(0, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${server.address().port}`));
