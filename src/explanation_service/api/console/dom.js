// Elements from data. Content goes in as text nodes only: rules, answers and errors are written by
// people, and none of them is markup here.

export const byId = (id) => document.getElementById(id);

/** An element: `properties` as in the DOM, children as nodes or text; null is left out. */
export function make(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** A button that sends no form. */
export const button = (text, onclick, properties) => make("button", { type: "button", onclick, ...properties }, text);

/** What fits beside others: characters, and those before the first mark. */
const [SHOWN, BEFORE] = [260, 60];

/** The nodes of a text with marks at `ranges` ({start, end} in code points, ordered, apart): of a long
 *  one only a part, around the place with most marks. */
export function marked(text, ranges) {
  const points = Array.from(text);
  const [from, to] = extract(points, ranges);
  const nodes = [from > 0 ? "… " : ""];
  let at = from;
  for (const { start, end } of ranges.filter((range) => range.start >= from && range.end <= to)) {
    nodes.push(points.slice(at, start).join(""), make("mark", {}, points.slice(start, end).join("")));
    at = end;
  }
  return [...nodes, points.slice(at, to).join(""), to < points.length ? " …" : ""];
}

function extract(points, ranges) {
  if (points.length <= SHOWN) return [0, points.length];
  const marks = (start) => ranges.filter((one) => one.start >= start && one.end < start + SHOWN - BEFORE).length;
  const best = ranges.map((range) => range.start).reduce((one, other) => (marks(other) > marks(one) ? other : one), 0);
  let from = best < SHOWN - BEFORE ? 0 : best - BEFORE;
  while (from > 0 && points[from - 1].trim()) from -= 1;
  let to = Math.min(from + SHOWN, points.length);
  while (to < points.length && points[to].trim()) to += 1;
  return [from, to];
}
