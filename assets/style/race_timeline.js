// Tokens over time, both arms from a common start: drawn here, since a library of charts would weigh
// more than the page.
const timeline = element.querySelector(".sc-timeline");
const timelinePicture = element.querySelector("[data-timeline]");
const timelineKeys = element.querySelector("[data-timeline-keys]");
const TALL = 240;
const EDGE = { left: 44, right: 14, top: 8, bottom: 42 };

// Round values from 0 up to `most`, at most so many.
function ticks(most, count) {
  const rough = Math.max(most, 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].find((each) => each * power >= rough) * power);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
}

function moment(ms, most) {
  return most >= 2000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms)} ms`;
}

// A token comes at once: the line is level until then.
function climbing(times, x, y) {
  return times.reduce((path, ms, i) => `${path}H${x(ms)}V${y(i + 1)}`, `M${x(0)} ${y(0)}`);
}

// Where the first token came: a diamond, a circle.
function firstMark(name, x, y) {
  const shared = { class: `sc-first sc-first-${name}` };
  if (name === "speculative") return svg("circle", { ...shared, cx: x, cy: y, r: 5.5 });
  return svg("polygon", { ...shared, points: [x, y - 6, x + 6, y, x, y + 6, x - 6, y] });
}

function curves(arms, width) {
  const longest = Math.max(1, ...NAMES.flatMap((name) => arms[name].times_ms));
  const most = Math.max(1, ...NAMES.map((name) => arms[name].times_ms.length));
  const round = (value) => Math.round(10 * value) / 10;
  const x = (ms) => round(EDGE.left + ((width - EDGE.left - EDGE.right) * ms) / longest);
  const y = (tokens) => round(TALL - EDGE.bottom - ((TALL - EDGE.top - EDGE.bottom) * tokens) / most);
  const picture = svg("svg", { width, height: TALL, viewBox: `0 0 ${width} ${TALL}`, role: "img", "aria-label": inWords(arms) });
  const [axisX, axisY] = [svg("g", { class: "sc-axis" }), svg("g", { class: "sc-axis sc-figures" })];
  for (const ms of ticks(longest, Math.max(2, Math.floor(width / 75)))) {
    axisX.append(svg("path", { d: `M${x(ms)} ${y(0)}V${y(most)}` }));
    axisX.append(svg("text", { x: x(ms), y: y(0) + 16, "text-anchor": "middle" }, moment(ms, longest)));
  }
  for (const tokens of ticks(most, 5)) {
    axisY.append(svg("path", { d: `M${x(0)} ${y(tokens)}H${x(longest)}` }));
    axisY.append(svg("text", { x: x(0) - 6, y: y(tokens) + 4, "text-anchor": "end" }, String(tokens)));
  }
  const middle = x(longest / 2);
  axisX.append(svg("text", { x: middle, y: TALL - 6, "text-anchor": "middle" }, "since the question was sent"));
  picture.append(axisX, axisY);
  for (const name of NAMES) {
    const { times_ms: times } = arms[name];
    picture.append(svg("path", { class: `sc-curve sc-curve-${name}`, d: climbing(times, x, y) }));
    if (!times.length) continue;
    const first = firstMark(name, x(times[0]), y(1));
    first.append(svg("title", {}, `first token after ${moment(times[0], 0)}`));
    picture.append(first);
  }
  return picture;
}

function inWords(arms) {
  const each = NAMES.map((name) => {
    const { times_ms: times, ttft } = arms[name];
    const tokens = times.length === 1 ? "1 token" : `${times.length} tokens`;
    return `${name}: ${tokens}, TTFT ${ttft}, ${moment(times.at(-1) ?? 0, 2000)}`;
  });
  return ["Tokens over time, from a common start", ...each].join(" · ");
}

function keyOf(name, ttft) {
  const entry = document.createElement("span");
  const line = svg("svg", { width: 36, height: 14, "aria-hidden": "true" });
  line.append(svg("line", { class: `sc-curve sc-curve-${name}`, x2: 36, y1: 7, y2: 7 }), firstMark(name, 18, 7));
  const said = document.createElement("span");
  said.textContent = `${name}, TTFT ${ttft}`;
  entry.append(line, said);
  return entry;
}

function updateTimeline() {
  const arms = props.value?.about?.arms;
  timeline.hidden = !arms;
  const width = Math.floor(timelinePicture.clientWidth);
  if (!arms || !width) return; // in a tab that is not shown
  timelinePicture.replaceChildren(curves(arms, width));
  timelineKeys.replaceChildren(...NAMES.map((name) => keyOf(name, arms[name].ttft)));
}

new ResizeObserver(updateTimeline).observe(timelinePicture);
watch("value", updateTimeline);
updateTimeline();
