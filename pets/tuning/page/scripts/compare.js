// Other techniques, attacks, who sees what, and what it costs.
const share = (value) => (value === null || value === undefined ? "\u2013" : asPercent(value));
const foreign = (text) => el("small", { lang: "en" }, text);
// The error of noise in each cell, over all cells, by its closed form; of other techniques, what Python computed.
const errorOf = (row) => {
  if (!["discrete_laplace", "discrete_gaussian"].includes(row.kind)) {
    return between(row.error_by_epsilon, equivalentEpsilon(), "error");
  }
  const squares = numbers.tables.map((table, t) => table.counts.length * tableNoise(t, state.epsilon, row.kind).variance);
  return { value: Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / cells.length), sign: "" };
};

const noteOf = (kind, text) => {
  const known = term(`note_${kind}`);
  return known === `note_${kind}` ? foreign(text) : el("small", {}, known);
};

const drawMechanisms = () => {
  const { mechanisms } = numbers;
  byId("mechanisms").closest("section").hidden = mechanisms.rows.length === 0;
  byId("mechanisms-note").textContent = say("mechanism_note", { epsilon: asEpsilon(privacy.epsilon) });
  plainTable(
    "mechanisms-table",
    ["mechanism", "mechanism_error", "mechanism_published", "mechanism_zero", "mechanism_attack"],
    mechanisms.rows.map((row) => {
      const error = errorOf(row);
      const fixedError = row.error_by_epsilon.every((point) => point.error === row.error_by_epsilon[0].error);
      const chosen = row.kind === privacy.mechanism;
      return el(
        "tr",
        { class: chosen ? "picked" : null },
        el(
          "th",
          { scope: "row" },
          el("span", {}, term(row.kind) === row.kind ? row.name : term(row.kind)),
          noteOf(row.kind, row.note),
        ),
        el("td", {}, `${fixedError ? "" : error.sign}\u00b1\u202f${asDecimal(error.value)}`),
        el(
          "td",
          {},
          share(row.published_share),
          row.cases_share < 1 ? el("small", {}, say("mechanism_cases", { share: asPercent(row.cases_share) })) : null,
        ),
        el("td", {}, share(row.false_zero)),
        el("td", {}, row.attack ? ofHundred(row.attack.success) : "\u2013"),
      );
    }),
  );
};

const drawCrossing = () => {
  const { crossing, cells_per_person_curve: curve } = numbers.mechanisms;
  if (!curve.length) return;
  const width = widthOf("crossing-picture");
  const [tall, left, right, top] = [190, 34, 92, 30];
  const most = Math.max(...curve.flatMap(({ laplace: l, gaussian: g }) => [l, g]));
  const last = curve.at(-1).cells;
  const x = (count) => left + ((width - left - right) * (count - 1)) / Math.max(1, last - 1);
  const y = (value) => top + tall * (1 - value / most);
  const path = (name, kind) =>
    svg("path", {
      class: kind,
      d: curve.map((point, i) => `${i ? "L" : "M"}${x(point.cells).toFixed(1)} ${y(point[name]).toFixed(1)}`).join(""),
    });
  const ticks = [1, 10, 20, 30, 40].filter((count) => count <= last);
  const cross = crossing?.cells_per_person;
  const end = curve.at(-1);
  picture(
    "crossing-picture",
    width,
    top + tall + 46,
    crossingWords(),
    word(0, 12, say("crossing_axis"), { class: "strong" }),
    line(left, top + tall, width - right, top + tall, "axis"),
    ...[0, most / 2, most].map((value) => word(left - 8, y(value) + 4, asTwo(value), { "text-anchor": "end" })),
    ...ticks.map((count) => word(x(count), top + tall + 18, asCount(count), { "text-anchor": "middle" })),
    word(left, top + tall + 38, say("crossing_cells")),
    ...(cross
      ? [
          line(x(cross), top, x(cross), top + tall, "dashed"),
          word(x(cross) + 6, top + 12, say("crossing_from", { n: asCount(cross) }), { class: "ink" }),
        ]
      : []),
    path("laplace", "yes"),
    path("gaussian", "third"),
    word(width - right + 8, y(end.laplace) + 4, "Laplace", { class: "yes" }),
    word(width - right + 8, y(end.gaussian) + 4, "Gauss", { class: "third" }),
  );
  byId("crossing-said").textContent = crossingWords();
};

