// The interface in English or German. Texts are replaced where they stand and kept, so that the
// choice can be taken back; what people and the model say is left alone.
(() => {
  const { texts, patterns } = CATALOGUE;
  const rules = patterns.map(([from, to]) => [new RegExp(`^${from}$`), to]);
  const LEFT_ALONE = "script, style, textarea, .sc-lane-text, .sc-steps-tree, #sc-chat [data-testid=user], #sc-table tbody";
  const NAMES = ["aria-label", "placeholder", "title"];
  const KEY = "specchat-language";
  const kept = new WeakMap(); // text node or element -> what was there and what stands there now
  let language = "en";

  function german(text) {
    const exact = texts[text];
    if (exact !== undefined) return exact;
    const rule = rules.find(([from]) => from.test(text));
    if (rule) return text.replace(rule[0], rule[1]);
    return text.includes(" · ") ? text.split(" · ").map(german).join(" · ") : text;
  }

  function shown(text) {
    const [, before, core, after] = /^(\s*)([\s\S]*?)(\s*)$/.exec(text);
    return core ? before + german(core) + after : text;
  }

  function spoken(node) {
    const parent = node.parentElement;
    if (!parent || parent.closest(LEFT_ALONE)) return true;
    return parent.closest("#sc-chat [data-testid=bot]") !== null && parent.closest(".title") === null;
  }

  function setText(node) {
    if (spoken(node)) return;
    const last = kept.get(node);
    const original = last && last.now === node.data ? last.original : node.data;
    const now = language === "de" ? shown(original) : original;
    kept.set(node, { original, now });
    if (node.data !== now) node.data = now;
  }

  function setNames(element) {
    const all = kept.get(element) || {};
    for (const name of NAMES) {
      const value = element.getAttribute(name);
      if (value === null) continue;
      const original = all[name] && all[name].now === value ? all[name].original : value;
      const now = language === "de" ? shown(original) : original;
      all[name] = { original, now };
      if (value !== now) element.setAttribute(name, now);
    }
    kept.set(element, all);
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

  function choose(chosen) {
    language = chosen === "de" ? "de" : "en";
    document.documentElement.lang = language;
    try { localStorage.setItem(KEY, language); } catch { /* it lasts for this page then */ }
    document.querySelectorAll("[data-language]").forEach((menu) => { menu.value = language; });
    apply(document.body);
  }

  function first() {
    const asked = new URLSearchParams(location.search).get("lang");
    if (asked) return asked;
    try { return localStorage.getItem(KEY) || "en"; } catch { return "en"; }
  }

  function changed(changes) {
    for (const change of changes) {
      if (change.type === "childList") {
        change.addedNodes.forEach((node) => {
          if (language === "de") apply(node);
          if (node.querySelectorAll) node.querySelectorAll("[data-language]").forEach((menu) => { menu.value = language; });
        });
      } else if (language !== "de") continue;
      else if (change.type === "attributes") setNames(change.target);
      else setText(change.target);
    }
  }

  function offline() {
    let note = document.querySelector(".sc-offline");
    if (!note) {
      note = document.createElement("div");
      note.className = "sc-offline";
      note.setAttribute("role", "alert");
      document.body.append(note);
    }
    note.hidden = navigator.onLine;
    note.textContent = navigator.onLine ? "" : "No connection. What you typed is kept; this goes on when the server answers again.";
  }

  function start() {
    new MutationObserver(changed).observe(document.body, {
      childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: NAMES,
    });
    document.addEventListener("change", (event) => {
      if (event.target.matches && event.target.matches("[data-language]")) choose(event.target.value);
    });
    addEventListener("offline", offline);
    addEventListener("online", offline);
    choose(first());
  }

  if (document.body) start();
  else addEventListener("DOMContentLoaded", start);
})();
