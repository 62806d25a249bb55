// Two pictures of one thing, one over the other, with a line to slide between them; both can be enlarged and moved.

import { $, make, show } from "/studio/dom.js";

const REACH = 32; // pixels from the line within which a finger takes hold of it
const STEP = 1.5;

export class Viewer {
  constructor(box) {
    this.box = box;
    this.slider = make("input", { type: "range", min: 0, max: 100, step: 1, value: 50, ariaLabel: "Before and after" });
    const layer = (kind) => make("div", { className: `layer ${kind}` }, make("img", { alt: "", draggable: false }));
    const name = (side) => make("span", { className: `name ${side}` });
    const button = (text, label, act) => {
      const made = make("button", { type: "button", textContent: text, ariaLabel: label });
      made.addEventListener("click", act);
      return made;
    };
    this.level = button("Fit", "Show all of it", () => this.enlarge(0));
    const zoom = make("div", { className: "zoom" });
    zoom.append(button("−", "Smaller", () => this.enlarge(1 / STEP)), this.level, button("+", "Larger", () => this.enlarge(STEP)));
    box.append(layer("under"), layer("over"), make("span", { className: "line" }), name("left"), name("right"), this.slider, zoom);
    this.slider.addEventListener("input", () => this.cut(Number(this.slider.value)));
    box.addEventListener("pointerdown", (event) => this.hold(event));
    box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    new ResizeObserver(() => this.place()).observe(box);
  }

  // before and after: blobs; after may be missing. width and height: of the larger of the two.
  async show(before, after, names, width, height) {
    await Promise.all([show($(".under img", this.box), before), show($(".over img", this.box), after ?? before)]);
    const other = this.width !== width || this.height !== height;
    [this.width, this.height] = [width, height];
    this.box.style.aspectRatio = `${width} / ${height}`;
    this.box.classList.toggle("single", !after);
    $(".left", this.box).textContent = names[0];
    $(".right", this.box).textContent = names[1] ?? "";
    $(".under img", this.box).alt = names[0];
    $(".over img", this.box).alt = names[1] ?? "";
    if (other) {
      this.cut(50);
      this.enlarge(0);
    }
  }

  cut(share) {
    this.slider.value = share;
    this.box.style.setProperty("--cut", `${share}%`);
  }

  // How many screen pixels a picture's pixel takes when all of it is shown.
  get fit() {
    return Math.min(this.box.clientWidth / this.width, this.box.clientHeight / this.height) || 1;
  }

  enlarge(times) {
    this.zoom = times ? Math.min(Math.max(this.zoom * times, 1), Math.max(16 / this.fit, 1)) : 1;
    if (this.zoom < 1.02) [this.zoom, this.x, this.y] = [1, 0, 0];
    this.place();
  }

  place() {
    if (!this.width || !this.zoom) return;
    const most = { x: (this.box.clientWidth * (this.zoom - 1)) / 2, y: (this.box.clientHeight * (this.zoom - 1)) / 2 };
    this.x = Math.min(Math.max(this.x, -most.x), most.x);
    this.y = Math.min(Math.max(this.y, -most.y), most.y);
    this.box.style.setProperty("--zoom", this.zoom);
    this.box.style.setProperty("--x", `${this.x}px`);
    this.box.style.setProperty("--y", `${this.y}px`);
    this.box.classList.toggle("zoomed", this.zoom > 1);
    this.level.textContent = this.zoom > 1 ? `${Math.round(100 * this.fit * this.zoom)} %` : "Fit";
  }

  hold(event) {
    if (event.target.closest("button") || event.button) return;
    const box = this.box.getBoundingClientRect();
    const line = (box.width * this.slider.value) / 100;
    const single = this.box.classList.contains("single");
    const pan = this.zoom > 1 && (single || Math.abs(event.clientX - box.left - line) > REACH);
    if (single && !pan) return;
    let last = event;
    const move = (now) => {
      if (pan) {
        this.x += now.clientX - last.clientX;
        this.y += now.clientY - last.clientY;
        this.place();
      } else this.cut(Math.min(Math.max((100 * (now.clientX - box.left)) / box.width, 0), 100));
      last = now;
    };
    const end = () => {
      this.box.removeEventListener("pointermove", move);
      for (const kind of ["pointerup", "pointercancel"]) this.box.removeEventListener(kind, end);
    };
    this.box.setPointerCapture(event.pointerId);
    this.box.addEventListener("pointermove", move);
    for (const kind of ["pointerup", "pointercancel"]) this.box.addEventListener(kind, end);
    if (!pan) move(event);
  }

  wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    this.enlarge(Math.exp(-event.deltaY / 200));
  }
}
