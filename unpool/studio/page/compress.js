// Compress: a slider over quality; unpool beside JPEG and WebP of the same number of bytes.

import { call } from "/studio/api.js";
import { $, bytes, choice, chosen, latest, make, progress, range, save, say } from "/studio/dom.js";
import { onPicture, part, picture } from "/studio/picture.js";
import { Viewer } from "/studio/viewer.js";

export const title = "Compress";
export const path = "/v1/compress";
export const wantsPicture = true;

const MOST = 1_200_000; // pixels up to which the slider works on the picture itself
const NAMES = { original: "Original", jpeg: "JPEG", webp: "WebP" };

export async function start(panel) {
  const viewer = new Viewer($(".viewer", panel));
  const quality = $("#compress-quality");
  let given = null; // what the slider works on: { blob, width, height, pixels }
  let results = {}; // format -> { blob, shown, psnr } or { why }

  const draw = async () => {
    const beside = chosen($("#compress-beside"));
    const left = beside === "original" ? given.blob : results[beside]?.shown;
    if (!results.unpool || !left) return;
    await viewer.show(left, results.unpool.shown, [NAMES[beside], "unpool"], given.width, given.height);
  };
  choice($("#compress-beside"), "beside", Object.entries(NAMES), "original", () => draw().catch(say));

  const table = () => {
    const rows = [["unpool", "unpool"], ["jpeg", "JPEG"], ["webp", "WebP"]].map(([key, name]) => {
      const found = results[key];
      const head = make("th", { scope: "row" }, name);
      if (!found) return make("tr", {}, head, ...Array.from({ length: 3 }, () => make("td", {}, "…")));
      if (found.why) return make("tr", {}, head, make("td", { className: "why", colSpan: 3 }, found.why));
      const rate = (8 * found.blob.size) / (given.width * given.height);
      const cells = [bytes(found.blob.size), rate.toFixed(2), `${found.psnr.toFixed(1)} dB`];
      return make("tr", {}, head, ...cells.map((text) => make("td", {}, text)));
    });
    $("#compress-rows").replaceChildren(...rows);
  };

  const run = latest(async (stale) => {
    if (!given) return;
    const own = given;
    const end = progress(panel, "Compressing");
    try {
      const blob = await coded(own.blob, { quality: quality.value });
      const shown = await (await call("POST", "/v1/decompress", { body: blob })).blob();
      const psnr = decibels(own.pixels, await pixels(shown));
      if (own !== given) return;
      results = { unpool: { blob, shown, psnr } };
      table();
      await draw();
      for (const codec of ["jpeg", "webp"]) {
        if (stale()) return;
        results[codec] = await peer(own, codec, blob.size);
        table();
        await draw();
      }
    } finally {
      end();
    }
  });

  range(quality, (value) => value, () => run());

  onPicture(async () => {
    try {
      const shrunk = picture.width * picture.height > MOST;
      const side = Math.sqrt((MOST * Math.max(picture.width, picture.height)) / Math.min(picture.width, picture.height));
      const blob = shrunk ? await part([0, 0, picture.width, picture.height], Math.floor(side)) : picture.blob;
      const values = await pixels(blob);
      given = { blob, width: values.width, height: values.height, pixels: values };
      results = {};
      $("#compress-note").hidden = !shrunk;
      $("#compress-note").textContent = `Shown and measured at ${given.width} × ${given.height}, so that the slider stays quick. The file you save holds the whole picture.`;
      table();
      await viewer.show(blob, null, ["original"], given.width, given.height);
      if (!panel.hidden) run();
    } catch (error) {
      say(error);
    }
  });

  $("#compress-save").addEventListener("click", async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    const end = progress(panel, "Compressing");
    try {
      const { blob, name } = picture;
      save(blob === given?.blob && results.unpool ? results.unpool.blob : await coded(blob, { quality: quality.value }), `${name}.unp`);
    } catch (error) {
      say(error);
    } finally {
      end();
      button.disabled = false;
    }
  });

  return { opened: () => given && !results.unpool && run() };
}

const coded = async (body, query) => (await call("POST", "/v1/compress", { body, query })).blob();

async function peer(given, codec, size) {
  try {
    const blob = await coded(given.blob, { codec, size });
    return { blob, shown: blob, psnr: decibels(given.pixels, await pixels(blob)) };
  } catch (error) {
    if (error.status !== 422) throw error;
    const least = error.message.match(/needs (\d+)/);
    return { why: least ? `no smaller than ${bytes(Number(least[1]))}` : error.message };
  }
}

async function pixels(blob) {
  const bitmap = await createImageBitmap(blob);
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

function decibels(a, b) {
  let sum = 0;
  for (let i = 0; i < a.data.length; i += 4)
    for (let c = i; c < i + 3; c++) sum += (a.data[c] - b.data[c]) ** 2;
  return 10 * Math.log10(255 ** 2 / Math.max(sum / (0.75 * a.data.length), 1e-6));
}
