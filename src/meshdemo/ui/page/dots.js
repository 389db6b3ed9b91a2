// One dot for each answer that really came, on its way from the client by the rule to the version.
const FLIGHT = 1100, SPREAD = 500, MOST_DOTS = 600, FRAME = 33;  // milliseconds; dots at a time
const still = matchMedia("(prefers-reduced-motion: reduce)");
const canvas = $("dots"), pen = canvas.getContext("2d");
let dots = [], drawing = false, spots = null, drawn = 0;

// Where the boxes are is looked up only when one may have moved: it has the browser lay out the page.
const moved = () => { spots = null; };
addEventListener("resize", moved);

function laneOf(into, what) {
  if (!what.startsWith("!")) return what;
  const named = `HTTP ${what.slice(1)}`;
  return into.counts && named in into.counts.lanes ? named : ERROR;
}
function fly(news) {
  const now = performance.now();
  news.came.forEach((what, number) => {
    if (dots.length >= MOST_DOTS) return;  // what has no room is counted all the same
    dots.push({ name: laneOf(view, what), wrong: what.startsWith("!"), by: news.by, at: now + SPREAD * number / news.came.length, shift: (Math.random() - .5) * 8 });
  });
  if (!drawing && !document.hidden) { drawing = true; requestAnimationFrame(draw); }
}
function places() {
  if (spots) return spots;
  const stage = $("stage").getBoundingClientRect();
  const of = node => { const box = node.getBoundingClientRect(); return { l: box.left - stage.left, r: box.right - stage.left, x: (box.left + box.right) / 2 - stage.left, y: box.bottom - 5 - stage.top, t: box.top - stage.top, b: box.bottom - stage.top }; };
  const rules = new Map([...$("rules").children].map(item => [item.dataset.rule, of(item)]));
  spots = { width: stage.width, height: stage.height, client: of($("client")), rules, lanes: new Map([...lanes].map(([name, parts]) => [name, of(parts.item)])), pods: of($("pods")), tall: innerWidth <= 900,
    error: colour(ERROR), edge: getComputedStyle(document.body).backgroundColor, colours: new Map([...lanes.keys()].map(name => [name, colour(name)])) };
  return spots;
}
function path(dot, where) {
  const rule = where.rules.get(dot.by), lane = where.lanes.get(dot.name);
  if (!lane) return [];
  const stops = [where.client, ...(rule ? [rule] : []), lane];
  if (where.tall) return stops.flatMap(s => [[s.x + dot.shift, s.t], [s.x + dot.shift, s.b]]).slice(1, -1);
  const points = stops.flatMap(s => [[s.l, s.y + dot.shift], [s.r, s.y + dot.shift]]).slice(1);
  if (!dot.wrong) points.push([where.pods.l, lane.y + dot.shift]);
  return points;
}
function along(points, part) {
  const lengths = points.slice(1).map((p, i) => Math.hypot(p[0] - points[i][0], p[1] - points[i][1]));
  let left = part * lengths.reduce((a, b) => a + b, 0);
  for (let i = 0; i < lengths.length; i++) {
    if (left <= lengths[i]) {
      const t = lengths[i] ? left / lengths[i] : 0;
      return [points[i][0] + t * (points[i + 1][0] - points[i][0]), points[i][1] + t * (points[i + 1][1] - points[i][1])];
    }
    left -= lengths[i];
  }
  return points[points.length - 1];
}
function draw(now) {
  drawing = dots.length > 0 && !document.hidden;
  if (drawing) requestAnimationFrame(draw);
  if (drawing && now - drawn < FRAME) return;
  drawn = now;
  const where = places(), scale = devicePixelRatio || 1;
  const width = Math.round(where.width * scale), height = Math.round(where.height * scale);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, where.width, where.height);
  dots = dots.filter(dot => now - dot.at < FLIGHT);
  for (const dot of dots) {
    const age = (now - dot.at) / FLIGHT;
    if (age < 0) continue;
    const points = path(dot, where);
    if (points.length < 2) continue;
    const [x, y] = still.matches ? points[points.length - 1] : along(points, age);
    if (dot.wrong) {
      pen.strokeStyle = where.error; pen.lineWidth = 3.5;
      pen.beginPath(); pen.moveTo(x - 6, y - 6); pen.lineTo(x + 6, y + 6); pen.moveTo(x + 6, y - 6); pen.lineTo(x - 6, y + 6); pen.stroke();
    } else {
      pen.fillStyle = where.colours.get(dot.name) || where.error; pen.strokeStyle = where.edge; pen.lineWidth = 1.5;
      pen.beginPath(); pen.arc(x, y, 6, 0, 7); pen.fill(); pen.stroke();
    }
  }
}
document.addEventListener("visibilitychange", () => { dots = []; });
