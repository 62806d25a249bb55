// Small things that every panel uses: elements, messages, numbers as people read them.

export const $ = (selector, root = document) => root.querySelector(selector);

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function say(error) {
  const box = $("#message");
  if (error?.name === "AbortError") return;
  $("p", box).textContent = error ? error.message || String(error) : "";
  box.hidden = !error;
  if (error) box.scrollIntoView({ block: "nearest" });
}

export const bytes = (count) =>
  count < 1000 ? `${count} B` : count < 1e6 ? `${(count / 1000).toFixed(count < 1e5 ? 1 : 0)} KB` : `${(count / 1e6).toFixed(2)} MB`;
export const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

// Radio buttons as one control; `options` are [value, title, note?].
export function choice(box, name, options, value, changed) {
  box.replaceChildren(
    ...options.map(([own, title, note]) => {
      const radio = make("input", { type: "radio", name, value: own, checked: own === value });
      radio.addEventListener("change", () => changed?.(own));
      return make("label", {}, radio, make("span", {}, title, ...(note ? [make("small", {}, note)] : [])));
    }),
  );
}
export const chosen = (box) => $("input:checked", box)?.value;

// A label with its value shown, as the slider moves.
export function range(input, shown, moved) {
  const output = $("output", input.closest("label"));
  const show = () => (output.textContent = shown(Number(input.value)));
  input.addEventListener("input", () => (show(), moved?.()));
  show();
  return show;
}

// Calls of `work` one at a time; of those that come meanwhile, only the last is kept.
export function latest(work) {
  let busy = false;
  let next = null;
  return async function run(...given) {
    if (busy) {
      next = given;
      return;
    }
    busy = true;
    try {
      await work(() => next !== null, ...given);
    } catch (error) {
      say(error);
    } finally {
      busy = false;
      if (next) {
        const [again] = [next, (next = null)];
        run(...again);
      }
    }
  };
}

// Progress of a panel: seconds as they pass, a share where it is known. Returns what ends it.
export function progress(panel, doing, share = () => null) {
  const box = $(".progress", panel);
  const began = performance.now();
  const show = () => {
    const seconds = (performance.now() - began) / 1000;
    const done = share();
    box.hidden = seconds < 0.25;
    if (done) $("progress", box).value = done;
    else $("progress", box).removeAttribute("value");
    $("small", box).textContent = `${doing}${done ? ` ${percent(done)}` : ""} · ${seconds.toFixed(0)} s`;
  };
  const timer = setInterval(show, 250);
  return () => {
    clearInterval(timer);
    box.hidden = true;
  };
}

export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// An <img> shows a blob; its former picture is let go.
export async function show(image, blob) {
  const before = image.src;
  image.src = URL.createObjectURL(blob);
  image.hidden = false;
  await image.decode();
  if (before.startsWith("blob:")) URL.revokeObjectURL(before);
}
