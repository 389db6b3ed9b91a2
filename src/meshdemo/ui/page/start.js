// Keys and language, of both kinds of page; then it begins.
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (KEYS[event.key]) KEYS[event.key](event);
});
$("language").addEventListener("click", () => { speak(LANGUAGES[1 - language]); redraw(); });
speak(document.documentElement.lang.slice(0, 2));
redraw();
const saved = document.getElementById("recording");
if (saved) openRecording(JSON.parse(saved.textContent));
