// The sections that are tables. What lies between two settings that Python computed is read off the line between them.
const between = (points, at, figure) => {
  const values = points
    .map((point) => [point.epsilon, point[figure]])
    .filter(([, value]) => value !== null && value !== undefined);
  if (!values.length) return null;
  const exact = values.find(([epsilon]) => Math.abs(epsilon / at - 1) < 1e-9);
  if (exact) return { value: exact[1], sign: "" };
  const next = values.findIndex(([epsilon]) => epsilon > at);
  if (next === 0) return { value: values[0][1], sign: "\u2265\u202f" };
  if (next < 0) return { value: values.at(-1)[1], sign: "\u2264\u202f" };
  const [[a, low], [b, high]] = [values[next - 1], values[next]];
  const share = Math.log(at / a) / Math.log(b / a);
  const value = low > 0 && high > 0 ? low * (high / low) ** share : low + (high - low) * share;
  return { value, sign: "\u2248\u202f" };
};

// Python computed for the plan's cells per person and shares. With others, noise is that of another epsilon.
const equivalentEpsilon = (table = null) => {
  const factor = privacy.contribution / state.contribution;
  const part = table === null ? 1 : state.shares[table] / numbers.tables[table].share;
  if (factor === 1 && part === 1) return state.epsilon;
  if (privacy.mechanism === "discrete_laplace") return state.epsilon * factor * part;
  const wanted = rhoFor(state.epsilon, privacy.delta) * factor ** 2 * part;
  let [low, high] = [1e-4, 1e3];
  for (let step = 0; step < 60; step += 1) {
    const middle = Math.sqrt(low * high);
    if (rhoFor(middle, privacy.delta) > wanted) high = middle;
    else low = middle;
  }
  return low;
};

const asTotal = (total, value) => {
  if (total.kind === "survival") return asPercent(value);
  return ["rate", "ratio"].includes(total.kind) ? fixed[2](value) : asCases(Math.round(value * 10) / 10);
};

// A survival curve is one total for each of its times.
const oneByOne = (total) =>
  total.kind !== "survival"
    ? [total]
    : total.times.map((time, i) => ({
        ...total,
        label: say("survival_at", { label: total.label, time: asPlain(time) }),
        value: total.value[i],
        by_epsilon: total.by_epsilon.map((point) => ({
          epsilon: point.epsilon,
          half_width: point.half_width[i],
          chance_half_width: point.chance_half_width[i],
        })),
      }));

const spreadAt = (total, figure) => {
  const table = numbers.tables.findIndex(({ name }) => name === total.table);
  const found = between(total.by_epsilon, equivalentEpsilon(table), figure);
  if (found === null) return "\u2013";
  const value = ["sum", "margin"].includes(total.kind) ? Math.round(found.value) : found.value;
  return `${found.sign}\u00b1\u202f${asTotal(total, value)}`;
};

const totalRow = (total) => {
  const alone = total.by_epsilon[0].chance_half_width;
  const small =
    alone === undefined ? null : el("small", {}, say("total_chance", { n: `\u00b1\u202f${asTotal(total, alone)}` }));
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, label(total.label), el("small", {}, term(total.kind))),
    el("td", {}, asTotal(total, total.value)),
    el("td", {}, asCount(total.cells)),
    el("td", {}, spreadAt(total, "half_width"), small),
    el("td", {}, spreadAt(total, "direct_half_width")),
  );
};

const drawTotals = () => {
  const rows = numbers.totals.flatMap(oneByOne).map(totalRow);
  plainTable("totals-table", ["total", "total_value", "total_cells", "total_added", "total_direct"], rows);
  byId("totals").closest("section").hidden = rows.length === 0;
};

const drawLedger = () => {
  const cell = (text) => el("td", {}, text);
  const rows = budget.spent.map((charge) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, label(charge.label), el("small", {}, charge.date)),
      cell(asEpsilon(charge.epsilon)),
    ),
  );
  rows.push(el("tr", {}, el("th", { scope: "row" }, say("ledger_plan")), cell(asEpsilon(state.epsilon))));
  const left = leftAfter(1);
  rows.push(
    el(
      "tr",
      { class: "strong" },
      el("th", { scope: "row" }, say(isOver() ? "ledger_over" : "ledger_left", { total: asEpsilon(budget.total) })),
      el("td", { class: isOver() ? "over" : null }, asEpsilon(Math.abs(left))),
    ),
  );
  plainTable("ledger-table", ["ledger_what", "ledger_epsilon"], rows);
  const { tighter } = budget;
  byId("budget-note").textContent = tighter
    ? say("composition", {
        n: asCount(tighter.releases),
        plain: asEpsilon(tighter.plain),
        composed: asThree(tighter.composed),
        delta: oneIn(tighter.delta),
        start: asEpsilon(privacy.epsilon),
      })
    : budget.composition_words;
};
