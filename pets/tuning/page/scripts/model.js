// What the sliders say, and everything that follows from it. Nothing here touches the page.
const LOWEST = 0.05;
const HIGHEST = 10;
const STOPS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];

const { numbers } = DATA;
const { privacy, budget } = numbers;

// Slider values have two digits: 0.05, 0.051, ... 0.1, 0.11, ... 10.
const GRID = [];
for (const [unit, first, last] of [
  [1000, 50, 99],
  [100, 10, 99],
  [10, 10, 99],
]) {
  for (let k = first; k <= last; k += 1) GRID.push(k / unit);
}
GRID.push(HIGHEST);

const startRule = { ...numbers.rule };
const state = {
  epsilon: privacy.epsilon,
  contribution: privacy.contribution,
  shares: numbers.tables.map((table) => table.share),
  rule: { ...startRule },
  find: "",
  show: "all",
  sort: { key: "count", up: true },
  chosen: 0,
};

const tableNoise = (table, epsilon, mechanism = privacy.mechanism) => {
  const { contribution, shares } = state;
  if (mechanism === "discrete_gaussian") {
    const rho = shares[table] * rhoFor(epsilon, privacy.delta);
    return gaussian(rho, contribution ** 2 * privacy.per_row.l2_squared, privacy.adders);
  }
  return laplace(epsilon * shares[table], contribution * privacy.per_row.l1, privacy.adders);
};

// The better shares of the budget that Python has found, if there are better ones.
const better = numbers.recommendation.split_better
  ? numbers.tables.map(({ name }) => numbers.recommendation.split.find((part) => part.table === name))
  : null;
const hasBetterShares = () => better !== null && better.every((part, i) => part.share === state.shares[i]);
const hasOwnShares = () => numbers.tables.every((table, i) => table.share === state.shares[i]);

// Noise of every table along the grid of the slider; it changes with the cells per person and the shares only.
const ladder = { contribution: null, shares: null, noises: [] };
const noisesAlong = (table) => {
  if (ladder.contribution !== state.contribution || ladder.shares !== state.shares) {
    ladder.contribution = state.contribution;
    ladder.shares = state.shares;
    ladder.noises = numbers.tables.map(() => new Map());
  }
  const known = ladder.noises[table];
  return (step) => {
    if (!known.has(step)) known.set(step, tableNoise(table, GRID[step]));
    return known.get(step);
  };
};

// The first slider value from which a count may be used, or null: noise only shrinks as epsilon grows.
const usableFrom = (table, count) => {
  const at = noisesAlong(table);
  if (!accepts(state.rule, EXACT, count)) return null;
  let low = -1;
  let high = GRID.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (accepts(state.rule, at(middle), count)) high = middle;
    else low = middle;
  }
  return high < GRID.length ? GRID[high] : null;
};

const BUCKETS = [
  [1, 4],
  [5, 15],
  [16, Infinity],
];
const bucketOf = (count) => BUCKETS.findIndex(([, most]) => whole(count) <= most);

// Cells arrive as columns; labels and person-years that repeat are spelt out here.
const product = (lists) =>
  lists.reduce((rows, list) => rows.flatMap((row) => list.map((item) => [...row, item])), [[]]);
const cellsOf = (table, t) => {
  const parts = product(table.axes.map((axis) => axis.labels));
  const labels = table.labels ?? parts.map((names) => names.join(" \u00b7 "));
  const populations =
    table.populations ?? table.at_risk.map((place) => (place === null ? null : table.distinct[place]));
  return table.counts.map((count, i) => ({
    table: t,
    label: labels[i],
    parts: table.labels || !parts[i].length ? [labels[i]] : parts[i],
    count,
    population: populations[i],
  }));
};
const cells = numbers.tables.flatMap(cellsOf);
cells.forEach((cell, id) => {
  cell.id = id;
  cell.key = cell.label.toLocaleLowerCase(DATA.language);
});
const rarestFirst = [...cells].sort((a, b) => a.count - b.count || a.id - b.id);
state.chosen = (rarestFirst.find((cell) => whole(cell.count) > 0) ?? rarestFirst[0])?.id ?? null;

const figuresOf = (noise, table, count) => {
  const [low, high] = interval(noise, count);
  const empty = whole(count) === 0;
  return {
    low,
    high,
    zero: empty ? null : seenAsZero(noise, count),
    phantom: empty ? phantom(noise) : null,
    error: relativeError(noise, count),
    wider: widening(noise, count),
    verdict: verdictOf(state.rule, noise, count),
    from: usableFrom(table, count),
  };
};

// Cells of one table with the same count share all their figures but the rate.
const derive = () => {
  const noises = numbers.tables.map((_, t) => tableNoise(t, state.epsilon));
  const known = numbers.tables.map(() => new Map());
  for (const cell of cells) {
    const seen = known[cell.table];
    if (!seen.has(cell.count)) seen.set(cell.count, figuresOf(noises[cell.table], cell.table, cell.count));
    Object.assign(cell, seen.get(cell.count));
    cell.rate = cell.population ? rate(noises[cell.table], cell.count, cell.population) : null;
  }
  const noisiest = noises.reduce((worst, noise) => (worst && worst.variance >= noise.variance ? worst : noise), null);
  return { noises, noisiest, ...tallied() };
};

const tallied = () => {
  const verdicts = { usable: 0, noise: 0, few: 0, empty: 0 };
  const buckets = BUCKETS.map(() => ({ cells: 0, usable: 0, cases: 0, kept: 0 }));
  for (const cell of cells) {
    verdicts[cell.verdict] += 1;
    if (cell.verdict === "empty") continue;
    const bucket = buckets[bucketOf(cell.count)];
    bucket.cells += 1;
    bucket.cases += cell.count;
    bucket.usable += cell.verdict === "usable";
    bucket.kept += cell.verdict === "usable" ? cell.count : 0;
  }
  const sum = (name) => buckets.reduce((total, bucket) => total + bucket[name], 0);
  return { verdicts, buckets, filled: sum("cells"), usable: sum("usable"), cases: sum("cases"), kept: sum("kept") };
};

const spentBefore = () => budget.spent.reduce((total, charge) => total + charge.epsilon, 0);
const leftAfter = (years) => budget.total - spentBefore() - years * state.epsilon;
const isOver = () => leftAfter(1) < -1e-9;
const yearsPossible = () => Math.max(0, Math.floor((budget.total - spentBefore()) / state.epsilon + 1e-9));
