// An explanation as it comes: passages, then the text piece by piece, then where it is from.

import { Problem, call, events, filled } from "./api.js";
import { button, byId, make } from "./dom.js";
import { offerIds } from "./edit.js";
import { TASKS } from "./examples.js";
import { inLanguage, milliseconds, number, say } from "./language.js";

// What is on the page: {state, started, aborter} and what has come so far; null before the first.
let shown = null;
let openEditor;

/** `edit` opens a template in the editor. */
export function startExplain(edit) {
  openEditor = edit;
  byId("explain-form").onsubmit = (event) => { event.preventDefault(); run(); };
  byId("explain-stop").onclick = () => shown?.aborter.abort();
  byId("explain-template").onfocus = offerIds;
  byId("explain-examples").append(...TASKS.map(([question, student, correct]) => button(question, () => {
    Object.entries({ question, student, correct }).forEach(([id, value]) => { byId(id).value = value; });
    byId("explain-form").requestSubmit();
  })));
  inLanguage(() => { render(); renderPassages(); });
}

async function run() {
  shown?.aborter.abort();
  const explanation = { state: "searching", started: performance.now(), aborter: new AbortController() };
  shown = explanation;
  const value = (id) => byId(id).value.trim();
  const body = filled({
    question: value("question"), student_answer: value("student"), correct_answer: value("correct"),
    template_id: value("explain-template"), topic: value("explain-topic"), exam: value("explain-exam"),
  });
  byId("answer").replaceChildren();
  render();
  renderPassages();
  try {
    const headers = { Accept: "text/event-stream" };
    const response = await call("POST", "v1/explanations", { body, headers, signal: explanation.aborter.signal });
    for await (const { name, data } of events(response)) if (explanation === shown) take(explanation, name, data);
    // A stream says when it is done; otherwise the connection was lost.
    if (explanation.state !== "over") throw new Problem(0, {});
  } catch (error) {
    explanation.problem = error.name === "AbortError" || error instanceof Problem ? error : new Problem(0, { detail: error.message });
    explanation.state = "over";
  }
  if (explanation === shown) render();
}

function take(explanation, name, data) {
  if (name === "delta") {
    byId("answer").append(data.text);
    if (explanation.state === "streaming") return;
    Object.assign(explanation, { state: "streaming", first: performance.now() - explanation.started });
  }
  if (name === "passages") {
    Object.assign(explanation, data, { state: "phrasing" });
    renderPassages();
  }
  if (name === "done") Object.assign(explanation, { state: "over", done: data });
  if (name === "error") throw new Problem(data.status, data);
  render();
}

function render() {
  const { state = "empty", problem, done } = shown ?? {};
  const busy = state !== "empty" && state !== "over";
  byId("answer").ariaBusy = String(busy);
  byId("explain-go").disabled = busy;
  byId("explain-stop").hidden = !busy;
  byId("explain-empty").hidden = state !== "empty";
  byId("explanation").dataset.state = state;
  byId("explain-fault").replaceChildren(...(problem instanceof Problem ? problem.nodes() : []));
  const badge = (key, kind = "") => make("span", { className: "badge " + kind }, say(key));
  byId("answer-head").replaceChildren(...(done ? head(shown, badge)
    : busy ? [badge("explain." + state)] : problem?.name === "AbortError" ? [badge("explain.stopped")] : []));
  byId("answer-foot").replaceChildren(...(done ? foot(shown) : []));
}

function head({ done, search }, badge) {
  const { source, degraded, truncated } = done;
  const about = [say("source.about." + source)];
  if (truncated) about.push(say("explain.truncated.about"));
  if (search.degraded) about.push(say("explain.search.degraded"));
  return [badge("source." + source, "source " + source), ...(degraded ? [badge("degraded", "warn")] : []),
    ...(truncated ? [badge("explain.truncated", "warn")] : []), make("small", {}, about.join(" "))];
}

function foot({ done, first }) {
  const { search, total } = done.timings_ms;
  const facts = [
    ["explain.first", first && milliseconds(first)],
    ["timing.found", search && milliseconds(search)],
    ["timing.total", total && milliseconds(total)],
    ["worker.model", [done.model, done.model_version].filter(Boolean).join(" ")],
    ["explain.tokens", done.usage && number(done.usage.total_tokens)],
  ];
  return facts.filter(([, value]) => value).map(([key, value]) => make("small", {}, say(key) + " ", make("b", {}, value)));
}

// On its own: a passage that somebody has opened meanwhile stays open.
function renderPassages() {
  const passages = shown?.passages;
  byId("passages").replaceChildren(...(passages ? [
    make("h2", {}, say(passages.length ? "explain.passages" : "explain.none")),
    make("ol", {}, ...passages.map(cited))] : []));
}

function cited({ template_id: id, title, text, score }) {
  return make("li", {}, make("details", {},
    make("summary", {}, title + " ", make("small", { title: say("score") }, number(score, 2))),
    make("p", { className: "text" }, text),
    make("p", { className: "row" }, make("code", {}, id),
      button(say("edit.open"), () => openEditor(id), { className: "link", ariaLabel: say("edit.open") + ": " + title }))));
}
