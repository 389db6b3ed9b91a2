// A recording in a file of its own: nothing of it asks anybody for anything.
for (const node of document.querySelectorAll("[data-live]")) node.remove();
const KEYS = { d: () => $("theme").click(), l: () => $("language").click(), p: () => $("play").click() };
function redraw() {
  setPlaying(playing);
  drawAll();
}
