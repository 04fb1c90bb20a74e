// The closed forms of pets/tuning/curves.py, line by line. Tests compare both on a golden file, to 1e-9.
const Z95 = 1.959963984540054;
const LARGEST_COUNT = 1e7;
const SUMMED = 9.5;
const FAR = 45;
const SMOOTH = 8;

// Sums of the terms from k on, for each k. Small terms come first; lost low-order parts are carried along (Neumaier).
const tailSums = (terms) => {
  const tails = new Float64Array(terms.length + 1);
  let sum = 0;
  let lost = 0;
  for (let k = terms.length - 1; k >= 0; k -= 1) {
    const next = sum + terms[k];
    lost += Math.abs(sum) >= Math.abs(terms[k]) ? sum - next + terms[k] : terms[k] - next + sum;
    sum = next;
    tails[k] = sum + lost;
  }
  return tails;
};

// A law on the integers, from P(k) / P(0) for k = 0, 1, ... as far as it matters.
const tabled = (kind, parameter, weights, variance = null) => {
  const tails = tailSums(weights);
  const total = 2 * tails[1] + weights[0];
  const spread = variance ?? (2 * tailSums(weights.map((w, k) => k * k * w))[0]) / total;
  const atLeast = (k) => (k <= 0 ? 1 - atLeast(1 - k) : (tails[k] ?? 0) / total);
  const halfWidth = (level = 0.95) => {
    let beyond = 0;
    let q = weights.length;
    while (q > 0 && 2 * (beyond + weights[q - 1]) <= (1 - level) * total) {
      q -= 1;
      beyond += weights[q];
    }
    return Math.max(0, q - 1);
  };
  return { kind, parameter, variance: spread, atLeast, halfWidth };
};

// Ratios of neighbours are computed downwards, where each step shrinks the error of the one before.
const descending = (end, start, step) => {
  const ratios = new Float64Array(end + 1);
  let ratio = start;
  for (let k = end; k >= 1; k -= 1) {
    ratio = step(k, ratio);
    ratios[k] = ratio;
  }
  ratios[0] = 1;
  for (let k = 1; k <= end; k += 1) ratios[k] *= ratios[k - 1];
  return ratios;
};

const polya = (x, shape) => {
  const decay = Math.exp(-x);
  const end = Math.ceil((FAR + 6 * shape) / x) + 20;
  const weights = descending(
    end,
    decay,
    (k, ratio) => (decay * (k - 1 + shape)) / ((1 + decay * decay) * k - decay * (k + 1 - shape) * ratio),
  );
  return tabled("polya", x, weights, (shape * 2 * decay) / Math.expm1(-x) ** 2);
};

const skellam = (variance) => {
  const end = Math.ceil(SUMMED * Math.sqrt(variance)) + 40;
  const weights = descending(
    end,
    variance / (2 * end + 2),
    (k, ratio) => variance / (2 * k + variance * ratio),
  );
  return tabled("skellam", variance, weights, variance);
};

// With adders, so many sites add a share each, and the shares of any `honest` of them are enough.
const laplace = (epsilon, sensitivity, adders = null) => {
  const x = epsilon / sensitivity;
  if (adders && adders.sites > adders.honest) return polya(x, adders.sites / adders.honest);
  const decay = Math.exp(-x);
  const atLeast = (k) => (k <= 0 ? 1 - atLeast(1 - k) : Math.exp(-x * k) / (1 + decay));
  const halfWidth = (level = 0.95) => {
    const reach = Math.log(2 / ((1 + decay) * (1 - level))) / x - 1;
    return Math.max(0, Math.ceil(reach - 1e-9));
  };
  return { kind: "discrete_laplace", parameter: x, variance: (2 * decay) / Math.expm1(-x) ** 2, atLeast, halfWidth };
};

const gaussian = (rho, l2Squared, adders = null) => {
  let sigma2 = l2Squared / (2 * rho);
  if (adders) {
    const wider = adders.sites / adders.honest;
    if (sigma2 < SMOOTH * adders.honest) return skellam((sigma2 * (1 + 2 ** -10) + 1 / 16) * wider);
    sigma2 *= wider;
  }
  const weights = Array.from({ length: Math.ceil(SUMMED * Math.sqrt(sigma2)) + 2 }, (_, k) =>
    Math.exp(-(k * k) / (2 * sigma2)),
  );
  return tabled("discrete_gaussian", sigma2, weights);
};

// The largest rho whose zero-concentrated guarantee implies (epsilon, delta)-DP.
const rhoFor = (epsilon, delta) => {
  const target = -Math.log(delta);
  const epsilonAt = (x) => {
    const left = target - Math.log1p(x);
    return ((1 + x) * left) / (x * x) + Math.log(x / (1 + x)) + left / x;
  };
  let low = Math.log(1e-12);
  let high = Math.log(Math.expm1(target));
  for (let step = 0; step < 200; step += 1) {
    const middle = (low + high) / 2;
    if (epsilonAt(Math.exp(middle)) > epsilon) low = middle;
    else high = middle;
  }
  const x = Math.exp(high);
  return (target - Math.log1p(x)) / (x * x);
};

const whole = (count) => Math.floor(count + 0.5);

const interval = (noise, count, level = 0.95) => {
  const q = noise.halfWidth(level);
  const n = whole(count);
  return [Math.max(0, n - q), n + q];
};

const seenAsZero = (noise, count) => (whole(count) === 0 ? 1 : noise.atLeast(whole(count)));

const phantom = (noise) => noise.atLeast(1);

const relativeNoise = (noise, count) => (count <= 0 ? null : Math.sqrt(noise.variance) / count);

const relativeError = (noise, count) => (count <= 0 ? null : Math.sqrt(count + noise.variance) / count);

const widening = (noise, count) => (count <= 0 ? null : Math.sqrt((count + noise.variance) / count));

const rate = (noise, count, personYears) => {
  const middle = count + Z95 ** 2 / 2;
  const half = Z95 * Math.sqrt(count + noise.variance + Z95 ** 2 / 4);
  const per = 1e6 / personYears;
  return [count * per, Math.max(0, middle - half) * per, (middle + half) * per];
};

const threshold = (noise, maxRelativeError) => {
  const square = maxRelativeError ** 2;
  const found = Math.ceil((1 + Math.sqrt(1 + 4 * square * noise.variance)) / (2 * square) - 1e-9);
  return Math.max(1, Math.min(LARGEST_COUNT, found));
};

const oddsBound = (epsilon) => 1 / (1 + Math.exp(-epsilon));

const beliefAfter = (prior, epsilon) => prior / (prior + (1 - prior) * Math.exp(-epsilon));

const beliefBefore = (prior, epsilon) => prior / (prior + (1 - prior) * Math.exp(epsilon));
