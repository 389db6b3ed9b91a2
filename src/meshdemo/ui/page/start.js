// Keys and language, of both kinds of page; then it begins.
const TYPED = "input:not([type=range], [type=checkbox]), select, textarea";
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches(TYPED)) return;
  if (KEYS[event.key]) KEYS[event.key](event);
});
$("language").addEventListener("click", () => { speak(LANGUAGES[1 - language]); redraw(); });
speak(document.documentElement.lang.slice(0, 2));
redraw();
const saved = document.getElementById("recording");
if (saved) openRecording(JSON.parse(saved.textContent));
