// Restore: larger, cleaner, sharper; before and after under one slider.

import { call, get } from "/studio/api.js";
import { $, bytes, choice, chosen, make, percent, progress, range, save, say } from "/studio/dom.js";
import { onPicture, picture } from "/studio/picture.js";
import { Viewer } from "/studio/viewer.js";

export const title = "Restore";
export const path = "/v1/restore";
export const wantsPicture = true;

const TASKS = {
  auto: ["Whatever is wrong", "looks for noise, JPEG blocks and blur"],
  photo: ["A small, damaged photograph"],
  denoise: ["Noise"],
  jpeg: ["JPEG blocks"],
  deblur: ["Blur"],
  sr: ["Nothing", "only enlarge it"],
};
const ENLARGING = ["sr", "photo"];
const STEPS = { "restoration/denoise": "noise removed", "restoration/jpeg": "JPEG blocks removed", "restoration/deblur": "sharpened" };
const FORMATS = [["PNG", "png"], ["WebP", "webp"], ["JPEG", "jpg"]];

export async function start(panel) {
  const viewer = new Viewer($(".viewer", panel));
  const { tasks } = await get("/v1/restore/tasks");
  const [task, scale] = [$("#restore-task"), $("#restore-scale")];
  const larger = tasks.some((one) => ENLARGING.includes(one));
  const settle = () => {
    const enlarges = ENLARGING.includes(chosen(task));
    const one = $("input[value='1']", scale);
    one.disabled = enlarges;
    if (enlarges && one.checked) $("input[value='4']", scale).checked = true;
    reset();
  };
  const order = Object.keys(TASKS).filter((one) => tasks.includes(one));
  choice(task, "task", order.map((one) => [one, ...TASKS[one]]), "auto", settle);
  choice(scale, "scale", (larger ? [1, 2, 3, 4] : [1]).map((one) => [String(one), one === 1 ? "No" : `× ${one}`]), "1", reset);
  range($("#restore-strength"), (value) => (value ? percent(value) : "faithful"), reset);

  function reset() {
    $("#restore-facts").hidden = $("#restore-save").hidden = true;
  }

  onPicture(() => {
    reset();
    const small = picture.width * picture.height < 700_000;
    if (larger) $(`input[value='${small ? 2 : 1}']`, scale).checked = true;
    viewer.show(picture.blob, null, ["before"], picture.width, picture.height);
  });

  let stopping = null;
  $("#restore-stop").addEventListener("click", () => stopping?.abort());
  $("form", panel).addEventListener("submit", async (event) => {
    event.preventDefault();
    if (stopping) return;
    say(null);
    reset();
    stopping = new AbortController();
    const job = crypto.randomUUID();
    let done = null;
    const asking = setInterval(() => get(`/v1/restore/${job}`).then((found) => (done = found.done), () => {}), 500);
    const end = progress(panel, "Restoring", () => done);
    $("#restore-go").disabled = true;
    $("#restore-stop").hidden = false;
    try {
      const times = Number(chosen(scale));
      const query = { task: chosen(task), scale: times > 1 ? times : null, strength: $("#restore-strength").value, job };
      const given = { ...picture };
      const answer = await call("POST", "/v1/restore", { query, body: given.blob, signal: stopping.signal });
      const blob = await answer.blob();
      if (given.blob === picture.blob) await tell(answer, blob, given, times);
    } catch (error) {
      say(error);
    } finally {
      clearInterval(asking);
      end();
      stopping = null;
      $("#restore-go").disabled = false;
      $("#restore-stop").hidden = true;
    }
  });

  async function tell(answer, blob, given, times) {
    const [width, height] = [given.width * times, given.height * times];
    const steps = (answer.headers.get("X-Unpool-Steps") ?? "").split("; ").filter(Boolean);
    const found = answer.headers.get("X-Unpool-Found");
    await viewer.show(given.blob, steps.length ? blob : null, ["before", "after"], width, height);
    const facts = [
      ...(found ? [["Found", found]] : []),
      ["Done", steps.map((step) => STEPS[step] ?? "enlarged").join(", ") || "nothing: it looks fine"],
      ["Size", `${width} × ${height}`],
    ];
    $("#restore-facts").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
    $("#restore-facts").hidden = false;
    const buttons = FORMATS.map(([label, suffix]) => {
      const button = make("button", { type: "button", ariaLabel: `Save as ${label}` }, label);
      button.addEventListener("click", async () => {
        try {
          save(await converted(blob, suffix), `${given.name}-restored.${suffix}`);
        } catch (error) {
          say(error);
        }
      });
      return button;
    });
    $("#restore-save").replaceChildren(make("b", {}, "Save as"), ...buttons);
    $("#restore-save").title = bytes(blob.size);
    $("#restore-save").hidden = !steps.length;
  }
}

// The restored picture in another format, by the browser.
async function converted(blob, suffix) {
  if (suffix === "png") return blob;
  const bitmap = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  if (suffix === "jpg") {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, bitmap.width, bitmap.height);
  }
  context.drawImage(bitmap, 0, 0);
  return canvas.convertToBlob({ type: suffix === "jpg" ? "image/jpeg" : "image/webp", quality: 0.92 });
}
