// The interface in English or German. Texts are replaced where they stand and kept, so that the
// choice can be taken back; what people and the model say is left alone. Other scripts of the page
// use `specchat.say` for what they draw themselves and `specchat.chosen` to hear of a change.
window.specchat = (() => {
  const { usual } = LANGUAGE;
  const LEFT_ALONE = "script, style, code, textarea, .api-docs, .js-plotly-plot, .sc-lane-text, .sc-node text, .sc-marked, "
    + "#sc-chat [data-testid=user], #sc-conversations .wrap label, .sc-said, .sc-quoted";
  const OURS = ".title, .sc-card, .sc-sources, .sc-evidence, .sc-colleague > b, em"; // inside an answer
  const NAMES = ["aria-label", "placeholder", "title"];
  const MENU = "input[role=combobox][readonly]";
  const KEY = "specchat-language";
  const VALUE = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
  const kept = new WeakMap(); // text node or element -> what was there and what stands there now
  const menus = new WeakMap(); // the box of a menu -> what draws its choice
  const listeners = [];
  let language = "en"; // of the page
  let wanted = "en"; // until its dictionary is there

  // A text in the chosen language, with the space around it as it was; `element` is what shows it.
  function say(text, element) {
    const [, before, core, after] = /^(\s*)([\s\S]*?)(\s*)$/.exec(text);
    if (!core || language !== "de") return text;
    return before + ((element && specchatGerman.marked(element, core)) ?? specchatGerman.sentence(core)) + after;
  }

  function spoken(node) {
    const parent = node.parentElement;
    if (!parent || (parent.closest(LEFT_ALONE) && !parent.closest("small, title"))) return true;
    return parent.closest("#sc-chat [data-testid=bot]") !== null && parent.closest(OURS) === null;
  }

  function setText(node) {
    if (spoken(node)) return;
    const last = kept.get(node);
    const original = last && last.now === node.data ? last.original : node.data;
    const now = say(original, node.parentElement);
    kept.set(node, { original, now });
    if (node.data !== now) node.data = now;
  }

  function setNames(element) {
    if (element.matches(MENU)) setMenu(element);
    const all = kept.get(element) || {};
    for (const name of NAMES) {
      const value = element.getAttribute(name);
      if (value === null) continue;
      const original = all[name] && all[name].now === value ? all[name].original : value;
      const now = say(original);
      all[name] = { original, now };
      if (value !== now) element.setAttribute(name, now);
    }
    kept.set(element, all);
  }

  // A menu shows its choice as the value of a box that nobody types in: scripts read what was
  // chosen, people its translation.
  function setMenu(box) {
    if (!menus.has(box)) {
      let chosen = VALUE.get.call(box);
      const draw = () => VALUE.set.call(box, say(String(chosen)));
      Object.defineProperty(box, "value", {
        configurable: true, get: () => chosen, set: (value) => { chosen = value ?? ""; draw(); },
      });
      menus.set(box, draw);
    }
    menus.get(box)();
  }

  function apply(root) {
    if (root.nodeType === Node.TEXT_NODE) return setText(root);
    if (root.nodeType !== Node.ELEMENT_NODE) return undefined;
    const nodes = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node = root; node; node = nodes.nextNode()) {
      if (node.nodeType === Node.TEXT_NODE) setText(node);
      else setNames(node);
    }
    return undefined;
  }

  function setTitle() {
    const title = document.querySelector("title");
    if (title) apply(title);
  }

  async function choose(chosen) {
    wanted = chosen === "de" ? "de" : "en";
    try { localStorage.setItem(KEY, wanted); } catch { /* it lasts for this page then */ }
    showChoice();
    if (wanted === "de") await specchatGerman.load().catch(() => { wanted = "en"; });
    language = wanted;
    document.documentElement.lang = language;
    showChoice();
    setTitle();
    apply(document.body);
    listeners.forEach((listener) => listener());
  }

  function showChoice(root = document) {
    root.querySelectorAll("[data-language]").forEach((menu) => { menu.value = wanted; });
  }

  function first() {
    const asked = new URLSearchParams(location.search).get("lang");
    if (asked) return asked;
    try { return localStorage.getItem(KEY) || usual; } catch { return usual; }
  }

  function changed(changes) {
    for (const change of changes) {
      if (change.type === "childList") {
        change.addedNodes.forEach((node) => {
          if (language === "de") apply(node);
          if (node.querySelectorAll) showChoice(node);
        });
      } else if (language !== "de") continue;
      else if (change.type === "attributes") setNames(change.target);
      else setText(change.target);
    }
  }

  function start() {
    const all = { childList: true, subtree: true, characterData: true };
    new MutationObserver(changed).observe(document.body, { ...all, attributes: true, attributeFilter: NAMES });
    new MutationObserver(setTitle).observe(document.head, all);
    const page = document.documentElement; // Gradio writes its own guess there once it has started
    new MutationObserver(() => { if (page.lang !== language) page.lang = language; })
      .observe(page, { attributes: true, attributeFilter: ["lang"] });
    document.addEventListener("change", (event) => {
      if (event.target.matches && event.target.matches("[data-language]")) choose(event.target.value);
    });
    choose(first());
  }

  if (document.body) start();
  else addEventListener("DOMContentLoaded", start);
  return { say, isGerman: () => language === "de", chosen: (listener) => listeners.push(listener) };
})();
