// The larger pictures. Each is drawn for the width it has, so that its words keep their size.
const drawMap = (view) => {
  const width = widthOf("map-picture");
  const filled = rarestFirst.filter((cell) => cell.verdict !== "empty");
  const named = filled.length <= 36;
  const left = named ? Math.min(240, Math.round(width * 0.36)) : 96;
  const step = named ? 19 : Math.max(0.05, Math.min(4, 400 / Math.max(1, filled.length)));
  const height = Math.max(40, filled.length * step);
  const x = (epsilon) => left + ((width - left - 12) * Math.log(epsilon / LOWEST)) / SPAN;
  const top = 26;
  const bars = [];
  filled.forEach((cell, i) => {
    const start = x(cell.from ?? HIGHEST);
    const last = bars.at(-1);
    if (!named && last?.start === start) last.rows += 1;
    else bars.push({ start, row: i, rows: 1 });
  });
  const pad = named ? 2 : 0;
  const at = x(state.epsilon);
  picture(
    "map-picture",
    width,
    top + height + 44,
    say("map_alt", { n: asCount(view.usable), epsilon: asEpsilon(state.epsilon) }),
    box(left, top, width - left - 12, height, "bare"),
    ...bars.map(({ start, row, rows }) =>
      box(start, top + row * step + pad, width - 12 - start, rows * step - 2 * pad, "area"),
    ),
    ...(named
      ? filled.map((cell, i) => mapName(cell, top + i * step + 14, left))
      : bucketNames(filled, top, step, width)),
    ...STOPS.map((stop) => word(x(stop), top + height + 18, asPlain(stop), { "text-anchor": "middle" })),
    word(left, top + height + 38, say("map_axis")),
    line(at, top - 6, at, top + height + 4, "mark"),
    word(Math.min(at, width - 40), top - 10, `\u03b5 = ${asEpsilon(state.epsilon)}`, {
      "text-anchor": "middle",
      class: "strong",
    }),
  );
  plainTable(
    "map-table",
    ["bucket", "bucket_cells", "bucket_usable", "bucket_share", "bucket_cases"],
    [...BUCKETS.keys()]
      .map((i) => bucketRow(sayBucket(i), view.buckets[i]))
      .concat(
        bucketRow(
          say("bucket_all"),
          { cells: view.filled, usable: view.usable, cases: view.cases, kept: view.kept },
          "strong",
        ),
      ),
  );
};

const sayBucket = (i) => {
  const [least, most] = BUCKETS[i];
  return say("cases_between", { range: most === Infinity ? `${asCount(least)}+` : asRange(least, most) });
};

const bucketRow = (name, { cells: all, usable, cases, kept }, kind = null) =>
  el(
    "tr",
    { class: kind },
    el("th", { scope: "row" }, name),
    ...[
      asCount(all),
      asCount(usable),
      all ? asPercent(usable / all) : "\u2013",
      cases ? asPercent(kept / cases) : "\u2013",
    ].map((text) => el("td", {}, text)),
  );

const shorten = (text, letters) => (text.length > letters ? `${[...text].slice(0, letters - 1).join("")}\u2026` : text);

// Of a label that is too long its longest parts give way, so that two cells of one long name stay two.
const shortParts = (parts, letters) => {
  const kept = [...parts];
  let over = kept.reduce((sum, part) => sum + part.length + 3, -3) - letters;
  for (let turn = 0; over > 0 && turn < parts.length; turn += 1) {
    const at = kept.reduce((best, part, i) => (part.length > kept[best].length ? i : best), 0);
    const before = kept[at].length;
    kept[at] = shorten(kept[at], Math.max(4, before - over));
    over -= before - kept[at].length;
  }
  return kept.map((part) => `\u2068${part}\u2069`).join(" \u00b7 ");
};

// Isolates keep a label that runs from right to left away from the number beside it.
const mapName = (cell, y, left) =>
  svg(
    "text",
    { x: left - 10, y, "text-anchor": "end", class: cell.verdict === "usable" ? "ink" : "" },
    svg("title", {}, cell.label),
    `${shortParts(cell.parts, Math.floor((left - 46) / 7))} \u00b7 ${asCases(cell.count)}`,
  );

