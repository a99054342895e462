// Who is at this browser. Owner and consent are the browser's, for all of its tabs; the conversation
// that is open is the tab's, and a new tab opens the last one. Read anew for every event, because
// another tab may have changed them. A browser that blocks storage has a new owner on every page
// and is told that nothing is kept.
window.specchatIdentity = (() => {
  const WHO = "specchat-who", OPEN = "specchat-open";
  let alone = null; // the owner of this page, where nothing can be stored
  let here = ""; // the conversation of this tab; other tabs open theirs meanwhile

  function made() {
    const digits = crypto.getRandomValues(new Uint8Array(16));
    return [...digits].map((digit) => digit.toString(16).padStart(2, "0")).join("");
  }

  function forgetful() {
    if (alone) return true;
    try {
      localStorage.setItem(`${WHO}-probe`, "");
      localStorage.removeItem(`${WHO}-probe`);
      return false;
    } catch {
      alone = made();
      document.documentElement.classList.add("sc-forgetful");
      return true;
    }
  }

  function write(who) {
    localStorage.setItem(WHO, JSON.stringify(who));
    return who;
  }

  function browser() {
    if (forgetful()) return { owner: alone, keeps: false, forgetful: true };
    try {
      const { owner, keeps } = JSON.parse(localStorage.getItem(WHO));
      if (/^[0-9a-f]{32}$/.test(owner)) return { owner, keeps: typeof keeps === "boolean" ? keeps : null };
    } catch { /* none yet, or not one of ours */ }
    return write({ owner: made(), keeps: null });
  }

  function opened() {
    try { return sessionStorage.getItem(OPEN) ?? localStorage.getItem(OPEN) ?? ""; } catch { return ""; }
  }

  function open(conversation) {
    here = conversation;
    try {
      sessionStorage.setItem(OPEN, conversation);
      localStorage.setItem(OPEN, conversation);
    } catch { /* then it lasts for this page */ }
  }

  // Values of an event with the identity in its place.
  function given(values, place) {
    let conversation = null;
    try { conversation = JSON.parse(values[place]).conversation; } catch { /* the first event */ }
    values[place] = JSON.stringify({ ...browser(), conversation: conversation ?? here });
    return values;
  }

  // What an event says: another conversation, or another owner in the place of a forgotten one.
  function take(said) {
    let who;
    try { who = JSON.parse(said); } catch { return; }
    const mine = browser();
    if (who.replaces && who.replaces === mine.owner) {
      if (mine.forgetful) alone = who.owner;
      else write({ owner: who.owner, keeps: mine.keeps });
    }
    open(who.conversation || "");
  }

  // At the click, so that it counts for what is sent next.
  function consent(keeps) {
    const mine = browser();
    if (!mine.forgetful) write({ owner: mine.owner, keeps });
  }

  browser();
  here = opened();
  return { given, take, consent };
})();
