// What there is, and what was counted: the boxes. A view is live, or a recording at some moment.
const $ = id => document.getElementById(id);
// Okabe and Ito's colours, which colour-blind people tell apart; vermilion is kept for errors.
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8a6d00"];
const ERROR = "errors and unknown answers";
const lanes = new Map();  // the boxes of those who answer, by name
// Its columns are what came in each part of the time line, of so many seconds.
const newView = (clock, unit = 1) => ({ scene: null, counts: null, columns: new Map(), marks: [], clock, unit });
const columnOf = of => Math.floor(of.clock() / of.unit);
let view = newView(() => Date.now() / 1000);

function make(tag, cls, text) {
  const found = document.createElement(tag);
  if (cls) found.className = cls;
  if (text !== undefined) found.textContent = text;
  return found;
}
const ofStyle = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colour = name => {
  const place = view.scene ? view.scene.versions.indexOf(name) : -1;
  return place < 0 ? ofStyle("--error") : COLOURS[place % COLOURS.length];
};
const percent = (share, places = 1) => `${(100 * share).toFixed(places)} %`;

// As many decimals as show that the promised share is not within an interval that it is not in.
function decimals({ low, promised, high }) {
  const within = (a, b, c) => a <= b && b <= c;
  let places = 1;
  while (places < 9 && !within(low, promised, high)
    && within(...[low, promised, high].map(share => Number((100 * share).toFixed(places))))) places++;
  return places;
}
const show = (text = () => "") => tell("problem", text);

// Take news into a view, and draw it if that is the one on show.
function take(into, name, found) {
  const shown = into === view;
  if (name === "scene") { into.scene = found; if (shown) drawScene(); }
  if (name === "counts") { into.counts = found; if (shown) drawCounts(); }
  if (name === "answers") { note(into, found.came); if (shown) fly(found); }
  if (name === "changed" || name === "happened") into.marks.push({ at: columnOf(into), told: found });
  if (name === "problem" && shown) show(() => told(found.text));
}

function drawScene() {
  const found = view.scene;
  if (!found) return;
  $("asked").textContent = `${found.request.method} ${found.request.url}`
    + found.request.headers.map(h => `, ${h[0]}: ${h[1]}`).join("");
  $("client").replaceChildren(
    make("div", "name", found.client.name),
    make("div", "small", say(found.client.sidecar ? "with sidecar" : "no sidecar", found.client)),
    ...(found.client.message ? [make("div", "notready", told(found.client.message))] : []));
  $("decides").textContent = told(found.decides);
  $("rules").replaceChildren(...found.rules.map(rule => {
    const item = make("li", rule.id === found.taking ? "box taking" : "box");
    item.dataset.rule = rule.id;
    if (rule.id === found.taking) item.setAttribute("aria-current", "true");
    const head = make("div", "row");
    head.append(make("span", "name", say(rule.id)), make("span", "number", ""));
    item.append(head, make("div", "", told(rule.when)), make("div", "", `→ ${told(rule.to)}`));
    for (const each of rule.more) item.append(make("div", "small", told(each)));
    return item;
  }));
  $("no-promise").textContent = found.noPromise ? say("no promise", { why: told(found.noPromise) }) : "";
  $("pods").replaceChildren(...found.pods.map(pod => {
    const item = make("li", pod.ok ? "box" : "box notready");
    item.append(make("div", "name", pod.name), make("div", "small", say(pod.version ? "pod version" : "pod", pod)));
    if (pod.version) item.style.borderColor = colour(pod.version);
    if (pod.message) item.append(make("div", "", told(pod.message)));
    return item;
  }));
  lanes.clear();
  drawCounts();
}

function lane(name) {
  const item = make("li", "box lane");
  const parts = { item, count: make("span", "number small"), share: make("span", "big"), badge: make("span", "badge"),
    text: make("div", "small"), scale: make("div", "scale"), fits: make("i", "fits"), at: make("i", "share"), promised: make("i", "promised") };
  const head = make("div", "row");
  head.append(make("span", "name", name === ERROR ? say("errors") : name), parts.share, parts.count, parts.badge);
  parts.scale.append(parts.fits, parts.at, parts.promised);
  parts.scale.setAttribute("aria-hidden", "true");
  item.append(head, parts.scale, parts.text);
  return parts;
}

function drawCounts() {
  const counts = view.counts;
  if (!view.scene || !counts) return;
  const n = counts.received.toLocaleString();
  $("received").textContent = counts.rate === undefined ? say("recorded", { n }) : say("received", { n, rate: counts.rate });
  for (const item of $("rules").children) {
    const count = counts.rules[item.dataset.rule];
    item.firstChild.lastChild.textContent = count === undefined ? "" : say("answers", { n: count.toLocaleString() });
  }
  const names = Object.keys(counts.lanes).filter(name => name !== ERROR);
  names.push(ERROR);
  if (names.join("\n") !== [...lanes.keys()].join("\n")) {
    lanes.clear();
    for (const name of names) lanes.set(name, lane(name));
    $("lanes").replaceChildren(...[...lanes.values()].map(each => each.item));
  }
  for (const [name, parts] of lanes) drawLane(counts, name, parts, counts.lanes[name] || { count: 0 });
  const said = !counts.total || !counts.verdict ? "" : counts.verdict === "inconclusive" ? say("undecided")
    : say("proved", { verdict: say(counts.verdict), text: counts.evidence.map(told).join(say("and")) });
  if ($("evidence").textContent !== said) $("evidence").textContent = said;
  $("causes").replaceChildren(...(counts.causes || []).map(cause => make("li", "", say("cause", { text: told(cause) }))));
  moved();
}

function drawLane(counts, name, parts, found) {
  const share = counts.total ? found.count / counts.total : 0;
  parts.item.style.borderLeftColor = colour(name);
  parts.share.textContent = counts.total ? percent(share) : "–";
  parts.count.textContent = say("of", { n: found.count.toLocaleString(), total: counts.total.toLocaleString() });
  parts.badge.hidden = !found.verdict;
  parts.badge.textContent = found.verdict ? say(found.verdict) : "";
  parts.badge.dataset.verdict = found.verdict || "";
  const known = found.promised !== undefined;
  parts.text.textContent = (known ? say("promised", { share: percent(found.promised), low: percent(found.low, decimals(found)), high: percent(found.high, decimals(found)) }) : "")
    + (name === ERROR && found.count ? `${known ? say("and") : ""}${counts.others.filter(([, n]) => n).map(([kind, n]) => say("kind", { kind: told(kind), n: n.toLocaleString() })).join(say("comma"))}` : "");
  parts.fits.hidden = parts.promised.hidden = !known;
  if (known) {
    parts.fits.style.left = `${100 * found.low}%`;
    parts.fits.style.right = `${100 - 100 * found.high}%`;
    parts.promised.style.left = `${100 * found.promised}%`;
  }
  parts.fits.style.background = parts.at.style.background = colour(name);
  parts.at.style.left = `${100 * share}%`;
}

function drawAll() {
  drawScene();
  drawLine();
  if (recording) drawPlayer();
}
$("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  drawAll();
});