const bucketNames = (filled, top, step, width) =>
  BUCKETS.flatMap((_, i) => {
    const first = filled.findIndex((cell) => bucketOf(cell.count) === i);
    const many = filled.filter((cell) => bucketOf(cell.count) === i).length;
    if (!many) return [];
    const y = top + first * step;
    return [
      line(0, y, width - 12, y, "axis"),
      ...(many * step >= 17 ? [word(0, y + 15, sayBucket(i), { class: "ink" })] : []),
      ...(many * step >= 34 ? [word(0, y + 31, sayMany("cells_many", many))] : []),
    ];
  });

// A quantile of the noise: the smallest k with P(Z <= k) >= p.
const quantile = (noise, p) => {
  let high = 1;
  while (noise.atLeast(high + 1) > 1 - p) high *= 2;
  let low = -high;
  while (noise.atLeast(low + 1) < 1 - p) low *= 2;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (1 - noise.atLeast(middle + 1) >= p) high = middle;
    else low = middle;
  }
  return high;
};

const DRAWS = 20;
const chances = () => {
  const bits = crypto.getRandomValues(new Uint32Array(2 * DRAWS));
  return Array.from({ length: DRAWS }, (_, i) => (bits[2 * i] * 2 ** 21 + (bits[2 * i + 1] >>> 11) + 0.5) / 2 ** 53);
};

const drawOne = () => {
  const cell = cells[state.chosen];
  if (!cell) return;
  const noise = latest.noises[cell.table];
  const likely = Array.from({ length: DRAWS }, (_, i) => (i + 0.5) / DRAWS);
  const shown = (state.draws ?? likely).map((p) => Math.max(0, whole(cell.count) + quantile(noise, p)));
  byId("one-name").replaceChildren(label(cell.label));
  byId("one-said").replaceChildren(...rich(DATA.texts.one_said, oneValues(cell)), " ", oneVerdict(cell));
  const width = widthOf("one-picture");
  const low = Math.min(cell.low, ...shown);
  const high = Math.max(cell.high, low + 8, ...shown);
  const gapOf = (width - 48) / (high - low || 1);
  const bin = Math.max(1, Math.ceil(13 / gapOf));
  const x = (value) => 24 + (value - low) * gapOf;
  const stacks = new Map();
  const radius = Math.min(8, Math.max(5, (gapOf * bin) / 2 - 1));
  const dots = shown.map((value) => {
    const column = low + Math.floor((value - low) / bin) * bin;
    stacks.set(column, (stacks.get(column) ?? 0) + 1);
    return [x(column), stacks.get(column)];
  });
  const tall = Math.max(4, ...stacks.values()) * (2 * radius + 2);
  const floor = tall + 30;
  const middle = x(whole(cell.count));
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => low + i).filter((v) => v % tickStep(gapOf) === 0);
  picture(
    "one-picture",
    width,
    floor + 44,
    say("one_alt", { n: DRAWS, low: asCount(Math.min(...shown)), high: asCount(Math.max(...shown)) }),
    line(middle, 18, middle, floor + 6, "dashed"),
    word(middle, 12, say("one_planned", { n: asCases(cell.count) }), {
      "text-anchor": nearEdge(middle, width),
      class: "strong",
    }),
    line(12, floor + 6, width - 12, floor + 6, "axis"),
    ...dots.map(([cx, level]) => dot(cx, floor + 2 - level * (2 * radius + 2) + radius, radius, "area")),
    ...ticks.map((value) => word(x(value), floor + 24, asCount(value), { "text-anchor": "middle" })),
    word(12, floor + 42, state.draws ? say("one_random") : say("one_likely")),
  );
};

