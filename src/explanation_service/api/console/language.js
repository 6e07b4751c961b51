// Russian or English: the browser's until somebody chooses.

import { WORDS } from "./words.js";

const LANGUAGES = ["ru", "en"];
const changed = [];
let current = recall("language") ?? navigator.languages.map((one) => one.slice(0, 2)).find((one) => LANGUAGES.includes(one)) ?? "ru";

// A browser that forbids storage makes the page forgetful, not broken.
export function recall(name, area = () => localStorage) {
  try { return area().getItem("explanation." + name); } catch { return null; }
}
export function remember(name, value, area = () => localStorage) {
  try { area().setItem("explanation." + name, value); } catch { /* as above */ }
}

/** The words for a key; {name} in them is replaced by values.name. */
export function say(key, values) {
  const words = WORDS[key][LANGUAGES.indexOf(current)];
  return words.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export const number = (value, digits = 0) =>
  new Intl.NumberFormat(current, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
export const count = (value) => (value === null || value === undefined ? "—" : number(value));
export const milliseconds = (value) => say("ms", { n: number(value, value < 10 ? 1 : 0) });
/** Of milliseconds, in tenths of a second. */
export const seconds = (value) => say("s", { n: number(value / 1000, 1) });
export const moment = (time) => new Date(time).toLocaleString(current);

/** `work` is called now and after each change: it makes again what is made from data. */
export function inLanguage(work) {
  changed.push(work);
  work();
}

export function switchLanguage() {
  current = LANGUAGES.find((one) => one !== current);
  remember("language", current);
  for (const work of changed) work();
}

/** Fills in the words of the page itself; those of an element stand before its children. */
export function translate() {
  document.documentElement.lang = current;
  for (const one of document.querySelectorAll("[data-t]")) {
    if (one.firstChild?.nodeType !== Node.TEXT_NODE) one.prepend("");
    one.firstChild.data = say(one.dataset.t) + (one.children.length ? " " : "");
  }
  for (const one of document.querySelectorAll("[data-label]")) one.ariaLabel = one.title = say(one.dataset.label);
  for (const one of document.querySelectorAll("[data-title]")) one.title = say(one.dataset.title);
}
