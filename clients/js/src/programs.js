// The programs that a release carries, in a package of their own for each platform.

import { createRequire } from "node:module";

/** The path of `imgsrv` or `imgcli` for this platform, if its package is installed. @param {string} name */
export function carriedProgram(name) {
  try {
    return createRequire(import.meta.url).resolve(`imgsrv-${process.platform}-${process.arch}/bin/${name}`);
  } catch {
    return undefined;
  }
}
