// Finds the sharp that setup.sh installed, and makes it use one thread for a picture and keep no cache.
import { createRequire } from 'node:module';

const sharp = createRequire(`${process.env.PEERS_DIR}/`)('sharp');
sharp.concurrency(1);
sharp.cache(false);
export default sharp;
