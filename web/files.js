// Where pictures come from: drop anywhere, folders, paste, file dialogs.

const NAMES = /\.(jpe?g|jfif|png|apng|webp|gif|bmp|dib|tiff?|qoi|avif|heic|heif|jxl|ico|tga|p[bgpn]m|dng|cr2|nef|arw)$/i;

/** Returns true for what looks like a picture by type or name; the server decides by content. */
const isPicture = (file) => file.type.startsWith("image/") || NAMES.test(file.name);

/** Hands every batch of `{file, path}` to `add`, and the number of files that are no pictures to `leftOut`. */
export function listen({ add, leftOut, onover }) {
  let depth = 0;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  window.addEventListener("dragenter", (event) => {
    if (hasFiles(event) && ++depth === 1) onover(true);
  });
  window.addEventListener("dragleave", (event) => {
    if (hasFiles(event) && depth > 0 && --depth === 0) onover(false);
  });
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", async (event) => {
    event.preventDefault();
    depth = 0;
    onover(false);
    const items = [...(event.dataTransfer?.items ?? [])].filter((item) => item.kind === "file");
    // Entries are gone after the first await.
    const sources = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
    for (const source of sources) {
      if (source instanceof File) take([{ file: source }]);
      else if (source) await walk(source, "", take, source.isDirectory);
    }
  });
  window.addEventListener("paste", (event) => take([...(event.clipboardData?.files ?? [])].map((file) => ({ file }))));

  function take(found) {
    const pictures = found.filter(({ file }) => isPicture(file));
    if (pictures.length) add(pictures);
    if (pictures.length < found.length) leftOut(found.length - pictures.length);
  }

  /** Takes the files of an <input>, whose paths are known if it chose a folder. */
  return (input) => {
    take([...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
    input.value = "";
  };
}

async function walk(entry, folder, take, isWithin) {
  if (entry.name.startsWith(".") && isWithin && folder) return;
  if (entry.isFile) {
    const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
    if (file) take([{ file, path: folder + entry.name }]);
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // A folder is read in steps of at most a hundred entries.
    const entries = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!entries.length) return;
    for (const child of entries) await walk(child, `${folder}${entry.name}/`, take, true);
  }
}
