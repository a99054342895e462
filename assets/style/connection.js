// When the server is out of reach: a calm notice, what was typed is kept, and the page goes on by
// itself. Gradio reloads the page once a request of its own has failed and the server answers
// again; its toast gives way to the notice, and what was typed outlives the reload.
(() => {
  const EVERY_MS = 5_000, LOST_EVERY_MS = 2_000, PATIENCE_MS = 15_000, BACK_MS = 2_500;
  const KEPT = "specchat-typed";
  const BOXES = ["#sc-question textarea", "#sc-race-question textarea"];
  const STATES = {
    offline: ["You are offline", "Nothing you typed is lost. The page goes on by itself as soon as the network is back."],
    silent: ["The server does not answer", "Nothing you typed is lost. The page goes on by itself as soon as it answers again."],
    back: ["Connected again", ""],
    fine: ["", ""],
  };
  const notice = document.createElement("div");
  let state = "fine";
  let wasLost = false; // a reload that follows is no wish of the customer's
  let stuck = false; // Gradio waits for the server too, and sends nothing before a reload
  let timer = 0;

  function tell(now) {
    if (state === now) return;
    state = now;
    const [title, text] = STATES[now];
    const bold = document.createElement("b");
    const more = document.createElement("span");
    [bold.textContent, more.textContent] = [title, text];
    notice.replaceChildren(...(title ? [bold, more] : []));
    notice.dataset.state = now;
    wasLost ||= lost();
    document.body.classList.toggle("sc-lost", lost() || stuck);
    if (now === "back") setTimeout(() => { if (state === "back") tell("fine"); }, BACK_MS);
  }

  function lost() {
    return state === "offline" || state === "silent";
  }

  // Which run of the server answers; null when none does. A refusal is an answer too.
  async function running() {
    const { root, api_prefix: prefix, app_id: same } = window.gradio_config;
    let answer;
    try {
      answer = await fetch(`${root}${prefix}/app_id`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    } catch {
      return null;
    }
    if (answer.status >= 500) return null;
    try { return (await answer.json()).app_id ?? same; } catch { return same; }
  }

  async function look() {
    clearTimeout(timer);
    if (window.gradio_config && (lost() || !document.hidden)) {
      const now = await running();
      if (now === null) tell(navigator.onLine ? "silent" : "offline");
      else if (now !== window.gradio_config.app_id || stuck) return again();
      else if (lost()) tell("back");
    }
    clearTimeout(timer);
    timer = setTimeout(look, lost() ? LOST_EVERY_MS : EVERY_MS);
    return undefined;
  }

  // Gradio's own word for it, in its toast.
  function overhear() {
    if (stuck || !document.querySelector(".toast-body")?.textContent.includes("server was lost")) return;
    stuck = true;
    tell(navigator.onLine ? "silent" : "offline");
    look();
  }

  function again() {
    keep();
    location.reload();
  }

  function keep() {
    const typed = BOXES.map((box) => document.querySelector(box)?.value || "");
    const asked = document.querySelector("#sc-stop") ? [...document.querySelectorAll("#sc-chat [data-testid=user]")].pop() : null;
    const tabs = [...document.querySelectorAll("[role=tab]")];
    const tab = tabs.findIndex((each) => each.getAttribute("aria-selected") === "true");
    const kept = { typed, asked: asked?.innerText.trim() || "", tab };
    try { sessionStorage.setItem(KEPT, JSON.stringify(kept)); } catch { /* then it is lost after all */ }
  }

  function write(box, text) {
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(box, text);
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }

  // A question that was being answered goes back into the box unless the conversation has it.
  function takeBack(asked) {
    const box = document.querySelector(BOXES[0]);
    if (box.value) return;
    write(box, asked);
    const chat = new MutationObserver(() => {
      const said = [...document.querySelectorAll("#sc-chat [data-testid=user]")].pop();
      if (said?.innerText.trim() !== asked) return;
      if (box.value === asked) write(box, "");
      chat.disconnect();
    });
    chat.observe(document.querySelector("#sc-chat"), { childList: true, subtree: true });
  }

  function restore() {
    const stored = sessionStorage.getItem(KEPT);
    sessionStorage.removeItem(KEPT);
    if (!stored) return;
    const { typed, asked, tab } = JSON.parse(stored);
    const waiting = new Map(BOXES.map((box, i) => [box, typed[i]]).filter(([, text]) => text));
    let [opened, returned] = [tab <= 0, !asked];
    const place = () => {
      const tabs = document.querySelectorAll("[role=tab]");
      if (!opened && tabs[tab]) {
        opened = true;
        tabs[tab].click();
      }
      for (const [box, text] of waiting) {
        const found = document.querySelector(box);
        if (!found) continue;
        waiting.delete(box);
        if (!found.value) write(found, text);
      }
      if (!returned && document.querySelector(BOXES[0]) && document.querySelector("#sc-chat")) {
        returned = true;
        takeBack(asked);
      }
      if (opened && returned && !waiting.size) watcher.disconnect();
    };
    const watcher = new MutationObserver(place);
    watcher.observe(document.body, { childList: true, subtree: true });
    place();
  }

  function start() {
    notice.className = "sc-connection";
    notice.setAttribute("role", "status");
    notice.setAttribute("aria-live", "polite");
    document.body.append(notice);
    new MutationObserver(overhear).observe(document.body, { childList: true, subtree: true });
    for (const event of ["online", "offline", "visibilitychange"]) addEventListener(event, look, true);
    addEventListener("pagehide", () => { if (wasLost) keep(); });
    try { restore(); } catch { /* a browser that keeps nothing gives nothing back */ }
    timer = setTimeout(look, EVERY_MS);
  }

  if (document.body) start();
  else addEventListener("DOMContentLoaded", start);
})();
