// The way of a write: in MongoDB, on the stream, in the index. The last step is seen as a pupil would
// see it: by searching until the version is found, or what is to go is no longer.

import { Problem, readStatus, search } from "./api.js";
import { byId, make } from "./dom.js";
import { count, inLanguage, milliseconds, say, seconds } from "./language.js";

// Milliseconds between two searches in the first seconds, and later; and between two looks at the stream.
const [SOON, LATER, FRESH, LOOK] = [150, 1500, 5000, 500];
const A_WORD = /[а-яёa-z0-9]/i;
const pause = (time) => new Promise((resume) => setTimeout(resume, time));

// The write that is followed; null before the first.
let write = null;

/** `find` searches for a text. */
export function startWay(find) {
  byId("way-find").onclick = () => find(write.words.title);
  setInterval(showAge, 100);
  inLanguage(render);
}

/** Follows a write instead of the one before. `words`: {title, body} that finds it; `since`: when it was
 *  sent; `took`: milliseconds until it was stored; `gone`: it is to be found no longer. */
export function follow(begun) {
  write = { ...begun, age: null, status: null, problem: null };
  render();
  untilSeen(write);
  lookAtStream(write);
}

const followed = (one) => one === write && one.age === null;

async function untilSeen(mine) {
  const query = (mine.words.title + " " + mine.words.body).slice(0, 300);
  // The lexical lane needs no worker: looking costs little and disturbs nobody.
  const body = { query, limit: 20, mode: A_WORD.test(query) ? "lexical" : "hybrid" };
  while (followed(mine)) {
    let rest = performance.now() - mine.since < FRESH ? SOON : LATER;
    try {
      const { hits } = await search(body);
      const hit = hits.find((one) => one.template_id === mine.id);
      if (mine.gone ? !hit : hit?.version >= mine.version) mine.age = performance.now() - mine.since;
      mine.problem = null;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      mine.problem = problem;
      rest = Math.max(LATER, problem.retryAfter * 1000);
    }
    if (mine === write) render();
    await pause(rest);
  }
}

async function lookAtStream(mine) {
  while (followed(mine)) {
    mine.status = await readStatus().catch(() => null);
    if (followed(mine)) render();
    await pause(LOOK);
  }
}

function showAge() {
  const text = write ? seconds(write.age ?? performance.now() - write.since) : "—";
  if (byId("age").textContent !== text) byId("age").textContent = text;
}

function render() {
  showAge();
  // Only what has changed, or a screen reader would say it again.
  const said = sentence();
  if (byId("way-said").textContent !== said) byId("way-said").textContent = said;
  byId("way").replaceChildren(...(write ? steps(write) : []));
  byId("way-find").hidden = !write || write.age === null || write.gone;
}

function sentence() {
  if (!write) return say("way.empty");
  const { age, gone, problem, status } = write;
  if (age !== null) return say(gone ? "way.gone.in" : "way.found.in", { s: seconds(age) });
  return say(problem ? "way.search.fails" : status?.live_workers === 0 ? "way.no.worker" : "way.waiting");
}

function steps({ age, gone, status, version, took, what }) {
  const over = age !== null;
  const step = (state, words, detail) => make("li", { className: state }, words + " ", make("small", {}, detail));
  const waiting = status && !over ? say("way.stream.now", { lag: count(status.stream_lag), pending: count(status.pending) }) : "";
  return [
    step("over", say("way." + what, { n: version }), milliseconds(took)),
    step(over ? "over" : "now", say("way.stream"), waiting),
    step(over ? "over" : "", say(gone ? "way.gone" : "way.found"), over ? seconds(age) : ""),
  ];
}
