// Explain: what a network saw in the picture; by a click on a place of it, a unit, or a class.

import { call, get, post } from "/studio/api.js";
import { $, latest, make, percent, progress, save, say, show } from "/studio/dom.js";
import { onPicture, picture } from "/studio/picture.js";

export const title = "Explain";
export const path = "/v1/explain";
export const wantsPicture = true;

const NAMES = { "efficientnet-lite0": "EfficientNet-Lite0, everyday things", "explanation/faces-vgg": "VGG, faces of 261 people" };

export async function start(panel) {
  const { models } = await get("/v1/explain/models");
  const [model, layer, method] = [$("#explain-model"), $("#explain-layer"), $("#explain-method")];
  const seen = $("#explain-seen");
  const cell = $(".cell", seen);
  let found = null; // the service's answer about units
  let place = null; // { row, column } under the cursor of the keyboard
  let asked = null; // what is explained: { target, layer, words }
  let fresh = false;
  model.replaceChildren(...models.map(({ name, about }) => make("option", { value: name, title: about }, NAMES[name] ?? name)));
  $("#explain-model-label").hidden = models.length < 2;
  const common = () => ({ model: model.value, align: models.find((one) => one.name === model.value).of_faces || null });
  const grid = () => found?.layers.find((one) => one.name === layer.value);

  const look = latest(async (stale, all, at) => {
    if (!picture.blob) return;
    const end = progress(panel, "Looking");
    try {
      say(null);
      if (all) {
        const answer = await call("POST", "/v1/explain", { body: picture.blob, query: { ...common(), style: "seen" } });
        await show($("img", seen), await answer.blob());
      }
      found = await post("/v1/explain/units", picture.blob, { ...common(), layer: all ? null : layer.value, count: 20, ...at });
      if (stale()) return;
      if (all) settle();
      units(at);
      if (all) explain({ target: found.classes[0].index, words: found.classes[0].name });
    } finally {
      end();
    }
  });

  const explain = latest(async (stale, wanted) => {
    asked = wanted;
    mark();
    const end = progress(panel, "Explaining");
    $("#explain-map").classList.add("busy");
    try {
      say(null);
      const own = wanted.layer !== undefined && method.value === "grad-cam" ? "guided" : method.value;
      const query = { ...common(), method: own, target: wanted.target, layer: wanted.layer };
      const answer = await call("POST", "/v1/explain", { body: picture.blob, query });
      const blob = await answer.blob();
      if (stale()) return;
      await show($("#explain-map img"), blob);
      const how = method.querySelector(`[value=${own}]`).textContent.replace(" (slow)", "");
      const words = `What it saw of ${wanted.words} · ${how}`;
      $("#explain-caption").textContent = $("#explain-map img").alt = words;
      const button = make("button", { type: "button" }, "Save this map");
      button.addEventListener("click", () => save(blob, `${picture.name}-explained.png`));
      $("#explain-save").replaceChildren(button);
      $("#explain-save").hidden = false;
    } finally {
      end();
      $("#explain-map").classList.remove("busy");
    }
  });

  function settle() {
    layer.replaceChildren(
      ...found.layers.map(({ name, units, rows, columns }) =>
        make("option", { value: name, selected: name === found.layer }, `${rows} × ${columns} places, ${units} units`),
      ),
    );
    const buttons = found.classes.map(({ index, name, probability }) => {
      const meter = make("meter", { value: probability, ariaLabel: "probability" });
      const button = make("button", { type: "button" }, make("span", {}, name), make("small", {}, percent(probability)), meter);
      button.dataset.target = index;
      button.addEventListener("click", () => explain({ target: index, words: name }));
      return button;
    });
    $("#explain-classes").replaceChildren(...buttons);
  }

  function units(at) {
    const buttons = found.units.map(({ unit, map }) => {
      const canvas = make("canvas", { width: map[0].length, height: map.length });
      const context = canvas.getContext("2d");
      const values = context.createImageData(map[0].length, map.length);
      map.flat().forEach((value, i) => values.data.set(heat(value / 255), 4 * i));
      context.putImageData(values, 0, 0);
      const button = make("button", { type: "button", ariaLabel: `Unit ${unit}` }, canvas, String(unit));
      button.dataset.target = `channel:${unit}`;
      button.addEventListener("click", () => explain({ target: `channel:${unit}`, layer: layer.value, words: `unit ${unit}` }));
      return button;
    });
    $("#explain-units").replaceChildren(...buttons);
    $("#explain-where").textContent = at ? `at row ${at.row + 1}, column ${at.column + 1}` : "anywhere in the picture";
    mark();
  }

  function mark() {
    for (const button of panel.querySelectorAll("[data-target]"))
      button.setAttribute("aria-pressed", String(asked !== null && button.dataset.target === String(asked.target)));
  }

  function point(row, column) {
    const { rows, columns } = grid();
    place = { row: Math.min(Math.max(row, 0), rows - 1), column: Math.min(Math.max(column, 0), columns - 1) };
    cell.classList.add("on");
    Object.assign(cell.style, {
      top: `${(100 * place.row) / rows}%`, height: `${100 / rows}%`,
      left: `${(100 * place.column) / columns}%`, width: `${100 / columns}%`,
    });
  }

  function ask() {
    explain({ target: `position:${place.row},${place.column}`, layer: layer.value, words: `row ${place.row + 1}, column ${place.column + 1}` });
    look(false, place);
  }

  const under = (event) => {
    const box = seen.getBoundingClientRect();
    const { rows, columns } = grid();
    return [Math.floor((rows * (event.clientY - box.top)) / box.height), Math.floor((columns * (event.clientX - box.left)) / box.width)];
  };
  seen.addEventListener("pointermove", (event) => grid() && point(...under(event)));
  seen.addEventListener("click", (event) => {
    if (!grid()) return;
    if (event.detail) point(...under(event)); // a click of the keyboard has no place of its own
    else if (!place) point(Math.floor(grid().rows / 2), Math.floor(grid().columns / 2));
    ask();
  });
  seen.addEventListener("keydown", (event) => {
    const way = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!way || !grid()) return;
    event.preventDefault();
    const from = place ?? { row: Math.floor(grid().rows / 2), column: Math.floor(grid().columns / 2) };
    point(from.row + way[0], from.column + way[1]);
  });

  layer.addEventListener("change", () => {
    place = null;
    cell.classList.remove("on");
    look(false);
  });
  method.addEventListener("change", () => asked && explain(asked));
  const begin = () => {
    asked = place = null;
    cell.classList.remove("on");
    fresh = false;
    look(true);
  };
  model.addEventListener("change", begin);
  onPicture(() => {
    fresh = true;
    if (!panel.hidden) begin();
  });
  return { opened: () => fresh && begin() };
}

// Black over violet and orange to pale yellow, as the service colours its maps.
const HEAT = [[0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164]];
function heat(value) {
  const place = value * (HEAT.length - 1);
  const low = Math.min(Math.floor(place), HEAT.length - 2);
  return [...HEAT[low].map((from, i) => from + (HEAT[low + 1][i] - from) * (place - low)), 255];
}
