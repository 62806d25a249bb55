// The page as a whole: which panels there are, which one is open, light and dark.

import { offered } from "/studio/api.js";
import * as compress from "/studio/compress.js";
import { $, make, say } from "/studio/dom.js";
import * as explain from "/studio/explain.js";
import * as faces from "/studio/faces.js";
import * as generate from "/studio/generate.js";
import { listen, onPicture, picture } from "/studio/picture.js";
import * as restore from "/studio/restore.js";

const ALL = { restore, compress, explain, generate, faces };
const started = {};
let open = null;

function choose(name) {
  open = name;
  for (const tab of $("#tabs").children) {
    const own = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(own));
    tab.tabIndex = own ? 0 : -1;
  }
  refresh();
  say(null);
}

function refresh() {
  const needs = ALL[open].wantsPicture;
  const empty = needs && !picture.blob;
  for (const name of Object.keys(started)) $(`#${name}`).hidden = name !== open || empty;
  $("#drop").hidden = !empty;
  $("#given").hidden = !needs || !picture.blob;
  if (!empty) started[open]?.opened?.();
}

function theme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = (name) => {
    document.documentElement.dataset.theme = name;
    $("#theme").textContent = name === "dark" ? "Light" : "Dark";
    $("#theme").setAttribute("aria-label", name === "dark" ? "Light colours" : "Dark colours");
  };
  const system = () => (dark.matches ? "dark" : "light");
  apply(localStorage.getItem("unpool-theme") ?? system());
  dark.addEventListener("change", () => localStorage.getItem("unpool-theme") ?? apply(system()));
  $("#theme").addEventListener("click", () => {
    const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("unpool-theme", name);
    apply(name);
  });
}

async function begin() {
  theme();
  $("#message button").addEventListener("click", () => say(null));
  const paths = await offered();
  const there = Object.entries(ALL).filter(([, panel]) => paths.includes(panel.path));
  for (const [name] of Object.entries(ALL)) if (!there.some(([one]) => one === name)) $(`#${name}`).remove();
  for (const [name, panel] of there) {
    const tab = make("button", { type: "button", role: "tab", id: `tab-${name}`, textContent: panel.title });
    tab.setAttribute("aria-controls", name);
    tab.addEventListener("click", () => choose(name));
    $(`#${name}`).setAttribute("aria-labelledby", tab.id);
    $("#tabs").append(tab);
  }
  $("#tabs").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const names = there.map(([name]) => name);
    const next = names[(names.indexOf(open) + step + names.length) % names.length];
    choose(next);
    $(`#tab-${next}`).focus();
  });
  listen();
  for (const [name, panel] of there) started[name] = (await panel.start($(`#${name}`), paths)) ?? {};
  onPicture(refresh);
  choose(there[0][0]);
  document.documentElement.dataset.ready = "yes";
}

begin().catch(say);
