// The two sliders and the thresholds. Every change ends in refresh(); a wrong entry is explained and changes nothing.
const SPAN = Math.log(HIGHEST / LOWEST);
const toSlider = (epsilon) => Math.round((1000 * Math.log(epsilon / LOWEST)) / SPAN);
const onGrid = (epsilon) =>
  GRID.reduce((best, value) => (Math.abs(value - epsilon) < Math.abs(best - epsilon) ? value : best), LOWEST);
const fromSlider = (position) => {
  const stop = STOPS.find((value) => Math.abs(toSlider(value) - position) <= 6);
  return stop ?? onGrid(LOWEST * Math.exp((SPAN * position) / 1000));
};
const nextStop = (up) =>
  up ? (STOPS.find((s) => s > state.epsilon) ?? HIGHEST) : (STOPS.findLast((s) => s < state.epsilon) ?? LOWEST);

// Both "0.5" and "0,5" are understood; "1e400", "" and "five" are not.
const readNumber = (text) => {
  const plain = text.trim().replace(",", ".");
  return /^\d*\.?\d+(e-?\d+)?$/i.test(plain) ? Number(plain) : NaN;
};

const asEpsilon = (value) => asPlain(Number(value.toPrecision(6)));

const complain = (input, message) => {
  input?.setAttribute("aria-invalid", message ? "true" : "false");
  byId("complaint").textContent = message;
};

const setEpsilon = (value) => {
  state.epsilon = value;
  complain(byId("epsilon-typed"), "");
  refresh();
};

const showControls = () => {
  const range = byId("epsilon");
  const shown = asEpsilon(state.epsilon);
  range.value = toSlider(state.epsilon);
  range.setAttribute("aria-valuetext", `\u03b5 = ${shown}`);
  if (document.activeElement !== byId("epsilon-typed")) byId("epsilon-typed").value = shown;
  byId("epsilon-less").disabled = state.epsilon <= LOWEST;
  byId("epsilon-more").disabled = state.epsilon >= HIGHEST;
  byId("contribution").value = state.contribution;
  byId("contribution-shown").textContent = asCount(state.contribution);
  byId("contribution").setAttribute("aria-valuetext", sayMany("cells_a_person", state.contribution));
  byId("contribution-cut").textContent = cutWords();
};

const unitWords = () =>
  [
    say(privacy.neighbours === "add_remove" ? "unit_add_remove" : "unit_replace", { noun: term(privacy.noun) }),
    privacy.mechanism === "discrete_laplace" ? say("delta_none") : say("delta_some", { delta: asSmall(privacy.delta) }),
  ].join(" \u00b7 ");

const cutWords = () => {
  const known = privacy.contribution_cuts.find((cut) => cut.bound === state.contribution);
  const beyond = privacy.contribution_cuts.every((cut) => cut.bound < state.contribution);
  if (!known) return beyond && privacy.contribution_cuts.length ? DATA.texts.cut_none : DATA.texts.cut_unknown;
  if (known.share_cut === null) return DATA.texts.cut_unknown;
  return known.share_cut > 0 ? say("cut_some", { share: asPercent(known.share_cut) }) : DATA.texts.cut_none;
};

const typedEpsilon = () => {
  const input = byId("epsilon-typed");
  const value = readNumber(input.value);
  if (!(value >= LOWEST && value <= HIGHEST)) {
    complain(input, say("epsilon_wrong", { low: asPlain(LOWEST), high: asPlain(HIGHEST) }));
    return;
  }
  setEpsilon(Number(value.toPrecision(6)));
};

const RULES = {
  max_relative_error: { scale: 100, least: 0.1, most: 1000, whole: false },
  max_false_zero: { scale: 100, least: 0, most: 100, whole: false },
  minimum_count: { scale: 1, least: 0, most: 1e6, whole: true },
};

const showRule = () => {
  for (const [name, { scale }] of Object.entries(RULES)) {
    byId(name).value = asPlain(Number((state.rule[name] * scale).toPrecision(6)));
    complain(byId(name), "");
  }
};

const isRuleChanged = () => Object.keys(RULES).some((name) => state.rule[name] !== startRule[name]);
const isAssumed = (name) => numbers.assumed.includes(name);
const drawRuleName = () =>
  byId("rule-name").replaceChildren(
    ...(isRuleChanged()
      ? [say("rule_changed")]
      : [label(startRule.name), isAssumed("rule") ? ` (${say("assumed")})` : ""]),
  );

const typedRule = (name) => {
  const { scale, least, most, whole: integer } = RULES[name];
  const input = byId(name);
  const value = readNumber(input.value);
  if (!(value >= least && value <= most) || (integer && !Number.isInteger(value))) {
    complain(input, say(integer ? "rule_wrong_whole" : "rule_wrong", { low: asPlain(least), high: asCount(most) }));
    return;
  }
  complain(input, "");
  state.rule[name] = Number((value / scale).toPrecision(12));
  refresh();
};

// Arrow keys move by one slider value, page keys by one stop of 1, 2, 5.
const epsilonKeys = {
  ArrowRight: () => GRID.find((value) => value > state.epsilon + 1e-9) ?? HIGHEST,
  ArrowLeft: () => GRID.findLast((value) => value < state.epsilon - 1e-9) ?? LOWEST,
  PageUp: () => nextStop(true),
  PageDown: () => nextStop(false),
  Home: () => LOWEST,
  End: () => HIGHEST,
};
epsilonKeys.ArrowUp = epsilonKeys.ArrowRight;
epsilonKeys.ArrowDown = epsilonKeys.ArrowLeft;

const listenToControls = () => {
  const range = byId("epsilon");
  range.addEventListener("input", () => setEpsilon(fromSlider(Number(range.value))));
  range.addEventListener("keydown", (event) => {
    if (!Object.hasOwn(epsilonKeys, event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    setEpsilon(epsilonKeys[event.key]());
  });
  byId("epsilon-less").addEventListener("click", () => setEpsilon(nextStop(false)));
  byId("epsilon-more").addEventListener("click", () => setEpsilon(nextStop(true)));
  byId("epsilon-typed").addEventListener("change", typedEpsilon);
  byId("contribution").addEventListener("input", (event) => {
    state.contribution = Number(event.target.value);
    refresh();
  });
  for (const name of Object.keys(RULES)) byId(name).addEventListener("change", () => typedRule(name));
  byId("rule-reset").addEventListener("click", () => {
    state.rule = { ...startRule };
    showRule();
    refresh();
  });
  for (const id of ["controls", "decision"]) {
    byId(id).addEventListener("submit", (event) => event.preventDefault());
  }
};

const drawStops = () => {
  byId("contribution").max = Math.max(15, privacy.contribution, ...privacy.contribution_cuts.map((cut) => cut.bound));
  byId("stops").replaceChildren(
    ...STOPS.map((stop) => {
      const mark = el("span", {}, asPlain(stop));
      mark.style.setProperty("--at", toSlider(stop) / 1000);
      return mark;
    }),
  );
};
