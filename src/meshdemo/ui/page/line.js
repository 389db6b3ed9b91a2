// The time line: what came in each second, by lane, and when something changed.
const SECONDS = 120, TOLD = 4;

function note(into, came) {
  const now = Math.floor(into.clock());
  if (!into.seconds.has(now)) into.seconds.set(now, new Map());
  const counted = into.seconds.get(now);
  for (const what of came) counted.set(laneOf(into, what), (counted.get(laneOf(into, what)) || 0) + 1);
  for (const second of into.seconds.keys()) if (second < now - SECONDS) into.seconds.delete(second);
  while (into.marks.length && into.marks[0].at < now - SECONDS) into.marks.shift();
}
function inWords(told) {
  const what = told.what.join(", ") + (told.now ? ` (${told.now})` : "");
  if (told.liveAfter === null) return what;
  return `${what}; ${say(told.byPage ? "live after" : "seen live after", { ms: Math.round(1000 * told.liveAfter) })}`;
}
function drawLine() {
  const now = Math.floor(view.clock()), sheet = $("line"), ink = sheet.getContext("2d");
  const told = view.marks.filter(mark => mark.at >= now - SECONDS && mark.at <= now).slice(-TOLD).reverse();
  const lines = told.map(mark => say("change", { ago: now - mark.at, what: inWords(mark.told) }));
  if (lines.length !== $("line-said").children.length || lines.some((text, i) => $("line-said").children[i].textContent !== text))
    $("line-said").replaceChildren(...lines.map(text => make("li", "", text)));
  if (document.hidden) return;
  const scale = devicePixelRatio || 1, width = sheet.clientWidth, height = sheet.clientHeight;
  sheet.width = Math.round(width * scale);
  sheet.height = Math.round(height * scale);
  ink.setTransform(scale, 0, 0, scale, 0, 0);
  const step = width / SECONDS, names = [...lanes.keys()], colours = names.map(colour);
  for (const [second, counted] of view.seconds) {
    if (second > now || second < now - SECONDS) continue;
    const all = [...counted.values()].reduce((a, b) => a + b, 0);
    let top = height;
    names.forEach((name, number) => {
      const tall = height * (counted.get(name) || 0) / all;
      ink.fillStyle = colours[number];
      ink.fillRect(width - (now - second + 1) * step, top - tall, Math.max(step - 1, 1), tall);
      top -= tall;
    });
  }
  ink.fillStyle = getComputedStyle(document.body).color;
  for (const mark of view.marks) if (mark.at <= now) ink.fillRect(width - (now - mark.at + 1) * step - 1, 0, 2, height);
}
setInterval(drawLine, 1000);
