// A finished race as a link, an image and a file. All of it is made here in the browser.
const share = element.querySelector(".sc-share");
const address = element.querySelector("[data-share-address]");
const shareSaid = element.querySelector("[data-share-said]");

function linkOf(about) {
  const { settings } = about;
  const query = new URLSearchParams({
    race: about.question, temperature: settings.temperature, max_tokens: settings.max_tokens, seed: settings.seed,
  });
  if (settings.speculators) query.set("speculators", settings.speculators.join(","));
  if (settings.nodes !== null) query.set("nodes", settings.nodes);
  return `${location.origin}${location.pathname}?${query}`;
}

async function copyLink() {
  address.value = linkOf(props.value.about);
  address.hidden = false;
  address.select();
  try {
    await navigator.clipboard.writeText(address.value);
    shareSaid.textContent = "Link copied";
  } catch { // without permission the marked link can still be copied by hand
    shareSaid.textContent = "Copy the marked link";
  }
}

function save(blob, ending) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = `specchat-race.${ending}`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
  shareSaid.textContent = "Saved";
}

function saveJson() {
  const { about, lanes: drawn, steps: passes } = props.value;
  const file = { ...about, link: linkOf(about), lanes: drawn, passes };
  save(new Blob([JSON.stringify(file, null, 1)], { type: "application/json" }), "json");
}

function lines(pen, text, width) {
  const found = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line ? `${line} ${word}` : word;
    if (line && pen.measureText(longer).width > width) {
      found.push(line);
      line = word;
    } else line = longer;
  }
  return [...found, line];
}

function saveImage() {
  const { about, lanes: drawn } = props.value;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [1200, 630];
  const pen = canvas.getContext("2d");
  const font = "Segoe UI, Roboto, Helvetica Neue, Arial, sans-serif";
  let y = 72;
  const write = (text, size, colour, weight = "400") => {
    pen.font = `${weight} ${size}px ${font}`;
    pen.fillStyle = colour;
    for (const line of lines(pen, text, 1080)) {
      pen.fillText(line, 60, y);
      y += size * 1.35;
    }
  };
  pen.fillStyle = "#ffffff";
  pen.fillRect(0, 0, 1200, 630);
  pen.fillStyle = "#0072b2";
  pen.fillRect(0, 0, 1200, 14);
  write("specchat", 26, "#005d91", "700");
  y += 16;
  write(specchat.say(about.headline), 50, "#141c27", "700");
  write(`“${about.question.slice(0, 140)}”`, 26, "#374352");
  y += 12;
  const scale = Math.max(drawn.plain.total_ms, drawn.speculative.total_ms, 1);
  for (const [name, colour] of [["plain", "#e69f00"], ["speculative", "#0072b2"]]) {
    const lane = drawn[name];
    write(specchat.say(`${name}: ${(lane.total_ms / 1000).toFixed(2)} s, ${lane.tokens} tokens`), 24, "#141c27", "600");
    pen.fillStyle = "#ebeff3";
    pen.fillRect(60, y - 20, 1080, 26);
    pen.fillStyle = colour;
    pen.fillRect(60, y - 20, (1080 * lane.total_ms) / scale, 26);
    y += 42;
  }
  write(specchat.say(about.numbers), 20, "#4b596b");
  write(specchat.say(about.provenance), 20, "#4b596b");
  canvas.toBlob((blob) => save(blob, "png"), "image/png");
}

function updateShare() {
  share.hidden = !(props.value && props.value.about);
  address.hidden = true;
  shareSaid.textContent = "";
}

element.querySelector("[data-share-link]").addEventListener("click", copyLink);
element.querySelector("[data-share-image]").addEventListener("click", saveImage);
element.querySelector("[data-share-json]").addEventListener("click", saveJson);
watch("value", updateShare);
updateShare();
