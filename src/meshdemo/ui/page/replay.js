// A recording, seen again at any moment and speed. Its events are [seconds since it began, name, content].
const TICK = 100;  // milliseconds
const SPEEDS = [.01, .1, 1, 4, 16];
let recording = null, playing = false, at = 0, next = 0, ticked = 0;

const expanded = came => {
  const each = Object.entries(came).flatMap(([what, count]) => Array(count).fill(what));
  for (let i = each.length - 1; i > 0; i--) { const j = Math.floor(Math.random() * (i + 1)); [each[i], each[j]] = [each[j], each[i]]; }
  return each;
};
function openRecording(found) {
  recording = found;
  const ideal = found.seconds / 20;  // seen within some twenty seconds
  $("speed").value = String(SPEEDS.reduce((best, speed) => Math.abs(Math.log(speed / ideal)) < Math.abs(Math.log(best / ideal)) ? speed : best));
  $("moment").max = String(found.seconds);
  $("player").hidden = false;
  seek(found.seconds);
  setPlaying(false);
}
// Build the view of a moment from the beginning: so it depends on nothing that was shown before.
function seek(moment) {
  at = moment;
  next = 0;
  dots = [];
  // A short one, as of verify, fills the time line.
  const unit = Math.min(1, Math.max(recording.seconds, .001) / (COLUMNS - 1));
  const made = newView(() => recording.began + at, unit);
  const events = recording.events;
  view = newView(() => 0);  // what is built is not drawn meanwhile
  while (next < events.length && events[next][0] <= moment) {
    const [time, name, found] = events[next++];
    const clock = made.clock;
    made.clock = () => recording.began + time;
    take(made, name, name === "answers" ? { ...found, came: expanded(found.came) } : found);
    made.clock = clock;
  }
  view = made;
  drawAll();
}
function drawPlayer() {
  $("recorded-at").textContent = say("recorded at", { when: new Date(1000 * recording.began).toLocaleString(document.documentElement.lang) });
  $("moment").value = String(at);
  const digits = recording.seconds < 10 ? 2 : 0;
  $("moment-said").textContent = `${at.toFixed(digits)} / ${recording.seconds.toFixed(digits)} s`;
}
function setPlaying(wanted) {
  playing = wanted;
  ticked = performance.now();
  $("play").textContent = say(playing ? "pause" : "play");
}
function tick() {
  const now = performance.now(), passed = (now - ticked) / 1000 * Number($("speed").value);
  ticked = now;
  if (!playing || !recording) return;
  at = Math.min(at + passed, recording.seconds);
  while (next < recording.events.length && recording.events[next][0] <= at) {
    const [, name, found] = recording.events[next++];
    take(view, name, name === "answers" ? { ...found, came: expanded(found.came) } : found);
  }
  drawPlayer();
  drawLine();
  if (at >= recording.seconds) setPlaying(false);
}
setInterval(tick, TICK);
$("play").addEventListener("click", () => {
  if (!playing && at >= recording.seconds) seek(0);
  setPlaying(!playing);
});
$("moment").addEventListener("input", () => { setPlaying(false); seek(Number($("moment").value)); });
