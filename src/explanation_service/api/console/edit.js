// The editor: one template, written and deleted. What becomes of a write is told beside it.

import { Problem, call, pathOf, split } from "./api.js";
import { byId, make } from "./dom.js";
import { inLanguage, moment, say } from "./language.js";
import { follow, startWay } from "./way.js";

// The template as the service has it, and its ETag; null for one that was not read.
let stored = null;

/** `find` searches for a text. Returns what opens a template by its id. */
export function startEdit(find) {
  const id = byId("edit-id");
  byId("edit-form").onsubmit = (event) => { event.preventDefault(); attempt(save); };
  byId("edit-load").onclick = () => attempt(load);
  byId("edit-new").onclick = () => {
    fill({ id: "rule-" + Date.now().toString(36) });
    keep(null);
    byId("edit-name").focus();
  };
  byId("edit-delete").onclick = () => { if (confirm(say("edit.delete.sure", stored))) attempt(remove); };
  id.onfocus = offerIds;
  id.oninput = () => keep(null);
  id.onkeydown = (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    attempt(load);
  };
  inLanguage(showVersion);
  startWay(find);
  return (wanted) => { id.value = wanted; attempt(load); };
}

/** Offers the ids of the first rules wherever one is to be typed. */
export async function offerIds() {
  if (byId("ids").children.length) return;
  const response = await call("GET", "v1/templates?limit=200").catch(() => null);
  const { items } = response ? await response.json() : { items: [] };
  byId("ids").replaceChildren(...items.map(({ id: value, title: label }) => make("option", { value, label })));
}

async function attempt(work) {
  byId("edit-fault").replaceChildren();
  byId("edit-form").ariaBusy = "true";
  try {
    await work(byId("edit-id").value.trim());
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    byId("edit-fault").replaceChildren(...problem.nodes());
  }
  byId("edit-form").ariaBusy = "false";
}

async function load(id) {
  if (!byId("edit-id").reportValidity()) return;
  keep(null);
  const response = await call("GET", pathOf(id));
  const template = await response.json();
  fill(template);
  keep(template, response);
}

async function save(id) {
  const before = stored;
  const label = (name) => byId("edit-" + name).value.trim() || null;
  const body = {
    title: byId("edit-name").value, body: byId("edit-body").value, topic: label("topic"), exam: label("exam"),
    tags: split(byId("edit-tags").value), status: byId("edit-draft").checked ? "draft" : "published",
  };
  // What somebody else wrote meanwhile is not written over, nor is a rule that was not read.
  const headers = before === null ? { "If-None-Match": "*" } : condition(before);
  const since = performance.now();
  const response = await call("PUT", pathOf(id), { body, headers });
  const template = await response.json();
  keep(template, response);
  // A draft is to go from the index, where it has the words that it had before.
  const draft = template.status === "draft";
  follow({ id, version: template.version, gone: draft, what: draft ? "drafted" : "written",
    since, took: performance.now() - since, words: (draft && before) || template });
}

async function remove() {
  const before = stored;
  const since = performance.now();
  await call("DELETE", pathOf(before.id), { headers: condition(before) });
  keep(null);
  follow({ id: before.id, gone: true, what: "deleted", since, took: performance.now() - since, words: before });
}

const condition = ({ etag }) => (etag ? { "If-Match": etag } : {});

function keep(template, response) {
  stored = template && { ...template, etag: response.headers.get("ETag") };
  showVersion();
}

function fill({ id, title = "", body = "", topic, exam, tags = [], status }) {
  const values = { id, name: title, body, topic: topic ?? "", exam: exam ?? "", tags: tags.join(", ") };
  for (const [name, value] of Object.entries(values)) byId("edit-" + name).value = value;
  byId("edit-draft").checked = status === "draft";
}

function showVersion() {
  byId("edit-version").textContent = stored
    ? say("edit.version", { n: stored.version, when: moment(stored.updated_at) }) : say("edit.unread");
  byId("edit-delete").disabled = !stored;
}
