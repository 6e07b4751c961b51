// The page itself: four views, the switches, the shortcuts.

import { apiKey } from "./api.js";
import { byId, make } from "./dom.js";
import { startEdit } from "./edit.js";
import { startExplain } from "./explain.js";
import { inLanguage, recall, remember, say, switchLanguage, translate } from "./language.js";
import { startSearch } from "./search.js";
import { refresh, startState } from "./state.js";

const VIEWS = ["search", "explain", "edit", "state"];
const current = () => VIEWS.find((view) => location.hash === "#" + view) ?? VIEWS[0];

function show() {
  for (const view of VIEWS) {
    byId(view).hidden = view !== current();
    document.querySelector(`nav [href="#${view}"]`).ariaCurrent = view === current() ? "page" : null;
  }
  document.title = say(current() + ".title") + " · " + say("name");
}

/** Shows a view and goes into its first field. */
function go(view) {
  location.hash = view;
  show();
  byId(view).querySelector("[data-first]").focus();
}

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (recall("theme") ?? (systemIsDark.matches ? "dark" : "light")) === "dark";
function paint() {
  if (recall("theme")) document.documentElement.dataset.theme = recall("theme");
  byId("theme").ariaPressed = String(isDark());
}
function switchTheme() {
  remember("theme", isDark() ? "light" : "dark");
  paint();
}

function openKey() {
  byId("key").value = apiKey.get() ?? "";
  byId("key-dialog").returnValue = "";
  byId("key-dialog").showModal();
}
function closeKey() {
  const chosen = byId("key-dialog").returnValue;
  if (chosen) apiKey.set(chosen === "keep" ? byId("key").value.trim() : "");
  byId("key").value = "";
  showKey();
  refresh();
}
const showKey = () => byId("key-open").classList.toggle("on", Boolean(apiKey.get()));

// By the place of the key, where letters differ between layouts: they work with a Russian one, too.
const SHORTCUTS = [
  ["/", "search.query", ({ key, code }) => key === "/" || code === "Slash", () => go("search")],
  ...VIEWS.map((view, at) => [String(at + 1), view, ({ key }) => key === String(at + 1), () => go(view)]),
  ["K", "key", ({ code }) => code === "KeyK", openKey],
  ["L", "language", ({ code }) => code === "KeyL", switchLanguage],
  ["T", "theme", ({ code }) => code === "KeyT", switchTheme],
];
// These work in fields, and are not in the list above: they belong to the field.
const IN_FIELDS = [["Ctrl Enter", "keys.send"], ["Esc", "keys.leave"]];

function onKey(event) {
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const field = event.target.closest("input:not([type=checkbox]), textarea");
  const control = event.ctrlKey || event.metaKey;
  if (event.key === "Escape") {
    field?.blur();
    if (current() === "explain") byId("explain-stop").click();
  }
  if (field && control && event.key === "Enter") return field.form.requestSubmit();
  const shortcut = SHORTCUTS.find(([, , is]) => is(event));
  if (field || control || event.altKey || !shortcut) return;
  event.preventDefault();
  shortcut[3]();
}

function render() {
  translate();
  show();
  byId("shortcuts").replaceChildren(...[...SHORTCUTS, ...IN_FIELDS].map(([keys, words]) =>
    make("span", {}, ...keys.split(" ").map((key) => make("kbd", {}, key)), " " + say(words))));
}

inLanguage(render);
paint();
showKey();
systemIsDark.addEventListener("change", paint);
addEventListener("hashchange", () => {
  show();
  // A shortcut has put the focus into the view already; a link puts it on the title.
  if (!byId(current()).contains(document.activeElement)) byId(current()).querySelector("h1").focus();
});
addEventListener("keydown", onKey);
// Not by its address, which is the view's.
byId("skip").onclick = (event) => { event.preventDefault(); byId("main").focus(); };
byId("theme").onclick = switchTheme;
byId("language").onclick = switchLanguage;
byId("key-open").onclick = openKey;
byId("key-dialog").onclose = closeKey;

const find = startSearch((id) => { go("edit"); open(id); });
const open = startEdit((query) => { go("search"); find(query); });
startExplain((id) => { go("edit"); open(id); });
startState();
