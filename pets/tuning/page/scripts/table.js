// The table of cells. However many there are, only the rows in view exist.
const ROW = 37; // as in tune.css
const FITS = 14; // rows in the height of .scroller
const SPARE = 6;
const PRINTED = 60;

const several = numbers.tables.length > 1;
const COLUMNS = [
  { key: "label", text: true, show: (c) => nameCell(c) },
  { key: "count", show: (c) => asCases(c.count) },
  { key: "low", show: (c) => asRange(c.low, c.high) },
  { key: "zero", show: (c) => (c.zero === null ? "" : asPercent(c.zero)) },
  { key: "phantom", show: (c) => (c.phantom === null ? "" : asPercent(c.phantom)) },
  { key: "error", show: (c) => (c.error === null ? "" : asPercent(c.error)) },
  { key: "rate", show: (c) => rateCell(c), order: (c) => c.rate && c.rate[0] },
  { key: "wider", show: (c) => (c.wider === null ? "" : `\u00d7\u202f${fixed[2](c.wider)}`) },
  { key: "from", show: (c) => (c.from === null ? "\u2013" : asPlain(c.from)), order: (c) => c.from ?? Infinity },
  { key: "verdict", show: (c) => verdictMark(c.verdict), order: (c) => VERDICTS.indexOf(c.verdict) },
];
const VERDICTS = ["usable", "noise", "few", "empty"];

const verdictMark = (verdict) =>
  el(
    "span",
    { class: `verdict ${verdict}` },
    el("span", { class: "sign", "aria-hidden": "true" }),
    say(`verdict_${verdict}`),
  );

const rateCell = (c) =>
  c.rate ? [asDecimal(c.rate[0]), el("small", {}, asRange(c.rate[1], c.rate[2], asDecimal))] : "";

// Short parts of a name stay whole; long ones end in dots where the column is narrow.
const partsOf = (c) =>
  el(
    "span",
    { class: "parts" },
    ...c.parts.flatMap((part, i) => [
      ...(i ? [el("span", {}, " \u00b7 ")] : []),
      el("bdi", { class: part.length > 12 ? "long" : null }, part),
    ]),
  );

const nameCell = (c) => {
  const inside = several ? [partsOf(c), el("small", {}, label(numbers.tables[c.table].name))] : [partsOf(c)];
  return el(
    "button",
    {
      type: "button",
      class: "name",
      title: c.label,
      tabindex: c.id === inView.stop ? 0 : -1,
      "aria-pressed": String(c.id === state.chosen),
    },
    ...inside,
  );
};

// One row is a stop of the tab key; from it, arrow keys lead to the others.
const inView = { rows: [], first: -1, last: -1, stop: null, printing: false };

const chooseRows = () => {
  const words = state.find.toLocaleLowerCase(DATA.language).split(/\s+/).filter(Boolean);
  const matching = rarestFirst.filter(
    (cell) =>
      words.every((part) => cell.key.includes(part)) &&
      (state.show === "all" || (cell.verdict === "usable") === (state.show === "usable")),
  );
  const column = COLUMNS.find(({ key }) => key === state.sort.key);
  if (column.key === "count") return state.sort.up ? matching : matching.reverse();
  const sign = state.sort.up ? 1 : -1;
  const order = column.order ?? ((c) => c[column.key]);
  const compare = column.text
    ? (a, b) => sign * collator.compare(a.label, b.label)
    : (a, b) => {
        const [x, y] = [order(a), order(b)];
        if (x === null || y === null) return (x === null) - (y === null);
        return sign * (x - y) || 0;
      };
  return matching.sort(compare);
};
const collator = new Intl.Collator(DATA.language, { numeric: true });

const drawHead = () => {
  byId("cell-head").replaceChildren(
    el(
      "tr",
      {},
      ...COLUMNS.map(({ key }) => {
        const chosen = state.sort.key === key;
        const direction = state.sort.up ? "ascending" : "descending";
        return el(
          "th",
          { scope: "col", class: `c-${key}`, "aria-sort": chosen ? direction : "none" },
          el(
            "button",
            { type: "button", id: `sort-${key}`, title: say("sort_by"), onclick: () => sortBy(key) },
            say(`column_${key}`),
          ),
          el("span", { class: "print-only" }, say(`column_${key}`)), // a button is not printed again on the next page
        );
      }),
    ),
  );
};

