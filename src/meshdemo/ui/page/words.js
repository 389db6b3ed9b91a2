"use strict";
// What the page says, in English and in Chinese. Names and rules stay in their own words; what the server says comes in both, for told().
const WORDS = {
  "language": ["中文", "English"],
  "theme": ["Theme", "主题"],
  "rate": ["Rate", "速率"],
  "a second": ["{n}/s", "{n}/秒"],
  "stop": ["Stop traffic", "停止流量"],
  "start": ["Start traffic", "开始流量"],
  "received": ["{n} answers, {rate}/s", "{n} 个响应，{rate}/秒"],
  "recorded": ["{n} answers", "{n} 个响应"],
  "client": ["Test client", "测试客户端"],
  "no rule": ["no rule", "没有规则"],
  "rules": ["Rules, tried in this order", "规则（按匹配顺序）"],
  "lanes": ["Who answers", "谁在响应"],
  "pods": ["Pods", "Pod"],
  "with sidecar": ["{ready} ready, with sidecar", "就绪 {ready}，有 Sidecar"],
  "no sidecar": ["{ready} ready, no sidecar: rules have no effect", "就绪 {ready}，没有 Sidecar：规则不生效"],
  "answers": ["{n} answers", "{n} 个响应"],
  "of": ["{n} of {total}", "{n} / {total}"],
  "no promise": ["No promise: {why}", "规则没有给出承诺：{why}"],
  "pod version": ["version {version}, {ready} ready", "版本 {version}，就绪 {ready}"],
  "pod": ["{ready} ready", "就绪 {ready}"],
  "kind": ["{kind}: {n}", "{kind}（{n} 个）"],
  "errors": ["errors, unknown", "错误、未知"],
  "met": ["met", "符合"],
  "not met": ["not met", "不符合"],
  "inconclusive": ["counting", "统计中"],
  "undecided": ["Counting: not decided yet", "统计中：还不足以下结论"],
  "proved": ["{verdict}: {text}", "{verdict}：{text}"],
  "and": ["; ", "；"],
  "comma": [", ", "，"],
  "cause": ["cause: {text}", "原因：{text}"],
  "recorded at": ["recorded {when}", "记录于 {when}"],
  "promised": ["promised {share}; {low} to {high} fit", "承诺 {share}；与观测相符的真实比例：{low} 到 {high}"],
  "line": ["The last two minutes: shares of the answers that came in each second", "最近两分钟：每秒响应的版本比例"],
  "line of parts": ["Shares of the answers, in the order in which they came", "按到达顺序的响应版本比例"],
  "change": ["{ago} s ago: {what}", "{ago} 秒前：{what}"],
  "now": ["{what} ({now})", "{what}（{now}）"],
  "live after": ["live after {ms} ms", "{ms} 毫秒后生效"],
  "seen live after": ["seen live after {ms} ms", "{ms} 毫秒后确认生效"],
  "legend": ["Each dot is one answer: round for a version, a cross for an error or an unknown answer. The thin line on a scale is the promised share, the thick one the counted share, the tinted part the real shares that fit.", "每个点是一个真实收到的响应：圆点属于某个版本，叉号是错误或未知响应。刻度上细线是承诺的比例，粗线是统计的比例，着色部分是与观测相符的真实比例。"],
  "request": ["One request, told from end to end", "一个请求的完整路径"],
  "preset": ["A request for each rule", "每条规则的示例请求"],
  "presets": ["Requests by rule …", "按规则选择请求…"],
  "no rule takes it": ["no rule takes it", "没有规则匹配"],
  "method": ["Method", "方法"],
  "headers": ["Headers, with ; between them", "请求头，用 ; 分隔"],
  "explain": ["Explain", "解释"],
  "use": ["Send as traffic", "作为流量发送"],
  "explanation": ["Explanation", "解释"],
  "levers": ["Change the rules", "修改规则"],
  "levers of": ["{rule}, http[{number}]. What changes is shown before it is applied.", "{rule}，http[{number}]。应用之前会先显示改动。"],
  "levers of none": ["No rule yet: a split makes one. What changes is shown before it is applied.", "还没有规则：设置权重会创建一条。应用之前会先显示改动。"],
  "no levers": ["Nothing to move: {why}", "没有可以调整的：{why}"],
  "kept": ["{names}: said in a way that no lever has, and kept.", "{names}：写法特殊，保持原样。"],
  "weight of": ["Weight of {name}", "{name} 的权重"],
  "faults": ["Faults and timeout", "故障注入与超时"],
  "abort": ["Abort", "终止"],
  "abort-percent": ["Share of the requests that are aborted", "被终止的请求比例"],
  "status": ["status", "状态码"],
  "delay": ["Delay", "延迟"],
  "delay-percent": ["Share of the requests that are delayed", "被延迟的请求比例"],
  "seconds": ["seconds", "秒"],
  "timeout": ["Timeout", "超时"],
  "apply": ["Apply", "应用"],
  "reset": ["Reset", "还原"],
  "diff": ["What changes", "改动"],
  "command": ["The same with kubectl", "等价的 kubectl 命令"],
  "applying": ["Applying …", "正在应用…"],
  "applied": ["Applied, live after {ms} ms", "已应用，{ms} 毫秒后生效"],
  "changed since": ["The rules were changed since: reset to see them", "规则已被改动：请先还原"],
  "replay": ["Replay", "回放"],
  "play": ["Play", "播放"],
  "pause": ["Pause", "暂停"],
  "moment": ["Moment", "时刻"],
  "speed": ["Speed", "速度"],
  "back-to-live": ["Back to live", "回到实时"],
  "export": ["Export as a file", "导出为文件"],
  "cut off": ["The page is cut off: open the address that meshdemo ui printed.", "页面已断开：请重新打开 meshdemo ui 打印的地址。"],
  "again": ["meshdemo ui does not answer; trying again …", "meshdemo ui 没有响应，正在重试…"],
};
const LANGUAGES = ["en", "zh"];
let language = 0;

// Give what the page says under a name, with its parts put in.
function say(name, parts = {}) {
  const found = WORDS[name];
  return found ? found[language].replace(/\{(\w+)\}/g, (_, part) => parts[part]) : name;
}
// Give what the server said in the page's language: a sentence comes in each of them, a name is as it is.
const told = said => Array.isArray(said) ? said[language] : said;
// Write a text, and again whenever the language changes.
const texts = new Map();
function tell(id, text) {
  texts.set(id, text);
  document.getElementById(id).textContent = text();
}
function speak(wanted) {
  language = Math.max(0, LANGUAGES.indexOf(wanted));
  document.documentElement.lang = language ? "zh-CN" : "en";
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = say(node.dataset.word);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", say(node.dataset.label));
  for (const [id, text] of texts) document.getElementById(id).textContent = text();
  const other = document.getElementById("language");
  other.textContent = say("language");
  other.lang = language ? "en" : "zh-CN";
}