const crossingWords = () => {
  const { crossing, cells_per_person_curve: curve } = numbers.mechanisms;
  const values = {
    epsilon: asEpsilon(privacy.epsilon),
    delta: oneIn(privacy.delta),
    plan: asCount(crossing.this_plan),
    most: asCount(curve.at(-1).cells),
  };
  return crossing.cells_per_person
    ? say("crossing_said", { n: asCount(crossing.cells_per_person), ...values })
    : say("crossing_never", values);
};

const drawPlacement = () => {
  const rows = numbers.noise_placement;
  byId("placement-table").hidden = rows.length === 0;
  byId("placement-note").hidden = rows.length === 0;
  plainTable(
    "placement-table",
    ["placement", "placement_error"],
    rows.map((row) =>
      el(
        "tr",
        { class: row.this_plan ? "picked" : null },
        el(
          "th",
          { scope: "row" },
          term(row.name),
          el(
            "small",
            {},
            fill(term(`placement_${row.name}`), { sites: asCount(row.sites), honest: asCount(row.honest) }),
          ),
        ),
        el("td", {}, `\u00d7\u202f${fixed[2](Math.sqrt(row.variance_factor))}`),
      ),
    ),
  );
};

const drawAttack = () => {
  const rows = numbers.attack;
  byId("attack").closest("section").hidden = rows.length === 0;
  const width = widthOf("attack-picture");
  const [left, right, step, top] = [2, 44, 50, 34];
  const x = (value) => left + (width - left - right) * value;
  picture(
    "attack-picture",
    width,
    top + rows.length * step + 4,
    say("attack_alt"),
    ...[0, 0.5, 1].map((value) =>
      word(x(value), 12, asCount(100 * value), { "text-anchor": value ? "middle" : "start" }),
    ),
    ...rows.flatMap((row, i) => {
      const y = top + i * step;
      return [
        word(left, y, shorten(term(row.name), Math.floor(width / 7.4)), { class: "ink" }),
        box(left, y + 12, width - left - right, 8, "bare"),
        line(x(row.chance), y + 7, x(row.chance), y + 25, "dashed"),
        svg("line", {
          x1: x(row.low),
          x2: Math.max(x(row.high), x(row.low) + 2),
          y1: y + 16,
          y2: y + 16,
          class: "no",
          "stroke-width": 8,
        }),
        dot(x(row.success), y + 16, 5, "waste"),
        ...(row.bound === null ? [] : [line(x(row.bound), y + 6, x(row.bound), y + 26, "mark")]),
        word(width - right + 12, y + 21, asCount(100 * row.success), { class: "strong" }),
      ];
    }),
  );
  plainTable(
    "attack-table",
    ["attack_what", "attack_right", "attack_chance", "attack_bound", "attack_runs"],
    rows.map((row) =>
      el(
        "tr",
        {},
        el(
          "th",
          { scope: "row" },
          term(row.name),
          el("small", {}, fill(term(row.what_key), row.what_values)),
        ),
        el("td", {}, asPercent(row.success), el("small", {}, asRange(100 * row.low, 100 * row.high))),
        el("td", {}, asPercent(row.chance)),
        el("td", {}, row.bound === null ? say("attack_unbounded") : asPercent(row.bound)),
        el(
          "td",
          {},
          asCount(row.runs),
          row.epsilon === null ? null : el("small", {}, `\u03b5 = ${asEpsilon(row.epsilon)}`),
          el("small", {}, row.date),
        ),
      ),
    ),
  );
};
