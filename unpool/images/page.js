"use strict";
for (const range of document.querySelectorAll(".slider input")) {
  const move = () => range.parentElement.style.setProperty("--cut", range.value + "%");
  range.addEventListener("input", move);
  move();
}
const light = document.createElement("dialog");
light.className = "light";
light.setAttribute("aria-label", "Enlarged picture");
light.innerHTML = '<form method="dialog"><button aria-label="Close">Close</button></form><img alt=""><p></p>';
document.body.append(light);
light.addEventListener("click", (event) => {
  if (event.target !== light.querySelector("p")) light.close();
});
for (const button of document.querySelectorAll(".enlarge")) {
  button.addEventListener("click", () => {
    const from = button.querySelector("img");
    const to = light.querySelector("img");
    to.src = from.src;
    to.alt = from.alt;
    to.className = from.className;
    to.width = from.width;
    to.style.aspectRatio = from.getAttribute("width") + " / " + from.getAttribute("height");
    light.querySelector("p").textContent = button.parentElement.querySelector("figcaption").innerText;
    light.showModal();
  });
}
if (navigator.clipboard) {
  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.closest(".block").querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  }
}
