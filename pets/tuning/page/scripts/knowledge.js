// Who sees what, and what adding up costs.
const SIGNS = ["yes", "part", "noisy", "encrypted", "no"];

// A cell is a key of the catalogue, or a sentence; capitals in it mean that somebody sees an exact count of others.
const isExposed = (text) => /^YES\b/.test(text);
const signOf = (text) => {
  if (isExposed(text)) return "exposed";
  if (SIGNS.includes(text)) return text;
  if (/^yes\b/.test(text)) return "yes";
  return /^(never|no|there is none)\b/i.test(text) ? "no" : "part";
};
const sightOf = (text) =>
  el(
    "td",
    { class: "words" },
    el(
      "span",
      { class: `sight ${signOf(text)}` },
      el("span", { class: "sign", "aria-hidden": "true" }),
      el("span", {}, term(text)),
    ),
  );

const drawSees = () => {
  const { who, what, cells: seen } = numbers.who_sees;
  byId("sees-table").replaceChildren(
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        el("th", { scope: "col" }, say("sees_who")),
        ...what.map((key) => el("th", { scope: "col", class: "words" }, term(key))),
      ),
    ),
    el(
      "tbody",
      {},
      ...who.map((key, i) => el("tr", {}, el("th", { scope: "row" }, term(key)), ...seen[i].map(sightOf))),
    ),
  );
  byId("cost-table").hidden = numbers.cost.length === 0;
  plainTable(
    "cost-table",
    ["cost_way", "cost_seconds", "cost_bytes", "cost_rounds"],
    numbers.cost.map((row) =>
      el(
        "tr",
        { class: row.this_plan ? "picked" : null },
        el(
          "th",
          { scope: "row" },
          term(row.aggregator),
          el("small", {}, say("cost_measured", { sites: asCount(row.sites), cells: asCount(row.cells) })),
        ),
        el("td", {}, asDecimal(row.seconds)),
        el("td", {}, asBytes(row.bytes)),
        el("td", {}, asCount(row.rounds)),
      ),
    ),
  );
};

const asBytes = (bytes) => {
  const [unit, size] = [
    ["MB", 1e6],
    ["kB", 1e3],
    ["B", 1],
  ].find(([, least]) => bytes >= least) ?? ["B", 1];
  return `${asThree(bytes / size)}\u202f${unit}`;
};

// Parties that hold an exact count of a registry other than themselves.
const answerSaw = () => {
  const { who, cells: seen } = numbers.who_sees;
  const names = who
    .filter((_, i) => seen[i].some(isExposed))
    .map(term)
    .map((name, i) => (i ? name[0].toLocaleLowerCase() + name.slice(1) : name));
  const list = new Intl.ListFormat(DATA.language).format(names);
  answer(
    "saw",
    names.length ? asCount(names.length) : say("saw_nobody"),
    names.length ? sayMany("saw_small", names.length) : say("saw_nobody_small"),
    names.length ? DATA.texts.saw_said : DATA.texts.saw_none,
    { list },
  );
  const step = 220 / Math.max(1, who.length);
  picture(
    "saw-sketch",
    220,
    46,
    [list, byId("saw-said").textContent].join(" "),
    ...who.map((_, i) => dot(step * (i + 0.5), 14, 7, seen[i].some(isExposed) ? "waste" : "ring")),
    word(0, 42, say("saw_sketch")),
  );
};

// What the targets of the plan ask for, in short above and in full below.
const drawAdvice = () => {
  const { recommendation } = numbers;
  const { epsilon, split } = recommendation;
  const none = recommendation.void ? "advice_void" : "advice_none";
  byId("advice").hidden = !recommendation.words;
  byId("choose").closest("section").hidden = !recommendation.words;
  byId("advice").replaceChildren(
    ...rich(DATA.texts[epsilon === null ? none : "advice_found"], { epsilon: asEpsilon(epsilon ?? 0) }),
    " ",
    epsilon === null
      ? el("a", { href: "#choose", hidden: recommendation.void }, say("advice_instead"))
      : el(
          "button",
          { type: "button", id: "take-advice", class: "small screen-only", onclick: () => setEpsilon(epsilon) },
          say("take_advice", { epsilon: asEpsilon(epsilon) }),
        ),
  );
  write("choose-short", epsilon === null ? none : "choose_found", { epsilon: asEpsilon(epsilon ?? 0) });
  byId("choose-words").textContent = recommendation.words;
  byId("split-table").hidden = split.length === 0;
  plainTable(
    "split-table",
    ["split_table", "split_now", "split_better"],
    split.map((part) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, label(part.table)),
        el("td", {}, asPercent(numbers.tables.find((table) => table.name === part.table)?.share ?? 0)),
        el("td", {}, asPercent(part.share)),
      ),
    ),
  );
  byId("split-note").textContent = split.length
    ? say("split_note", { epsilon: asEpsilon(recommendation.split_epsilon) })
    : "";
};
