// The search: one question to each lane and to both together, side by side.

import { Problem, filled, search, split } from "./api.js";
import { button, byId, make, marked } from "./dom.js";
import { QUESTIONS } from "./examples.js";
import { inLanguage, milliseconds, number, say } from "./language.js";

const LANES = ["lexical", "dense", "hybrid"];

// What each lane last gave: {result}, {problem}, or {} while it is asked.
let lanes = {};
let running = new AbortController();
let openEditor;

/** `edit` opens a template in the editor. Returns what searches for a text. */
export function startSearch(edit) {
  openEditor = edit;
  byId("search-form").onsubmit = (event) => { event.preventDefault(); run(); };
  byId("search-examples").append(...QUESTIONS.map((one) => button(one, () => find(one))));
  inLanguage(render);
  return find;
}

function find(text) {
  byId("query").value = text;
  byId("search-form").requestSubmit();
}

async function run() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const filters = filled({
    topic: byId("filter-topic").value.trim(),
    exam: byId("filter-exam").value.trim(),
    tags: split(byId("filter-tags").value),
  });
  const body = { query: byId("query").value, limit: Number(byId("limit").value), filters };
  lanes = Object.fromEntries(LANES.map((lane) => [lane, {}]));
  byId("search-examples").hidden = true;
  render();
  await Promise.all(LANES.map(async (mode) => {
    try {
      lanes[mode].result = await search({ ...body, mode }, signal);
    } catch (problem) {
      if (problem instanceof Problem) lanes[mode].problem = problem;
    }
    if (!signal.aborted) render();
  }));
}

function render() {
  byId("lanes").replaceChildren(...LANES.map((lane) => column(lane, lanes[lane] ?? {})));
  const hits = lanes.hybrid?.result?.hits;
  byId("search-said").textContent = hits ? say("search.found", { n: hits.length, title: hits[0]?.title ?? "—" }) : "";
}

function column(lane, { result, problem }) {
  const box = make("section", { className: "card lane " + lane, ariaLabel: say("lane." + lane) },
    make("h2", {}, say("lane." + lane)), make("small", {}, say("lane.about." + lane)));
  if (problem) box.append(make("div", { className: "fault", role: "alert" }, ...problem.nodes()));
  if (!result) return box;
  const { hits, mode, degraded, timings_ms: timings } = result;
  const parts = ["lexical", "vector", "search"].map((part) => say("timing." + part) + " " + milliseconds(timings[part]));
  box.append(make("p", { className: "row" },
    make("span", { className: "badge" + (degraded ? " warn" : "") }, mode),
    degraded ? make("span", { className: "badge warn" }, say("degraded")) : null,
    make("b", {}, milliseconds(timings.total)), make("small", {}, parts.join(" · "))));
  if (degraded) box.append(make("p", { className: "warn" }, say("lane.degraded")));
  if (!hits.length) box.append(make("p", { className: "empty" }, say("search.nothing")));
  box.append(make("ol", {}, ...hits.map((hit) => item(lane, hit, hits[0].score))));
  return box;
}

function item(lane, hit, best) {
  const bar = make("i", { className: "bar-of" });
  // Scores compare within one answer; those of the fusion can be negative.
  bar.style.setProperty("--part", best > 0 ? Math.max(0, hit.score / best) : 0);
  const label = say("edit.open") + ": " + hit.title;
  return make("li", {},
    make("h3", {}, hit.title),
    make("p", { className: "row", title: say("score") }, bar, number(hit.score, 2), make("code", {}, hit.template_id + " v" + hit.version)),
    make("p", { className: "text" }, ...marked(hit.text, hit.highlights)),
    make("p", { className: "row" },
      ...(lane === "hybrid" ? LANES.slice(0, 2).map((one) => place(one, hit.template_id)) : []),
      button(say("edit.open"), () => openEditor(hit.template_id), { className: "link", ariaLabel: label })));
}

/** Where a lane of its own has a hit of the fusion. */
function place(lane, id) {
  const at = lanes[lane].result?.hits.findIndex((hit) => hit.template_id === id) ?? -1;
  return make("span", { className: "place " + lane }, say("lane." + lane) + ": " + (at < 0 ? "—" : at + 1));
}
