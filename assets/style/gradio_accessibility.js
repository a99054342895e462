// What Gradio's own components lack for readers of the page by ear and by keyboard.
(() => {
  function mend() {
    // The title of a footer is a button already; the arrow inside is a second one without a name.
    document.querySelectorAll(".thought-group .title .arrow button:not([disabled])").forEach((arrow) => {
      arrow.disabled = true;
      arrow.setAttribute("aria-hidden", "true");
    });
    document.querySelectorAll("input.search-input:not([aria-label])").forEach((search) => {
      search.setAttribute("aria-label", "Search");
    });
    // A message would be read out as its source, twice; its words are inside.
    document.querySelectorAll('#sc-chat [aria-label*="message: "]').forEach((message) => {
      message.setAttribute("aria-label", message.getAttribute("aria-label").split(":")[0]);
    });
    // A list without items, and a label on an element without a role.
    document.querySelectorAll('#sc-chat .examples[role="list"]').forEach((list) => list.setAttribute("role", "group"));
    document.querySelectorAll(".empty[aria-label]:not([role])").forEach((empty) => empty.setAttribute("role", "note"));
  }
  const start = () => {
    new MutationObserver(mend).observe(document.body, { childList: true, subtree: true });
    mend();
  };
  if (document.body) start();
  else addEventListener("DOMContentLoaded", start);
})();
