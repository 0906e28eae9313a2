// Sources that the server keeps for minutes, so that a change of settings does not send the picture again.
import { Refused, post } from "./api.js";
import { server } from "./options.js";

/** Posts a request about an item's source: by the id that the server gave it, or with the bytes. */
export async function sendFrom(item, path, { keepsSource = false, headers = {}, ...rest }) {
  if (server.sources && keepsSource) {
    try {
      const id = await sourceOf(item, rest);
      if (id) return await post(path, null, { ...rest, headers: { ...headers, "X-Source": id } });
    } catch (error) {
      const isForgotten = error instanceof Refused && (error.status === 404 || error.status === 410);
      if (!isForgotten) throw error;
      item.source = null;
    }
  }
  return post(path, item.file, { ...rest, headers });
}

/** The id of an item's source on the server; null if the server has no room for it. */
async function sourceOf(item, rest) {
  if (item.source) return item.source;
  try {
    const { blob } = await post("sources", item.file, rest);
    item.source = JSON.parse(await blob.text()).source;
  } catch (error) {
    if (error instanceof Refused && (error.status === 503 || error.status === 413)) return null;
    throw error;
  }
  return item.source;
}
