// Faces: boxes and names; remember by a click; two faces side by side with what made them resemble each other.

import { call, get, post } from "/studio/api.js";
import { $, latest, make, percent, progress, say } from "/studio/dom.js";
import { onPicture, part, picture } from "/studio/picture.js";

export const title = "Faces";
export const path = "/v1/faces/detect";
export const wantsPicture = true;

const GALLERY = "/v1/galleries/people";
const AROUND = 0.5; // of a face's size, on each side, when it is cut out

export async function start(panel, paths) {
  const gallery = paths.some((one) => one.startsWith("/v1/galleries"));
  let faces = [];
  let selected = null;
  let first = null; // the face that waits for another to be compared with: { blob }
  let fresh = false;
  $("#faces-people").closest("fieldset").hidden = $("#faces-name").closest("label").hidden = !gallery;
  $("#faces-enrol").hidden = !gallery;

  const people = async () => {
    const known = gallery && (await get("/v1/galleries")).galleries.includes("people");
    return known ? (await get(`${GALLERY}/people`)).people : [];
  };

  const look = latest(async () => {
    const known = await people();
    list(known);
    if (!picture.blob) return;
    const end = progress(panel, "Looking for faces");
    $("#faces-count").textContent = "";
    try {
      const { faces: found } = await post(known.length ? `${GALLERY}/identify` : "/v1/faces/detect", picture.blob);
      faces = found.filter((face) => face.box);
      boxes();
    } finally {
      end();
    }
  });

  function boxes() {
    for (const old of panel.querySelectorAll(".face")) old.remove();
    faces.forEach((face, number) => {
      const [left, top, right, bottom] = face.box;
      const words = face.name ?? (face.reason ? "too poor to tell" : "unknown");
      const button = make("button", { type: "button", className: face.reason ? "face unsure" : "face" }, make("span", {}, words));
      button.setAttribute("aria-label", `Face ${number + 1}: ${words}`);
      button.setAttribute("aria-pressed", "false");
      Object.assign(button.style, {
        left: `${(100 * left) / picture.width}%`, top: `${(100 * top) / picture.height}%`,
        width: `${(100 * (right - left)) / picture.width}%`, height: `${(100 * (bottom - top)) / picture.height}%`,
      });
      button.addEventListener("click", () => select(number));
      $("#faces-picture").append(button);
    });
    const many = faces.length === 1 ? "One face." : `${faces.length} faces.`;
    $("#faces-count").textContent = faces.length ? `${many} Click on one to name or compare it.` : "No face was found in this picture.";
    select(faces.length === 1 ? 0 : null);
  }

  function select(number) {
    selected = number === null ? null : faces[number];
    panel.querySelectorAll(".face").forEach((button, i) => button.setAttribute("aria-pressed", String(i === number)));
    $("#faces-chosen").hidden = selected === null;
    if (selected === null) return;
    const { name, nearest, probability, quality, reason, box } = selected;
    const facts = [
      ["Size", `${Math.round(box[2] - box[0])} × ${Math.round(box[3] - box[1])}`],
      ...(quality === undefined ? [] : [["Quality", percent(quality)]]),
      ...(name ? [["This is", name], ["Probability", percent(probability)]] : []),
      ...(!name && nearest ? [["Nearest", `${nearest.name}, ${percent(probability)}`]] : []),
      ...(reason ? [["Note", reason]] : []),
    ];
    $("#faces-chosen dl").replaceChildren(...facts.flatMap(([word, value]) => [make("dt", {}, word), make("dd", {}, value)]));
    $("#faces-name").value = name ?? "";
    $("#faces-compare").textContent = first ? "Compare with the first" : "Compare";
  }

  function cut(face) {
    const [left, top, right, bottom] = face.box;
    const more = AROUND * Math.max(right - left, bottom - top);
    return part([left - more, top - more, right + more, bottom + more], 800);
  }

  function list(known) {
    const rows = known.map(({ name }) => {
      const forget = make("button", { type: "button", className: "quiet", ariaLabel: `Forget ${name}` }, "Forget");
      forget.addEventListener("click", () => act("Forgetting", () => call("DELETE", `${GALLERY}/people/${encodeURIComponent(name)}`)));
      return make("li", {}, make("span", {}, name), forget);
    });
    $("#faces-people").replaceChildren(...(rows.length ? rows : [make("li", { className: "note" }, "Nobody yet. Choose a face and give it a name.")]));
  }

  async function act(doing, work) {
    say(null);
    const end = progress(panel, doing);
    try {
      await work();
      await look();
    } catch (error) {
      say(error);
    } finally {
      end();
    }
  }

  $("form", panel).addEventListener("submit", (event) => {
    event.preventDefault();
    const name = $("#faces-name").value.trim();
    if (!selected || !gallery) return;
    if (!name) {
      say(new Error("Give the face a name first."));
      $("#faces-name").focus();
      return;
    }
    act("Remembering", async () => call("POST", `${GALLERY}/people/${encodeURIComponent(name)}`, { body: await cut(selected) }));
  });

  $("#faces-compare").addEventListener("click", async () => {
    say(null);
    try {
      const blob = await cut(selected);
      if (first) await compare(first, blob);
      else {
        first = blob;
        const again = make("button", { type: "button" }, "Stop");
        again.addEventListener("click", clear);
        const picked = make("img", { alt: "The first face", src: URL.createObjectURL(blob) });
        twins([make("p", {}, "Now choose the other face, here or in another picture, and compare it with this one.")], [[picked, "first"]], again);
        select(faces.indexOf(selected));
      }
    } catch (error) {
      say(error);
    }
  });

  function clear() {
    first = null;
    $("#faces-two").hidden = true;
    if (selected) select(faces.indexOf(selected));
  }

  async function compare(one, other) {
    const end = progress(panel, "Comparing");
    try {
      const body = JSON.stringify({ first: await base64(one), second: await base64(other) });
      const found = await post("/v1/faces/verify", body, { explain: true });
      const words = found.reason
        ? `No answer: ${found.reason}.`
        : found.same ? "These are one person." : "These are not shown to be one person.";
      const verdict = make("p", { className: found.same ? "verdict yes" : "verdict" }, words);
      const numbers = make("p", { className: "note" }, `Similarity ${found.similarity.toFixed(2)}, and one person from ${found.threshold.toFixed(2)} on. Probability ${percent(found.probability)}, if both answers were equally likely before.`);
      const image = (data, alt) => make("img", { alt, src: `data:image/png;base64,${data}` });
      const again = make("button", { type: "button" }, "Compare others");
      again.addEventListener("click", clear);
      const figures = [
        [image(found.first.crop, "The first face, aligned"), "first, aligned"],
        [image(found.first.likeness, "Likeness in the first face"), "why: likeness in the first"],
        [image(found.second.crop, "The second face, aligned"), "second, aligned"],
        [image(found.second.likeness, "Likeness in the second face"), "why: likeness in the second"],
      ];
      twins([verdict, numbers], figures, again);
    } finally {
      end();
    }
  }

  function twins(words, figures, button) {
    const box = $("#faces-two");
    const shown = figures.map(([image, text]) => make("figure", {}, image, make("figcaption", {}, text)));
    box.replaceChildren(...words, make("div", { className: "twins" }, ...shown), make("div", { className: "actions" }, button));
    box.hidden = false;
    box.scrollIntoView({ block: "nearest" });
  }

  const begin = () => {
    fresh = false;
    look();
  };
  onPicture(() => {
    faces = [];
    boxes();
    $("#faces-count").textContent = "";
    $("#faces-picture > img").src = $("#given img").src;
    fresh = true;
    if (!panel.hidden) begin();
  });
  return { opened: () => (fresh ? begin() : people().then(list, say)) };
}

function base64(blob) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(blob);
  });
}
