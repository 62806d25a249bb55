// The one picture that all panels work on: chosen, dropped or pasted.

import { call } from "/studio/api.js";
import { $, bytes, say, show } from "/studio/dom.js";

export const picture = { blob: null, bitmap: null, name: "", width: 0, height: 0 };
const listeners = [];
export const onPicture = (listener) => listeners.push(listener);

export async function take(file) {
  say(null);
  try {
    let blob = file;
    if (file.name?.endsWith(".unp")) blob = await (await call("POST", "/v1/decompress", { body: file })).blob();
    const bitmap = await createImageBitmap(blob).catch(() => {
      throw new Error(`This browser cannot show ${file.name || "that"}: give a JPEG, PNG, WebP, AVIF or .unp file.`);
    });
    const name = (file.name || "pasted").replace(/\.\w+$/, "");
    Object.assign(picture, { blob, bitmap, name, width: bitmap.width, height: bitmap.height });
    await show($("#given img"), blob);
    $("#given b").textContent = file.name || "Pasted picture";
    $("#given small").textContent = `${bitmap.width} × ${bitmap.height} · ${bytes(file.size)}`;
    for (const listener of listeners) listener();
  } catch (error) {
    say(error);
  }
}

// A part of the picture, or all of it made smaller, as PNG. Box: left, top, right, bottom, cut at the border.
export async function part(box, most = Infinity) {
  const [left, top] = [Math.max(0, Math.floor(box[0])), Math.max(0, Math.floor(box[1]))];
  const width = Math.min(picture.width, Math.ceil(box[2])) - left;
  const height = Math.min(picture.height, Math.ceil(box[3])) - top;
  const scale = Math.min(1, most / Math.max(width, height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(picture.bitmap, left, top, width, height, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/png" });
}

export function listen() {
  const input = $("#file");
  for (const button of [$("#choose"), $("#another")]) button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files[0]) take(input.files[0]);
    input.value = "";
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("over");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("over");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("over");
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData.files[0]) take(event.clipboardData.files[0]);
  });
}
