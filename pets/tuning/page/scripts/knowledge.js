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
  const [{ date, command } = {}] = numbers.cost;
  byId("cost-note").textContent = date ? say("cost_note", { date, command }) : "";
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
  if (["aggregator", "noise_at", "sites"].some(isAssumed)) byId("saw-said").append(` ${say("saw_assumed")}`);
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
const { recommendation } = numbers;
const isHelpless = recommendation.epsilon === null && !better && !recommendation.void && !recommendation.instead;
const foundWords = (key) =>
  rich(
    DATA.texts[recommendation.epsilon === null ? (recommendation.void ? "advice_void" : "advice_none") : key],
    { epsilon: asEpsilon(recommendation.epsilon ?? 0) },
  );

const take = (epsilon, shares) => {
  state.shares = shares;
  setEpsilon(epsilon);
};
const ownShares = numbers.tables.map((table) => table.share);
const betterShares = better?.map((part) => part.share);
const button = (id, words, onclick) =>
  el("button", { type: "button", id, class: "small screen-only", onclick }, words);

const drawAdvice = () => {
  const { epsilon, split_epsilon: less } = recommendation;
  byId("advice").replaceChildren(
    ...foundWords("advice_found"),
    " ",
    ...(epsilon === null
      ? []
      : [button("take-advice", say("take_advice", { epsilon: asEpsilon(epsilon) }), () => take(epsilon, ownShares))]),
    ...(better
      ? [
          " ",
          ...rich(DATA.texts.advice_split, { epsilon: asEpsilon(less) }),
          " ",
          button("take-split", say("take_split", { epsilon: asEpsilon(less) }), () => take(less, betterShares)),
        ]
      : []),
    ...(recommendation.instead ? [el("a", { href: "#choose" }, say("advice_instead"))] : []),
  );
  byId("choose-short").replaceChildren(...foundWords("choose_found"));
  byId("choose-words").replaceChildren(...chooseWords());
};

// Each sentence by itself, in the language of the page.
const chooseWords = () => {
  const { years, left, instead } = recommendation;
  const sentences = [say("choose_wanted", { share: asPercent(recommendation.target_cells) })];
  if (isHelpless) sentences.push(say("choose_helpless"));
  for (const step of instead ?? []) sentences.push(stepWords(step));
  if (instead?.length) sentences.push(say("choose_then", { epsilon: asEpsilon(instead[0].epsilon) }));
  else if (!isHelpless && !recommendation.void) {
    sentences.push(years ? sayMany("choose_years", years, { left: asEpsilon(left) }) : say("choose_no_years", { left: asEpsilon(left) }));
  }
  return sentences.flatMap((sentence, i) => [i ? " " : "", sentence]);
};

const stepWords = ({ table, changes, cells: after, before }) =>
  say("choose_step", {
    table,
    changes: changes.map(changeWords).join(say("choose_and")),
    cells: asCount(after),
    before: asCount(before),
  });
const changeWords = ({ how, axis, names, more }) =>
  say(`choose_${how}`, { axis, names: names.join(", ") + (more ? sayMany("choose_more", more) : "") });

const drawShares = () => {
  byId("split-table").hidden = better === null;
  byId("split-note").hidden = better === null;
  if (better === null) return;
  plainTable(
    "split-table",
    ["split_table", "split_now", "split_better"],
    better.map((part, i) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, label(part.table)),
        el("td", {}, asPercent(state.shares[i])),
        el("td", {}, asPercent(part.share)),
      ),
    ),
  );
  const less = recommendation.split_epsilon;
  const focused = document.activeElement?.id === "swap-shares";
  byId("split-note").replaceChildren(
    ...(hasBetterShares()
      ? [
          say("split_taken"),
          " ",
          button("swap-shares", say("split_back"), () => take(privacy.epsilon, ownShares)),
        ]
      : [
          say("split_note", { epsilon: asEpsilon(less) }),
          " ",
          button("swap-shares", say("take_split", { epsilon: asEpsilon(less) }), () => take(less, betterShares)),
        ]),
  );
  if (focused) byId("swap-shares").focus();
};

// What nobody has said, so that no reader takes it for the registry's own.
const drawAssumed = () => {
  const { epsilon, contribution } = privacy;
  const known = {
    epsilon: () => say("assumed_epsilon", { epsilon: asEpsilon(epsilon) }),
    unit: () => sayMany("assumed_unit", contribution, { noun: term(privacy.noun) }),
    sites: () => sayMany("assumed_sites", numbers.sites),
    aggregator: () => say("assumed_aggregator", { way: term(numbers.who_sees.aggregator) }),
    noise_at: () => say(`assumed_noise_${numbers.who_sees.noise_at}`),
    rule: () => say("assumed_rule", { share: asPercent(startRule.max_relative_error) }),
  };
  const parts = numbers.assumed.map((name) => known[name]());
  if (budget.assumed) parts.push(say("assumed_budget", { total: asEpsilon(budget.total) }));
  byId("assumed").hidden = parts.length === 0;
  byId("assumed").textContent = parts.length ? say("assumed_all", { list: parts.join("; ") }) : "";
};