const sortBy = (key) => {
  state.sort = { key, up: state.sort.key === key ? !state.sort.up : true };
  drawHead();
  byId(`sort-${key}`).focus();
  byId("scroller").scrollTop = 0;
  drawTable();
};

const rowOf = (cell, position) => {
  const row = el(
    "tr",
    { "aria-rowindex": position + 2, "data-id": cell.id, class: cell.id === state.chosen ? "chosen" : null },
    ...COLUMNS.map(({ key, show }, i) => {
      const content = [show(cell)].flat();
      return i ? el("td", { class: `c-${key}` }, ...content) : el("th", { scope: "row", class: "c-label" }, ...content);
    }),
  );
  return row;
};

const gap = (rows) => {
  const filler = el("tr", { class: "gap", "aria-hidden": "true" }, el("td", { colspan: COLUMNS.length }));
  filler.firstChild.style.height = `${rows * ROW}px`;
  return filler;
};

const drawRows = (force) => {
  const { rows } = inView;
  const scroller = byId("scroller");
  const top = Math.floor(scroller.scrollTop / ROW);
  const first = inView.printing ? 0 : Math.max(0, Math.min(top, rows.length - FITS) - SPARE);
  const last = inView.printing ? Math.min(rows.length, PRINTED) : Math.min(rows.length, first + FITS + 2 * SPARE);
  if (!force && first === inView.first && last === inView.last) return;
  Object.assign(inView, { first, last });
  const visible = rows.slice(top, top + FITS - 2);
  inView.stop = (visible.find((cell) => cell.id === state.chosen) ?? visible[0])?.id ?? null;
  const focused = document.activeElement?.closest?.("#cell-rows tr")?.dataset.id;
  const shown = rows.slice(first, last).map((cell, i) => rowOf(cell, first + i));
  if (!inView.printing && first > 0) shown.unshift(gap(first));
  if (!inView.printing && last < rows.length) shown.push(gap(rows.length - last));
  byId("cell-rows").replaceChildren(...shown);
  if (focused) byId("cell-rows").querySelector(`tr[data-id="${focused}"] button`)?.focus({ preventScroll: true });
};

const drawTable = () => {
  inView.rows = chooseRows();
  byId("cell-table").setAttribute("aria-rowcount", inView.rows.length + 1);
  byId("found").textContent = sayMany("found", inView.rows.length, { all: asCount(cells.length) });
  const cut = inView.rows.length - PRINTED;
  byId("cells-cut").textContent = cut > 0 ? sayMany("cells_cut", cut) : "";
  drawRows(true);
};

const chooseCell = (id) => {
  state.chosen = id;
  state.draws = null;
  drawRows(true);
  drawOne();
};

const stepRow = (id, by) => {
  const position = inView.rows.findIndex((cell) => cell.id === id) + by;
  if (position < 0 || position >= inView.rows.length) return;
  const scroller = byId("scroller");
  const top = position * ROW;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  const bottom = top + 3 * ROW - scroller.clientHeight;
  if (bottom > scroller.scrollTop) scroller.scrollTop = bottom;
  drawRows(true);
  byId("cell-rows").querySelector(`tr[data-id="${inView.rows[position].id}"] button`)?.focus({ preventScroll: true });
};

const listenToTable = () => {
  byId("scroller").addEventListener("scroll", () => drawRows(false), { passive: true });
  byId("cell-rows").addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-id]");
    if (row) chooseCell(Number(row.dataset.id));
  });
  byId("cell-rows").addEventListener("keydown", (event) => {
    const row = event.target.closest("tr[data-id]");
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!row || !by) return;
    event.preventDefault();
    stepRow(Number(row.dataset.id), by);
  });
  byId("find").addEventListener("input", (event) => {
    state.find = event.target.value;
    byId("scroller").scrollTop = 0;
    drawTable();
  });
  byId("show").addEventListener("change", (event) => {
    state.show = event.target.value;
    byId("scroller").scrollTop = 0;
    drawTable();
  });
};
