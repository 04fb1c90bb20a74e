// Elements are made, never parsed: a label can be any text and stays text.
const SVG = "http://www.w3.org/2000/svg";

const assemble = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
};

const el = (tag, attributes = {}, ...children) => assemble(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) => assemble(document.createElementNS(SVG, tag), attributes, children);
const byId = (id) => document.getElementById(id);

// Writes a text with *bold* parts into a node; a value that a label supplies is never read for stars.
const rich = (text, values = {}) =>
  text.split(/\*([^*]+)\*/).map((part, i) => (i % 2 ? el("b", {}, fill(part, values)) : fill(part, values)));
const write = (id, key, values) => byId(id).replaceChildren(...rich(DATA.texts[key], values));

// The direction of a label is its own.
const label = (text) => el("bdi", {}, text);

const picture = (id, width, height, title, ...children) => {
  const drawing = svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title },
    ...children,
  );
  byId(id).replaceChildren(drawing);
};

const word = (x, y, text, attributes = {}) => svg("text", { x, y, ...attributes }, text);
const line = (x1, y1, x2, y2, kind) => svg("line", { x1, y1, x2, y2, class: kind });
const box = (x, y, width, height, kind) =>
  svg("rect", { x, y, width: Math.max(0, width), height: Math.max(0, height), class: kind });
const dot = (cx, cy, r, kind) => svg("circle", { cx, cy, r, class: kind });

// Widths are read once, before anything is drawn: to ask between two drawings would lay the page out again each time.
const widths = new Map();
const measure = () => {
  for (const node of document.querySelectorAll("[id$='-picture']")) widths.set(node.id, node.clientWidth);
};
const widthOf = (id) => Math.max(280, Math.round(widths.get(id)) || 640);

const headCells = (keys) => el("tr", {}, ...keys.map((key) => el("th", { scope: "col" }, DATA.texts[key])));
const plainTable = (id, keys, rows) => {
  byId(id).replaceChildren(el("thead", {}, headCells(keys)), el("tbody", {}, ...rows));
};
