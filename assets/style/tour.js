// The walk-through, for who asks for it: one step at a time, its target outlined. Escape closes it.
const card = element.querySelector("[data-card]");
const opener = element.querySelector("[data-open]");
const steps = [...element.querySelectorAll("[data-step]")];
const [back, next, close] = ["back", "next", "close"].map((name) => element.querySelector(`[data-${name}]`));
let at = 0;

function unmark() {
  document.querySelectorAll(".sc-tour-target").forEach((node) => node.classList.remove("sc-tour-target"));
}

function show(index) {
  at = index;
  unmark();
  steps.forEach((step, i) => { step.hidden = i !== at; });
  document.querySelector(steps[at].dataset.step)?.classList.add("sc-tour-target");
  element.querySelector("[data-count]").textContent = `${at + 1} / ${steps.length}`;
  back.disabled = at === 0;
  next.hidden = at === steps.length - 1;
}

function open() {
  card.hidden = false;
  opener.hidden = true;
  show(0);
}

function end() {
  unmark();
  card.hidden = true;
  opener.hidden = false;
}

back.addEventListener("click", () => show(Math.max(0, at - 1)));
next.addEventListener("click", () => {
  show(Math.min(steps.length - 1, at + 1));
  if (next.hidden) close.focus();
});
close.addEventListener("click", () => { end(); opener.focus(); });
opener.addEventListener("click", () => { open(); next.focus(); });
card.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { end(); opener.focus(); }
});
opener.hidden = false;
