// Pass by pass: the draft tree of one verification as columns of depth, the accepted path marked.
const SVG = "http://www.w3.org/2000/svg";
const [COLUMN, LINE, BOX_W, BOX_H] = [144, 36, 124, 28];
const stepsControls = element.querySelector(".sc-steps-controls");
const stepAt = element.querySelector("[data-step-at]");
const stepWords = element.querySelector(".sc-steps-words");
const stepTree = element.querySelector(".sc-steps-tree");
const LETTERS = { mlp: "M", ngram: "N", suffix: "S", draft: "D", records: "R", medusa: "H", eagle3: "E" };
let steps = [];

function svg(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function visible(text) {
  const shown = text.replace(/\n/g, "⏎").replace(/^ /, "·");
  return shown.length > 11 ? `${shown.slice(0, 10)}…` : shown || "∅";
}

// Rows: a leaf takes the next free one, a parent stands with its first child.
function placed(nodes) {
  const children = new Map([[-1, []]]);
  nodes.forEach((_, i) => children.set(i, []));
  nodes.forEach(([, parent], i) => children.get(parent).push(i));
  const accepted = (i) => (nodes[i][4] ? 0 : 1);
  const places = new Map();
  let row = 0;
  const place = (i, depth) => {
    const below = children.get(i).sort((a, b) => accepted(a) - accepted(b));
    if (!below.length) places.set(i, { depth, row: row++ });
    else {
      below.forEach((child) => place(child, depth + 1));
      places.set(i, { depth, row: places.get(below[0]).row });
    }
  };
  place(-1, 0);
  return { places, rows: row };
}

function box(place, text, kind, key, letter, title) {
  const group = svg("g", { class: `sc-node sc-node-${kind} sc-node-${key}`, transform: `translate(${place.depth * COLUMN}, ${place.row * LINE + 4})` });
  group.append(svg("title", {}, title));
  group.append(svg("rect", { width: BOX_W, height: BOX_H, rx: kind === "own" ? 3 : 14 }));
  group.append(svg("text", { x: 10, y: 19, class: "sc-node-mark" }, kind === "rejected" ? "✗" : "✓"));
  group.append(svg("text", { x: 26, y: 19 }, visible(text)));
  if (letter) group.append(svg("text", { x: BOX_W - 9, y: 19, class: "sc-node-letter", "text-anchor": "end" }, letter));
  return group;
}

function link(from, to, taken) {
  const [x1, y1] = [from.depth * COLUMN + (from.depth ? BOX_W : 20), from.row * LINE + 4 + BOX_H / 2];
  const [x2, y2] = [to.depth * COLUMN, to.row * LINE + 4 + BOX_H / 2];
  const middle = (x1 + x2) / 2;
  return svg("path", { d: `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`, class: taken ? "sc-link sc-link-taken" : "sc-link" });
}

function tree(step) {
  const { places, rows } = placed(step.nodes);
  const path = step.nodes.map((node, i) => [node, i]).filter(([node]) => node[4]).map(([, i]) => i);
  const end = places.get(path.length ? path[path.length - 1] : -1);
  const clash = step.nodes.some((_, i) => places.get(i).depth === end.depth + 1 && places.get(i).row === end.row);
  const own = step.own === null ? null : { depth: end.depth + 1, row: clash ? rows : end.row };
  const columns = 1 + Math.max(end.depth + 1, ...[...places.values()].map((place) => place.depth));
  const [width, height] = [columns * COLUMN, (rows + (own && clash ? 1 : 0)) * LINE];
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words(step) });
  step.nodes.forEach(([, parent, , , accepted], i) => picture.append(link(places.get(parent), places.get(i), accepted)));
  if (own) picture.append(link(end, own, true));
  const root = places.get(-1);
  picture.append(svg("circle", { cx: 12, cy: root.row * LINE + 4 + BOX_H / 2, r: 8, class: "sc-root" }));
  step.nodes.forEach(([text, , key, label, accepted], i) => {
    const said = `${label}: ${accepted ? "accepted" : "rejected"}`;
    picture.append(box(places.get(i), text, accepted ? "accepted" : "rejected", key, LETTERS[key] || label[0].toUpperCase(), said));
  });
  if (own) picture.append(box(own, step.own, "own", "target", "T", "target model: its own token"));
  return picture;
}
function words(step) {
  const taken = step.nodes.filter((node) => node[4]).length;
  const gained = taken + (step.own === null ? 0 : 1);
  const tokens = gained === 1 ? "1 token" : `${gained} tokens`;
  if (!step.nodes.length) return `Nothing was drafted: ${tokens} in one pass.`;
  return `${step.nodes.length} drafted, ${taken} accepted: ${tokens} in one pass.`;
}

function showStep() {
  const index = Number(stepAt.value);
  const step = steps[index];
  if (!step) return;
  const at = Math.round(step.at_ms);
  const reading = steps[0].nodes.length ? 0 : 1; // what is counted elsewhere are the passes behind it
  stepWords.textContent = index < reading
    ? `The question is read, after ${at} ms. ${words(step)}`
    : `Pass ${index + 1 - reading} of ${steps.length - reading}, after ${at} ms. ${words(step)}`;
  stepTree.replaceChildren(tree(step));
  stepTree.hidden = false;
}

function updateSteps() {
  steps = (props.value && props.value.steps) || [];
  const any = steps.length > 0;
  stepsControls.hidden = !any;
  if (!any) {
    stepTree.hidden = true;
    stepWords.textContent = stepWords.dataset.idle;
    return;
  }
  stepAt.max = String(steps.length - 1);
  const fullest = steps.reduce((best, step, i) => {
    const taken = step.nodes.filter((node) => node[4]).length;
    const worth = taken && taken < step.nodes.length ? taken + 100 : taken;
    return worth > best.taken ? { taken: worth, i } : best;
  }, { taken: -1, i: 0 });
  stepAt.value = String(fullest.i); // the one that gained most in spite of wrong drafts says most
  showStep();
}

function moveStep(by) {
  stepAt.value = String(Number(stepAt.value) + by);
  showStep();
}

stepAt.addEventListener("input", showStep);
element.querySelector("[data-step-back]").addEventListener("click", () => moveStep(-1));
element.querySelector("[data-step-next]").addEventListener("click", () => moveStep(1));
watch("value", updateSteps);
updateSteps();
