// What the service says of itself, every two seconds while the page is looked at.

import { Problem, readStatus } from "./api.js";
import { byId, make } from "./dom.js";
import { count, inLanguage, milliseconds, moment, number, say, seconds } from "./language.js";

const PAUSE = 2000;

// {stores, status, problem, seen} of the last look.
let state = { stores: {} };
let timer = 0;

export function startState() {
  document.addEventListener("visibilitychange", refresh);
  inLanguage(render);
  refresh();
}

/** Looks now, and again after a pause. */
export async function refresh() {
  clearTimeout(timer);
  if (document.hidden) return;
  // Set before the look: a second call in the meantime takes it over.
  timer = setTimeout(refresh, PAUSE);
  try {
    // Not being ready is an answer, too.
    const ready = await fetch("health/ready", { cache: "no-store" }).catch(() => { throw new Problem(0, {}); });
    state = { stores: (await ready.json()).dependencies ?? {} };
    state.status = await readStatus();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    state = { ...(problem.status ? state : { stores: {} }), problem };
  }
  state.seen = moment(Date.now());
  render();
}

function render() {
  const { stores, status = {}, problem, seen } = state;
  byId("strip").replaceChildren(...strip(stores, status, problem));
  byId("state-seen").textContent = seen ? say("state.seen", { when: seen }) : "";
  byId("state-fault").replaceChildren(...(problem?.nodes() ?? []));
  fill("stores", Object.entries(stores).map(([name, { status: is, latency_ms: took }]) => [
    "store." + name, took ? milliseconds(took) : say("store.is." + is), "dot " + is]));
  fill("stream", [
    ["state.lag", count(status.stream_lag)],
    ["state.pending", count(status.pending)],
    ["state.oldest", status.pending ? seconds(status.oldest_pending_seconds * 1000) : "—"],
    ["state.length", count(status.stream_length)],
  ]);
  fill("index", [
    ["state.points", count(status.points)],
    ["worker.model", status.model],
    ["worker.revision", status.model_revision],
    ["state.collection", status.collection],
  ]);
  byId("dead").textContent = count(status.dead_letters);
  byId("dead").className = status.dead_letters ? "bad" : "";
  byId("workers").replaceChildren(status.workers?.length ? table(status.workers) : say("worker.none"));
}

function fill(id, lines) {
  byId(id).replaceChildren(...lines.flatMap(([key, value, className = ""]) => [
    make("dt", {}, say(key)), make("dd", { className }, value ?? "—")]));
}

function strip(stores, status, problem) {
  const item = (className, ...words) => make("li", { className }, ...words);
  const figure = (key, value, className = "") => item(className, say(key) + " ", make("b", {}, count(value)));
  const items = Object.entries(stores).map(([name, { status: is }]) =>
    item("dot " + is, say("store." + name), make("span", { className: "hide" }, " " + say("store.is." + is)),
      name === "workers" && status.live_workers ? make("b", {}, " " + number(status.live_workers)) : null));
  if (problem) return [...items, item("bad", say(problem.key))];
  return [...items, figure("state.lag", status.stream_lag), figure("state.pending", status.pending),
    figure("state.dead", status.dead_letters, status.dead_letters ? "bad" : "")];
}

function table(workers) {
  const columns = ["consumer", "role", "model", "revision", "ready"];
  const row = (cell, values) => make("tr", {}, ...values.map((value) => make(cell, {}, value)));
  return make("table", {}, row("th", columns.map((key) => say("worker." + key))), ...workers.map((one) =>
    row("td", [...columns.slice(0, 4).map((key) => one[key]), say(one.ready ? "worker.is.ready" : "worker.is.starting")])));
}
