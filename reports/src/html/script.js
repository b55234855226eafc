"use strict";
(() => {
  // Copy by button.
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const code = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(code.textContent);
      } catch {
        // Not allowed to files in some browsers: select, and use the older command.
        getSelection().selectAllChildren(code);
        document.execCommand("copy");
      }
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  }

  // What is under the pointer, or has the focus, is told under the timeline; the same operation lights up everywhere.
  const detail = document.querySelector(".detail");
  if (!detail) return;
  const hint = () => {
    detail.textContent = detail.dataset.hint;
    detail.classList.add("hint");
  };
  const light = (op) => {
    for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
    if (op === undefined) return;
    for (const g of document.querySelectorAll(`svg [data-op="${op}"]`)) g.classList.add("lit");
  };
  const tell = (event) => {
    const shape = event.target.closest("svg [tabindex]");
    if (shape) {
      detail.textContent = shape.querySelector("title").textContent;
      detail.classList.remove("hint");
    }
    light((shape ?? event.target.closest("td[data-op]"))?.dataset.op);
  };
  document.addEventListener("pointerover", tell);
  document.addEventListener("focusin", tell);
  hint();

  // Arrow keys walk through a drawing, from left to right.
  for (const svg of document.querySelectorAll("svg")) {
    const left = (shape) => shape.getBoundingClientRect().left;
    const shapes = [...svg.querySelectorAll("[tabindex]")].sort((a, b) => left(a) - left(b));
    if (shapes.length && !shapes.some((shape) => shape.getAttribute("tabindex") === "0")) {
      shapes[0].setAttribute("tabindex", "0");
    }
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const at = shapes.indexOf(document.activeElement);
      if (!step || at < 0) return;
      event.preventDefault();
      shapes[Math.min(shapes.length - 1, Math.max(0, at + step))].focus();
    });
  }
})();
