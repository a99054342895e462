// The two lanes of a race. Everything is written with textContent: no answer can become markup.
// `element`, `props` and `watch` come from gr.HTML (js_on_load).
const NAMES = ["plain", "speculative"];
const lanes = Object.fromEntries(
  NAMES.map((name) => {
    const root = element.querySelector(`[data-lane="${name}"]`);
    return [name, {
      root,
      text: root.querySelector(".sc-lane-text"),
      clock: root.querySelector(".sc-lane-clock"),
      bar: root.querySelector(".sc-lane-bar > span"),
      shown: 0,
    }];
  }),
);
const board = element.querySelector(".sc-race");
const replayButton = element.querySelector("[data-replay]");
const skipButton = element.querySelector("[data-skip]");
const speedMenu = element.querySelector("[data-speed]");
const marksBox = element.querySelector("[data-marks]");
const paceWords = element.querySelector("[data-pace]");
const legend = element.querySelector("#sc-race-legend");
const lettersBox = element.querySelector("[data-letters]");
// A race of 0.1 s is over before it is seen; to be followed it is shown slower, at most for so long.
const EYE_MS = 4000;
const SLOWER = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 500];
let frame = 0;
let run = "";
const races = new Map(); // those of this visit that have ended, by their run

function clear(lane) {
  lane.text.replaceChildren();
  lane.shown = 0;
}

function append(lane, [text, source, label, , , letter]) {
  const node = document.createElement("span");
  node.textContent = text;
  if (source !== "target") {
    node.className = `sc-src sc-src-${source}`;
    node.title = label;
    node.dataset.letter = letter;
  }
  lane.text.append(node);
}

function draw(name, recorded, now, scale) {
  const lane = lanes[name];
  const pieces = recorded.pieces;
  if (lane.shown > pieces.length) clear(lane);
  const due = () => lane.shown < pieces.length && pieces[lane.shown][3] <= now;
  if (due()) {
    const { scrollTop, clientHeight, scrollHeight } = lane.text;
    while (due()) {
      append(lane, pieces[lane.shown]);
      lane.shown += 1;
    }
    const atEnd = scrollTop + clientHeight >= scrollHeight - 8; // who has scrolled up reads there
    if (atEnd) lane.text.scrollTop = lane.text.scrollHeight;
  }
  const count = lane.shown ? pieces[lane.shown - 1][4] : 0;
  const end = recorded.total_ms;
  const finished = recorded.state === "done" && now >= end;
  const elapsed = Math.min(now, end);
  lane.root.dataset.state = finished ? "done" : recorded.state === "waiting" ? "waiting" : "running";
  lane.bar.style.width = `${scale > 0 ? Math.min(100, (100 * elapsed) / scale) : 0}%`;
  const tokens = finished ? recorded.tokens : count;
  lane.clock.textContent = recorded.state === "waiting"
    ? "waiting"
    : `${(elapsed / 1000).toFixed(2)} s · ${tokens} ${tokens === 1 ? "token" : "tokens"}${finished ? " · done" : ""}`;
}

// Who gave the words: only those that occur in this answer.
function nameSources(value) {
  const sources = value.phase === "done" && value.about ? value.about.sources : [];
  legend.hidden = !sources.length;
  legend.replaceChildren(...sources.map(([key, label, letter, tokens]) => {
    const entry = document.createElement("span");
    const mark = document.createElement("span");
    const name = document.createElement("span");
    entry.className = "sc-legend-entry";
    mark.className = `sc-src sc-src-${key}`;
    mark.textContent = letter;
    name.textContent = label;
    entry.append(mark, " ", name, ` ${tokens}`);
    return entry;
  }));
}

function scaleOf(value) {
  return Math.max(...NAMES.map((name) => value.lanes[name].total_ms), 1);
}

// While the arms are measured nothing of the race is told: the replay is the only show.
function measure(value) {
  for (const name of NAMES) {
    clear(lanes[name]);
    const { state } = value.lanes[name];
    lanes[name].root.dataset.state = state;
    lanes[name].bar.style.width = "0";
    lanes[name].clock.textContent = { waiting: "waiting", running: "measuring…", done: "measured" }[state];
  }
}

function showAll(value) {
  for (const name of NAMES) draw(name, value.lanes[name], Infinity, scaleOf(value));
}

// Milliseconds of the race shown in one of the watch.
function paceOf(value) {
  if (speedMenu.value !== "auto") return Number(speedMenu.value);
  return 1 / SLOWER.findLast((slower) => slower === 1 || slower * scaleOf(value) <= EYE_MS);
}

function sayPace(pace) {
  paceWords.textContent = pace < 1
    ? `Shown ${Math.round(1 / pace)} times slower than it was. The clocks count real time.`
    : "";
}

function replay(value) {
  cancelAnimationFrame(frame);
  NAMES.forEach((name) => clear(lanes[name]));
  const scale = scaleOf(value);
  sayPace(paceOf(value));
  let last = performance.now();
  let position = 0;
  board.dataset.phase = "replaying";
  const tick = (time) => {
    position += Math.max(0, time - last) * paceOf(value);
    last = time;
    for (const name of NAMES) draw(name, value.lanes[name], position, scale);
    if (position < scale) frame = requestAnimationFrame(tick);
    else ended();
  };
  skipButton.hidden = false;
  frame = requestAnimationFrame(tick);
}

function ended() {
  cancelAnimationFrame(frame);
  skipButton.hidden = true;
  board.dataset.phase = "replayed";
}

function update() {
  const value = props.value;
  if (!value || !value.lanes) return;
  cancelAnimationFrame(frame);
  if (value.run !== run) NAMES.forEach((name) => clear(lanes[name]));
  const fresh = value.run !== run || board.dataset.phase === "live";
  run = value.run;
  nameSources(value);
  for (const each of [value, ...(value.earlier ?? [])]) {
    if (each.phase === "done") races.set(each.run, each);
  }
  replayButton.disabled = value.phase !== "done";
  skipButton.hidden = true;
  speedMenu.disabled = value.phase !== "done";
  sayPace(1);
  if (value.phase !== "done") {
    board.dataset.phase = value.phase;
    if (value.phase === "live") {
      measure(value);
      board.querySelector(".sc-lanes").scrollIntoView({ block: "nearest" });
    } else showAll(value);
  } else if (fresh && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
    replay(value);
  } else {
    showAll(value);
    NAMES.forEach((name) => { lanes[name].text.scrollTop = 0; });
    board.dataset.phase = "replayed";
  }
}

// A row of the set shows its race again.
document.addEventListener("click", (event) => {
  const again = races.get(event.target.closest?.("#sc-race-results [data-run]")?.dataset.run);
  if (!again) return;
  if (again.run === run) replay(again);
  else {
    props.value = again;
    [update, updateSteps, updateTimeline, updateShare].forEach((each) => each()); // only the server's values are watched
  }
  board.scrollIntoView({ block: "nearest" });
});
skipButton.addEventListener("click", () => {
  showAll(props.value);
  ended();
});
replayButton.addEventListener("click", () => {
  if (props.value && props.value.phase === "done") replay(props.value);
});
speedMenu.addEventListener("change", () => {
  if (board.dataset.phase === "replaying") sayPace(paceOf(props.value));
});
marksBox.addEventListener("change", () => {
  board.classList.toggle("sc-unmarked", !marksBox.checked);
});
lettersBox.addEventListener("change", () => {
  board.classList.toggle("sc-lettered", lettersBox.checked);
});
watch("value", update);
update();
