// Generate: a sheet of pictures from seeds; the chosen one moves along the generator's directions.

import { call, get } from "/studio/api.js";
import { $, choice, chosen, latest, make, percent, progress, range, save, say, show } from "/studio/dom.js";
import { take } from "/studio/picture.js";

export const title = "Generate";
export const path = "/v1/generate";
export const wantsPicture = false;

const NAMES = { faces: "Faces", fashion: "Clothes" };
const SHEET = 24;
const SLIDERS = 6;
const REACH = 4;

export async function start(panel) {
  const { models } = await get("/v1/generate/models");
  const [label, truncation] = [$("#generate-label"), $("#generate-truncation")];
  let seed = 0;
  let one = null; // { seed, label }
  const known = () => models.find((model) => model.name === chosen($("#generate-model")));
  const amounts = () => [...panel.querySelectorAll("#generate-sliders input")].map((slider) => slider.value);
  const common = () => ({ model: known().name, truncation: truncation.value });

  const sheet = latest(async () => {
    const end = progress(panel, "Generating");
    try {
      const { width, height, classes } = known();
      const first = seed;
      const answer = await call("GET", "/v1/generate", { query: { ...common(), n: SHEET, seed: first, label: label.value } });
      const whole = await createImageBitmap(await answer.blob());
      const across = whole.width / width;
      const buttons = Array.from({ length: SHEET }, (_, i) => {
        const canvas = make("canvas", { width: 4 * width, height: 4 * height });
        const context = canvas.getContext("2d");
        context.imageSmoothingQuality = "high";
        context.drawImage(whole, (i % across) * width, Math.floor(i / across) * height, width, height, 0, 0, 4 * width, 4 * height);
        const kind = classes.length ? (label.value === "" ? (first + i) % classes.length : Number(label.value)) : null;
        const words = kind === null ? `Picture ${first + i}` : `${classes[kind]}, picture ${first + i}`;
        const button = make("button", { type: "button", ariaLabel: words, title: words }, canvas);
        button.dataset.seed = first + i;
        button.addEventListener("click", () => choose({ seed: first + i, label: kind, words }));
        return button;
      });
      $("#generate-sheet").replaceChildren(...buttons);
      mark();
    } finally {
      end();
    }
  });

  const single = latest(async () => {
    const query = { ...common(), seed: one.seed, label: one.label, along: amounts().join(",") };
    const blob = await (await call("GET", "/v1/generate", { query })).blob();
    one.blob = blob;
    await show($("#generate-one > img"), blob);
  });

  function choose(picked) {
    one = picked;
    for (const slider of panel.querySelectorAll("#generate-sliders input")) slider.value = 0;
    $("#generate-one > img").alt = picked.words;
    $("#generate-one").hidden = false;
    $("#generate-one").scrollIntoView({ block: "nearest" });
    mark();
    single();
  }

  function mark() {
    for (const button of panel.querySelectorAll("[data-seed]"))
      button.setAttribute("aria-pressed", String(one !== null && Number(button.dataset.seed) === one.seed));
  }

  function settle() {
    const { classes } = known();
    $("#generate-label-box").hidden = !classes.length;
    label.replaceChildren(make("option", { value: "" }, "all of them"), ...classes.map((name, i) => make("option", { value: i }, name)));
    one = null;
    $("#generate-one").hidden = true;
    sheet();
  }

  choice($("#generate-model"), "generator", models.map(({ name }) => [name, NAMES[name] ?? name]), models[0].name, settle);
  $("#generate-model").closest("fieldset").hidden = models.length < 2;
  label.addEventListener("change", () => {
    one = null;
    $("#generate-one").hidden = true;
    sheet();
  });
  range(truncation, percent, () => (sheet(), one && single()));
  $("#generate-more").addEventListener("click", () => {
    seed = Math.floor(Math.random() * 1e9);
    sheet();
  });

  const sliders = Array.from({ length: SLIDERS }, (_, i) => {
    const slider = make("input", { type: "range", min: -REACH, max: REACH, step: 0.1, value: 0 });
    slider.addEventListener("input", () => single());
    return make("label", { className: "range" }, `Direction ${i + 1}`, slider);
  });
  $("#generate-sliders").replaceChildren(...sliders);
  const act = (words, work) => {
    const button = make("button", { type: "button" }, words);
    button.addEventListener("click", () => Promise.resolve(work()).catch(say));
    return button;
  };
  $("#generate-save").replaceChildren(
    act("Back to the start", () => choose(one)),
    act("Save", () => save(one.blob, `${known().name}-${one.seed}.png`)),
    act("Use in the other panels", () => take(new File([one.blob], `${known().name}-${one.seed}.png`, { type: "image/png" }))),
  );
  let begun = false;
  return {
    opened: () => {
      if (!begun) settle();
      begun = true;
    },
  };
}
