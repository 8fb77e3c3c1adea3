// What was dropped or chosen: photos with the names that they have below the dropped folder, and how many other files.

const IMAGE = /\.(png|jpe?g|bmp|tiff?)$/i;
const HEAD = 1024;  // bytes, and the marks below of a PNG and a JPEG, as in radar/runtime/own_pictures.py
const OWN = /tEXtSoftware\0radar |^\uFFFD\uFFFD[^]*\uFFFD\uFFFD\0[^]radar /;

export function chosen(files) {
  return sorted([...files].map((file) => ({ name: file.webkitRelativePath || file.name, file })));
}

export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
  if (!entries.length) return chosen(transfer.files);
  const found = [];
  for (const entry of entries) await below(entry, found);
  return sorted(found);
}

async function below(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ name: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = entry.createReader();
  for (;;) {  // a browser lists a folder in parts
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return;
    for (const each of part) await below(each, found);
  }
}

async function sorted(found) {
  const taken = [];
  for (const each of found) if (isImage(each.name) && !await isDrawn(each)) taken.push(each);
  taken.sort((one, other) => (one.name < other.name ? -1 : 1));
  return { photos: taken, others: found.length - taken.length };
}

function isImage(name) {
  return IMAGE.test(name) && !name.split("/").some((part) => part.startsWith("."));
}

// Whether radar drew it and nobody chose it by itself, outside a folder. What cannot be read is told when it is sent.
async function isDrawn({ name, file }) {
  return name.includes("/") && OWN.test(await file.slice(0, HEAD).text().catch(() => ""));
}
