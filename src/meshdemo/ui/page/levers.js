// Weights, faults and a timeout: what is moved is shown as a diff first, and applied by a click.
const PREVIEW = 250;  // milliseconds of rest before the server is asked
let offered = null;  // the levers as the rules are now
let shown = null;    // the ones that the sliders were set from
let shownAs = "";    // the position that was previewed last
let asking = 0;

function position() {
  const number = id => Number($(id).value);
  return {
    weights: [...$("weights").querySelectorAll("input")].map(input => Number(input.value)),
    abort: $("abort").checked ? { percent: number("abort-percent"), status: number("abort-status") } : null,
    delay: $("delay").checked ? { percent: number("delay-percent"), seconds: number("delay-seconds") } : null,
    timeout: $("timeout").checked ? number("timeout-seconds") : null,
  };
}
const sameAs = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const isMoved = () => shown && shown.base && !sameAs(position(), shown.to);

function offer(found) {
  offered = found;
  if (!isMoved()) return set(found);
  if (shown.base === found.base) return;  // they come anew with each connection: what was moved stays
  tell("moved", () => say("changed since"));
  $("apply").disabled = true;
}
function set(found) {
  if (shown && sameAs(shown, found) && !isMoved()) return;
  shown = found;
  $("levers").hidden = false;
  const open = found.base !== undefined;
  $("move").hidden = !open;
  if (!open) return drawLevers();
  $("weights").replaceChildren(...found.ways.map((name, number) => {
    const row = make("div", "weight"), label = make("label", "name", name), input = make("input"), said = make("output");
    Object.assign(input, { type: "range", min: "0", max: "100", step: "1", id: `weight-${number}`, name });
    input.value = String(found.to.weights[number]);
    input.disabled = found.ways.length < 2;
    label.htmlFor = said.htmlFor = input.id;
    input.addEventListener("input", () => balance(number));
    row.append(label, input, said);
    return row;
  }));
  for (const name of ["abort", "delay", "timeout"]) {
    $(name).checked = found.to[name] !== null;
    $(name).disabled = found.kept.includes(name);
  }
  if (found.to.abort) { $("abort-percent").value = found.to.abort.percent; $("abort-status").value = found.to.abort.status; }
  if (found.to.delay) { $("delay-percent").value = found.to.delay.percent; $("delay-seconds").value = found.to.delay.seconds; }
  if (found.to.timeout !== null) $("timeout-seconds").value = found.to.timeout;
  drawLevers();
  drawPosition();
  $("preview").hidden = true;
}
function drawLevers() {
  if (!shown) return;
  const names = shown.kept && shown.kept.length ? ` ${say("kept", { names: shown.kept.map(name => say(name)).join(say("comma")) })}` : "";
  $("levers-said").textContent = shown.base === undefined ? say("no levers", { why: told(shown.why) })
    : (shown.rule ? say("levers of", shown) : say("levers of none")) + names;
  for (const input of $("weights").querySelectorAll("input")) input.setAttribute("aria-label", say("weight of", { name: input.name }));
}
function drawPosition() {
  for (const input of $("weights").querySelectorAll("input")) input.parentNode.lastChild.textContent = input.value;
  $("abort-said").textContent = `${$("abort-percent").value} %`;
  $("delay-said").textContent = `${$("delay-percent").value} %`;
  $("reset").disabled = !isMoved() && (!offered || offered.base === shown.base);
}
// Keep the sum at 100: the others share what is left as they did before.
function balance(moved) {
  const inputs = [...$("weights").querySelectorAll("input")], others = inputs.filter((_, i) => i !== moved);
  const left = 100 - Number(inputs[moved].value), before = others.reduce((sum, input) => sum + Number(input.value), 0);
  let given = 0;
  others.forEach((input, i) => {
    const part = before ? Math.floor(left * Number(input.value) / before) : i ? 0 : left;
    input.value = String(part);
    given += part;
  });
  const first = others.find(input => Number(input.value)) || others[0];
  if (first) first.value = String(Number(first.value) + left - given);
}
function changed() {
  drawPosition();
  $("apply").disabled = true;
  tell("moved", () => "");
  clearTimeout(asking);
  if (isMoved()) asking = setTimeout(preview, PREVIEW);
  else $("preview").hidden = true;
}
async function preview() {
  const to = position(), base = shown.base;
  try {
    const found = await post("/preview", { base, to });
    if (!sameAs(to, position())) return;
    $("diff").replaceChildren(...found.diff.map(line => make("div", line.startsWith("+") ? "plus" : line.startsWith("-") ? "minus" : "", line)));
    $("command").textContent = found.commands.join("\n");
    tell("moved", () => found.warnings.map(told).join(say("and")));
    $("preview").hidden = !found.diff.length;
    $("apply").disabled = !found.diff.length;
    shownAs = JSON.stringify(to);
  } catch (error) {
    if (sameAs(to, position())) { tell("moved", () => whyOf(error)); $("preview").hidden = true; }
  }
}
for (const id of ["abort-percent", "delay-percent"])  // as the rule has it, also 0.5; moved by hand, whole
  $(id).addEventListener("input", () => { $(id).value = String(Math.max(1, Math.round(Number($(id).value)))); });
$("move").addEventListener("input", changed);
$("move").addEventListener("submit", async event => {
  event.preventDefault();
  const to = position();
  if ($("apply").disabled || JSON.stringify(to) !== shownAs) return;
  $("apply").disabled = true;
  tell("moved", () => say("applying"));
  try {
    const found = await post("/change", { base: shown.base, to });
    shown = { ...shown, to };  // what is there now comes with the next look
    $("preview").hidden = true;
    tell("moved", () => [say("applied", { ms: Math.round(1000 * found.liveAfter) }), ...found.said.map(told)].join(say("and")));
    if (offered && offered.base !== shown.base) set(offered);
    drawPosition();
  } catch (error) { tell("moved", () => whyOf(error)); }
});
$("reset").addEventListener("click", () => {
  clearTimeout(asking);
  shown = null;
  tell("moved", () => "");
  set(offered);
  $("apply").disabled = true;
});
