// The service's HTTP interface; addresses are relative, so that it may live below a path.

import { make } from "./dom.js";
import { recall, remember, say } from "./language.js";
import { WORDS } from "./words.js";

// The key goes with the tab and is kept in no other place.
const tab = () => sessionStorage;
export const apiKey = { get: () => recall("key", tab), set: (value) => remember("key", value, tab) };

/** An answer that is a problem document, or none at all (status 0). */
export class Problem extends Error {
  constructor(status, { detail = "", code = status ? "error" : "unreachable", request_id: request }, retryAfter) {
    super(detail);
    Object.assign(this, { status, request, retryAfter: Number(retryAfter) || 0, key: "problem." + code });
    if (!(this.key in WORDS)) this.key = "problem.error";
  }

  /** What happened in the page's words; the service's own words, the status, the request. */
  nodes() {
    const facts = [this.message, this.status, this.request].filter(Boolean).join(" · ");
    return [make("b", {}, say(this.key)), make("small", {}, facts)];
  }
}

/** The response, a good one. Raises Problem, or AbortError when `signal` says so. */
export async function call(method, path, { body, headers, signal } = {}) {
  const sent = { Accept: "application/json", "Content-Type": "application/json", ...headers };
  if (apiKey.get()) sent.Authorization = "Bearer " + apiKey.get();
  const response = await fetch(path, { method, headers: sent, body: JSON.stringify(body), signal, cache: "no-store" })
    .catch((error) => { throw error.name === "AbortError" ? error : new Problem(0, { detail: error.message }); });
  if (response.ok) return response;
  throw new Problem(response.status, await response.json().catch(() => ({})), response.headers.get("Retry-After"));
}

export const search = async (body, signal) => (await call("POST", "v1/rag/search", { body, signal })).json();
export const readStatus = async () => (await call("GET", "v1/rag/status")).json();
export const pathOf = (id) => "v1/templates/" + encodeURIComponent(id);

/** Server-sent events as they come: {name, data}. Comments only keep the connection alive. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const [, name, data] = block.match(/^event: (.*)\ndata: (.*)$/) ?? [];
      if (name) yield { name, data: JSON.parse(data) };
    }
  }
}

/** Values of fields by name, those with something in them. */
export const filled = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value?.length));
export const split = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);
