// In a frame of a company's own site the page is a widget: its header is small, and what belongs to
// a window of its own is left out.
if (new URLSearchParams(location.search).has("embed")) document.documentElement.classList.add("sc-embed");
// The empty dashboard leads to a race.
document.addEventListener("click", (event) => {
  if (event.target.closest?.(".sc-empty .sc-button")) document.getElementById("sc-tab-race-button")?.click();
});
