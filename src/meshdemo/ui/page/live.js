// The page as it is served: news from the server, and what one can steer. None of it is in an export.
const token = new URLSearchParams(location.search).get("token") || "";
const liveView = view;
let traffic = null;

async function post(path, what) {
  const answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json", "x-meshdemo-token": token }, body: JSON.stringify(what) });
  if (!answer.ok) throw Object.assign(new Error(`HTTP ${answer.status}`), await answer.json().catch(() => ({})));
  return answer.json();
}
const whyOf = error => told(error.why || error.message);
function drawTraffic() {
  if (!traffic) return;
  $("controls").hidden = $("request-box").hidden = traffic.readOnly;
  $("toggle").textContent = say(traffic.on ? "stop" : "start");
  if (document.activeElement !== $("rate")) $("rate").value = traffic.rate;
  $("rate-said").textContent = say("a second", { n: traffic.rate });
}
const steer = change => post("/traffic", { on: traffic.on, rate: traffic.rate, ...change }).catch(error => show(() => whyOf(error)));
$("toggle").addEventListener("click", () => steer({ on: !traffic.on }));
$("rate").addEventListener("input", () => { $("rate-said").textContent = say("a second", { n: $("rate").value }); });
$("rate").addEventListener("change", () => steer({ rate: Number($("rate").value) }));

// --- one request -------------------------------------------------------------------------------

let presets = [];

function meant() {
  const headers = $("headers").value.split(";").map(text => text.trim()).filter(Boolean).map(text => {
    const at = text.indexOf(":");
    return at < 0 ? [text, ""] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  });
  return { method: $("method").value, url: $("url").value.trim(), headers };
}
function fill(request) {
  if (![...$("method").options].some(each => each.value === request.method)) $("method").append(make("option", "", request.method));
  $("method").value = request.method;
  $("url").value = request.url;
  $("headers").value = request.headers.map(header => header.join(": ")).join("; ");
}
function drawPresets() {
  const first = make("option", "", say("presets"));
  first.value = "";
  $("preset").replaceChildren(first, ...presets.map((each, number) => {
    const option = make("option", "", `${each.rule || say("no rule takes it")}: ${each.title}`);
    option.value = String(number);
    return option;
  }));
}
$("preset").addEventListener("change", () => { if ($("preset").value) fill(presets[Number($("preset").value)]); });
$("request").addEventListener("submit", async event => {
  event.preventDefault();
  tell("explanation", () => "…");
  try {
    const { text } = await post("/explain", meant());
    tell("explanation", () => text);
  } catch (error) { tell("explanation", () => whyOf(error)); }
});
$("use").addEventListener("click", async () => {
  try {
    await post("/request", meant());
    tell("explanation", () => "");
  } catch (error) { tell("explanation", () => whyOf(error)); }
});

// --- replay, keys, language --------------------------------------------------------------------

$("export").href = `/export?token=${encodeURIComponent(token)}`;
$("replay-open").addEventListener("click", async () => {
  const answer = await fetch(`/recording?token=${encodeURIComponent(token)}`);
  if (!answer.ok) {
    const why = (await answer.text()).trim();
    return show(() => why);
  }
  $("replay-open").hidden = true;
  openRecording(await answer.json());
});
$("replay-close").addEventListener("click", () => {
  setPlaying(false);
  recording = null;
  dots = [];
  view = liveView;
  $("player").hidden = true;
  $("recorded-at").textContent = "";
  $("replay-open").hidden = false;
  drawAll();
});
const KEYS = {
  t: () => $("controls").hidden || $("toggle").click(),
  d: () => $("theme").click(),
  l: () => $("language").click(),
  e: event => { if (!$("request-box").hidden) { event.preventDefault(); $("url").focus(); } },
  r: () => (recording ? $("replay-close") : $("replay-open")).click(),
  p: () => recording && $("play").click(),
};
function redraw() {
  setPlaying(playing);
  drawAll();
  drawTraffic();
  drawPresets();
  drawLevers();
}

// --- news --------------------------------------------------------------------------------------

const news = new EventSource(`/events?token=${encodeURIComponent(token)}`);
const on = (name, act) => news.addEventListener(name, event => act(JSON.parse(event.data)));
for (const name of ["scene", "counts", "answers", "changed", "happened", "problem"]) on(name, found => take(liveView, name, found));
on("scene", found => { if (document.activeElement !== $("url") && !$("url").value) fill(found.request); });
on("traffic", found => { traffic = found; drawTraffic(); });
on("levers", offer);
on("presets", found => { presets = found; drawPresets(); });
news.addEventListener("error", () => {
  const name = news.readyState === EventSource.CLOSED ? "cut off" : "again";
  show(() => say(name));
});
news.addEventListener("open", () => show());
