// The time line: what came in each column of it, by lane, and when something changed.
const COLUMNS = 120, TOLD = 4;

function note(into, came) {
  const now = columnOf(into);
  if (!into.columns.has(now)) into.columns.set(now, new Map());
  const counted = into.columns.get(now);
  for (const what of came) counted.set(laneOf(into, what), (counted.get(laneOf(into, what)) || 0) + 1);
  for (const column of into.columns.keys()) if (column < now - COLUMNS) into.columns.delete(column);
  while (into.marks.length && into.marks[0].at < now - COLUMNS) into.marks.shift();
}
function inWords(change) {
  const names = change.what.map(told).join(say("comma"));
  const what = change.now ? say("now", { what: names, now: told(change.now) }) : names;
  if (change.liveAfter === null) return what;
  return [what, say(change.byPage ? "live after" : "seen live after", { ms: Math.round(1000 * change.liveAfter) })].join(say("and"));
}
function drawLine() {
  const now = columnOf(view), sheet = $("line"), ink = sheet.getContext("2d");
  $("line-title").textContent = say(view.unit === 1 ? "line" : "line of parts");
  const marks = view.marks.filter(mark => mark.at >= now - COLUMNS && mark.at <= now).slice(-TOLD).reverse();
  const lines = marks.map(mark => say("change", { ago: Math.round((now - mark.at) * view.unit), what: inWords(mark.told) }));
  if (lines.length !== $("line-said").children.length || lines.some((text, i) => $("line-said").children[i].textContent !== text))
    $("line-said").replaceChildren(...lines.map(text => make("li", "", text)));
  if (document.hidden) return;
  const scale = devicePixelRatio || 1, width = sheet.clientWidth, height = sheet.clientHeight;
  sheet.width = Math.round(width * scale);
  sheet.height = Math.round(height * scale);
  ink.setTransform(scale, 0, 0, scale, 0, 0);
  const step = width / COLUMNS, names = [...lanes.keys()], colours = names.map(colour);
  for (const [column, counted] of view.columns) {
    if (column > now || column < now - COLUMNS) continue;
    const all = [...counted.values()].reduce((a, b) => a + b, 0);
    let top = height;
    names.forEach((name, number) => {
      const tall = height * (counted.get(name) || 0) / all;
      ink.fillStyle = colours[number];
      ink.fillRect(width - (now - column + 1) * step, top - tall, Math.max(step - 1, 1), tall);
      top -= tall;
    });
  }
  ink.fillStyle = getComputedStyle(document.body).color;
  for (const mark of view.marks) if (mark.at <= now) ink.fillRect(width - (now - mark.at + 1) * step - 1, 0, 2, height);
}
setInterval(drawLine, 1000);
