// What the chatbot's own buttons do with a message: copying takes the words on the screen, editing
// shows what was typed, where Gradio takes the message's source, and evidence that is opened comes
// into view.
(() => {
  const COPY = '#sc-chat .message-buttons button[aria-label="Copy message"]';
  const EDITED = "#sc-chat [data-testid=user] textarea, #sc-chat .user textarea";
  const DRAWN_MS = 350; // Gradio slides a fold open
  let copied = null; // what is to be copied by the click that is under way

  function words(button) {
    const row = button.closest(".message-buttons").previousElementSibling;
    const said = [...row.querySelectorAll(".message-content")].filter((each) => !each.querySelector(".thought-group"));
    return said.map((each) => each.innerText.trim()).filter(Boolean).join("\n\n");
  }

  function typed(source) {
    const found = /^\s*<div class="sc-typed">([^]*)<\/div>\s*$/.exec(source);
    if (!found) return source;
    return new DOMParser().parseFromString(found[1].replaceAll("<br>", "\n"), "text/html").body.textContent;
  }

  // As `typed` of specchat/ui/chat/said.py: Gradio shows an edited message before the server does.
  function source(text) {
    const literal = text.replace(/[!-/:-@[-`{-~\t\u00a0]/g, (mark) => `&#${mark.charCodeAt(0)};`);
    return `<div class="sc-typed">${literal.replace(/\r\n|[\r\n]/g, "<br>")}</div>`;
  }

  function write(box, text) {
    if (text === box.value) return;
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(box, text);
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function show(box) {
    if (!box.dataset.sent) write(box, typed(box.value));
  }

  document.addEventListener("click", (event) => {
    const sent = event.target.closest?.('#sc-chat button[aria-label="Submit"]');
    const box = sent && document.querySelector(EDITED);
    if (box) {
      box.dataset.sent = "yes";
      write(box, source(box.value));
    }
    const evidence = event.target.closest?.("#sc-chat .thought-group");
    if (evidence) setTimeout(() => evidence.scrollIntoView({ block: "nearest" }), DRAWN_MS);
    const button = event.target.closest?.(COPY);
    if (!button) return;
    copied = words(button);
    setTimeout(() => { copied = null; });
  }, true);
  document.addEventListener("copy", (event) => {
    if (copied === null) return;
    event.clipboardData.setData("text/plain", copied);
    event.preventDefault();
  }, true);
  if (navigator.clipboard?.writeText) {
    const copy = navigator.clipboard.writeText.bind(navigator.clipboard);
    navigator.clipboard.writeText = (text) => copy(copied ?? text);
  }

  const start = () => {
    new MutationObserver(() => document.querySelectorAll(EDITED).forEach(show))
      .observe(document.body, { childList: true, subtree: true });
  };
  if (document.body) start();
  else addEventListener("DOMContentLoaded", start);
})();
