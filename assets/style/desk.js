// The desk: times of day in the reader's zone, the newest message in view, and the keys of those who
// answer many: j and k for the next and the previous customer, Ctrl + Enter to send. What the door
// answers to a key is handed on in its place.
window.specchatDesk = (() => {
  const locale = () => (specchat.isGerman() ? "de" : []);
  const clock = (time) => {
    const made = new Date(time.dateTime);
    const shown = made.toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit" });
    if (time.textContent === shown) return;
    time.textContent = shown;
    time.title = made.toLocaleString(locale());
  };
  let newest = "";
  const drawn = () => {
    document.querySelectorAll("time.sc-clock").forEach(clock);
    const said = document.querySelector("#sc-case [role=log]");
    if (!said || said.textContent === newest) return;
    newest = said.textContent;
    const pane = said.closest("#sc-case");
    pane.scrollTop = pane.scrollHeight;
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("textarea, input:not([type=radio]), select");
    if (event.key === "Enter" && event.ctrlKey && event.target.closest?.("#sc-reply")) {
      document.querySelector("#sc-reply-send")?.click();
    } else if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey && "jk".includes(event.key)) {
      const all = [...document.querySelectorAll("#sc-customers input")];
      const now = all.findIndex((each) => each.checked);
      all[event.key === "j" ? Math.min(now + 1, all.length - 1) : Math.max(now - 1, 0)]?.click();
    }
  });
  specchat.chosen(drawn);
  const start = () => new MutationObserver(drawn).observe(document.body, { childList: true, subtree: true });
  if (document.body) start();
  else addEventListener("DOMContentLoaded", start);

  const atTheDoor = (method, headers) => fetch("desk/session", { method, headers })
    .then((answer) => String(answer.status), () => "");
  return {
    enter: (key) => atTheDoor("POST", { "X-Desk-Key": encodeURIComponent(key.toWellFormed?.() ?? key) }),
    lock: () => atTheDoor("DELETE", {}),
  };
})();
