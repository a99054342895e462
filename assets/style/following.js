// An answer that grows is followed only until its question has reached the top: both are in view.
// Who scrolls reads there, until the next question.
(() => {
  const EDGE_PX = 8, UNFOLDS_MS = 1_000;
  let follows = true, asked = 0;

  function newest(chat) {
    const questions = chat.querySelectorAll("[data-testid=user]");
    const from = questions[questions.length - 1];
    const colleagues = [...chat.querySelectorAll(".sc-colleague")];
    const after = colleagues.filter((each) => !from || from.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_FOLLOWING);
    if (questions.length !== asked) follows = true;
    asked = questions.length;
    return after[after.length - 1] ?? from;
  }

  function follow(pane) {
    const from = newest(pane);
    if (!from || !follows) return;
    const top = from.getBoundingClientRect().top - pane.getBoundingClientRect().top + pane.scrollTop;
    pane.scrollTop = Math.min(pane.scrollHeight - pane.clientHeight, top - EDGE_PX);
  }

  // What is opened comes into view while it unfolds.
  function show(fold) {
    const grows = new ResizeObserver(() => fold.scrollIntoView({ block: "nearest" }));
    grows.observe(fold);
    setTimeout(() => grows.disconnect(), UNFOLDS_MS);
  }

  function watch(pane) {
    const stay = () => { follows = false; };
    ["wheel", "touchmove"].forEach((name) => pane.addEventListener(name, stay, { passive: true }));
    pane.addEventListener("keydown", (event) => { if (/^(Page|Arrow|Home|End)/.test(event.key)) stay(); });
    pane.addEventListener("pointerdown", (event) => { if (event.target === pane) stay(); }); // its scrollbar
    pane.addEventListener("click", (event) => {
      const fold = event.target.closest(".thought-group, details");
      if (fold) { stay(); show(fold); }
    });
    new MutationObserver(() => follow(pane)).observe(pane, { childList: true, subtree: true, characterData: true });
    new ResizeObserver(() => follow(pane)).observe(pane);
    follow(pane);
  }

  let watched = null;
  const start = () => {
    new MutationObserver(() => {
      const pane = document.querySelector("#sc-chat .bubble-wrap");
      if (pane && pane !== watched) watch(watched = pane);
    }).observe(document.body, { childList: true, subtree: true });
  };
  if (document.body) start();
  else addEventListener("DOMContentLoaded", start);
})();