const nearEdge = (x, width) => (x < 90 ? "start" : x > width - 90 ? "end" : "middle");
const tickStep = (pixels) => [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((step) => step * pixels >= 34) ?? 2000;

const oneValues = (cell) => ({
  low: asCount(cell.low),
  high: asCount(cell.high),
  chance: asPercent(cell.zero ?? cell.phantom),
  wider: cell.wider === null ? "" : fixed[2](cell.wider),
  from: cell.from === null ? "" : asPlain(cell.from),
});

const oneVerdict = (cell) => {
  const known = {
    usable: "one_usable",
    noise: cell.from === null ? "one_never" : "one_noise",
    few: "one_few",
    empty: "one_empty",
  };
  return el("span", {}, ...rich(DATA.texts[known[cell.verdict]], oneValues(cell)));
};

const FAMILY = 4;

// Two fields of a hundred: how often the best guesser says "in".
const drawPlain = () => {
  const right = oddsBound(state.epsilon);
  const width = widthOf("plain-picture");
  const side = 15;
  const second = Math.min(260, Math.round(width / 2));
  const field = (left, filled) =>
    Array.from({ length: 100 }, (_, i) =>
      dot(left + 7 + (i % 10) * side, 7 + Math.floor(i / 10) * side, 5.5, i < filled ? "full" : "ring"),
    );
  const said = (left, chance, key) => [
    ...field(left, Math.round(100 * chance)),
    word(left, 10 * side + 20, say("plain_says", { n: ofHundred(chance) }), { class: "strong" }),
    word(left, 10 * side + 38, say(key)),
  ];
  picture(
    "plain-picture",
    width,
    10 * side + 46,
    say("plain_alt", { right: ofHundred(right), wrong: ofHundred(1 - right) }),
    ...said(0, right, "plain_in"),
    ...said(second, 1 - right, "plain_out"),
  );
  write("plain-said", "plain_said", {
    wrong: ofHundred(1 - right),
    right: ofHundred(right),
    ratio: asThree(Math.exp(state.epsilon)),
  });
  byId("plain-delta").textContent =
    privacy.mechanism === "discrete_laplace" ? "" : say("plain_delta", { delta: oneIn(privacy.delta) });
  byId("plain-family").hidden = privacy.mechanism !== "discrete_laplace"; // only there do losses add up so simply
  write("plain-family", "plain_family", {
    n: asCount(FAMILY),
    epsilon: asEpsilon(FAMILY * state.epsilon),
    right: ofHundred(oddsBound(FAMILY * state.epsilon)),
  });
  const priors = [0.01, 0.1, 0.5];
  plainTable(
    "belief-table",
    ["belief_before", "belief_up", "belief_down"],
    priors.map((prior) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, say("one_in", { n: asCount(1 / prior) })),
        el("td", {}, asPercent(beliefAfter(prior, state.epsilon))),
        el("td", {}, asPercent(beliefBefore(prior, state.epsilon))),
      ),
    ),
  );
};

const drawBudget = () => {
  const width = widthOf("budget-picture");
  const spent = spentBefore();
  const scale = (width - 2) / Math.max(budget.total, spent + state.epsilon);
  const edge = budget.total * scale;
  picture(
    "budget-picture",
    width,
    76,
    byId("next-said").textContent,
    ...budgetBar(scale, 22, 26),
    word(edge, 12, say("budget_total", { n: asEpsilon(budget.total) }), {
      "text-anchor": edge > width - 60 ? "end" : "middle",
      class: "strong",
    }),
    ...(spent > 0 ? [word(0, 68, say("budget_spent_n", { n: asEpsilon(spent) }))] : []),
    word(Math.max(spent > 0 ? 110 : 0, spent * scale), 68, say("budget_plan_n", { n: asEpsilon(state.epsilon) }), {
      class: isOver() ? "no" : "yes",
    }),
  );
  drawProjection();
};

const drawProjection = () => {
  const width = widthOf("projection-picture");
  const years = budget.projection.map(({ year }) => year);
  const step = (width - 4) / Math.max(1, years.length);
  const tall = 90;
  const scale = tall / Math.max(budget.total, 1e-9);
  const columns = years.flatMap((year, i) => {
    const left = leftAfter(i + 1);
    const fits = left >= -1e-9;
    const top = 34 + tall - Math.max(0, left) * scale;
    const middle = i * step + step / 2;
    return [
      box(i * step + 3, 34, step - 6, tall, "bare"),
      box(i * step + 3, top, step - 6, 34 + tall - top, "area"),
      word(
        middle,
        fits ? top - 5 : 34 + tall - 8,
        fits ? asThree(Math.max(0, Number(left.toPrecision(6)))) : "\u00d7",
        { "text-anchor": "middle", class: fits ? "ink" : "no" },
      ),
      word(middle, 34 + tall + 17, width < 460 ? String(year).slice(-2) : String(year), { "text-anchor": "middle" }),
    ];
  });
  picture(
    "projection-picture",
    width,
    tall + 58,
    say("projection_alt", { years: sayMany("years_many", yearsPossible()) }),
    word(0, 14, say("projection_title"), { class: "strong" }),
    ...columns,
  );
};
