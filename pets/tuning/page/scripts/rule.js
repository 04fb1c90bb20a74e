// The registry's rule, as in pets/tuning/rule.py.
const SLACK = 1e-12;
const EXACT = laplace(800, 1);

const accepts = (rule, noise, count) => {
  const error = rule.measure === "total" ? relativeError(noise, count) : relativeNoise(noise, count);
  return (
    error !== null &&
    error <= rule.max_relative_error + SLACK &&
    whole(count) >= rule.minimum_count &&
    seenAsZero(noise, count) <= rule.max_false_zero + SLACK
  );
};

const verdictOf = (rule, noise, count) => {
  if (whole(count) === 0) return "empty";
  if (accepts(rule, noise, count)) return "usable";
  return accepts(rule, EXACT, count) ? "noise" : "few";
};

const smallestUsable = (rule, noise) => {
  let high = 1;
  while (!accepts(rule, noise, high)) {
    high *= 2;
    if (high > LARGEST_COUNT) return LARGEST_COUNT;
  }
  let low = Math.floor(high / 2);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (accepts(rule, noise, middle)) high = middle;
    else low = middle;
  }
  return high;
};
