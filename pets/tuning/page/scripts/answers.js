// The first screen: five questions of a director, each with a figure, a sentence and a small picture.
const answer = (name, figure, small, said, values) => {
  byId(`${name}-figure`).replaceChildren(figure, el("small", {}, small));
  byId(`${name}-said`).replaceChildren(...rich(fill(said, values)));
};

const spreadOf = (noises, figure) => {
  const values = noises.map(figure);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? asCount(low) : asRange(low, high);
};

const drawHeadline = (view) => {
  const needed = smallestUsable(state.rule, view.noisiest);
  const enough = smallestUsable(state.rule, EXACT);
  const values = {
    epsilon: asEpsilon(state.epsilon),
    usable: asCount(view.usable),
    cells: sayMany("cells_with_cases", view.filled),
    needed: asCount(needed),
    enough: asCount(enough),
  };
  const head = view.filled ? sayMany("headline", view.usable, values) : say("headline_empty", values);
  byId("headline").textContent = `${head} ${needed >= LARGEST_COUNT ? "" : say("headline_rule", values)}`;
  return byId("headline").textContent;
};

const answerLosses = (view) => {
  const off = spreadOf(view.noises, (noise) => noise.halfWidth());
  answer("lose", `\u00b1${off}`, say("lose_small"), DATA.texts.lose_said, {
    off,
    wider: fixed[2](widening(view.noisiest, 5)),
    zero: ofHundred(seenAsZero(view.noisiest, 1)),
  });
  const width = 220;
  const q = view.noisiest.halfWidth();
  const from = Math.max(0, 5 - q);
  const most = Math.max(10, 5 + q);
  const x = (value) => 8 + ((width - 20) * value) / most;
  picture(
    "lose-sketch",
    width,
    46,
    say("lose_sketch", { low: asCount(from), high: asCount(5 + q) }),
    line(x(0), 18, x(most), 18, "axis"),
    svg("line", { x1: x(from), x2: x(5 + q), y1: 18, y2: 18, class: "yes", "stroke-width": 5 }),
    dot(x(5), 18, 5, "full"),
    ...(q
      ? [
          word(x(from), 40, asCount(from), { "text-anchor": "middle" }),
          word(x(5 + q), 40, asCount(5 + q), { "text-anchor": "middle" }),
        ]
      : []),
    ...(x(5 + q) - x(5) > 62 || !q
      ? [word(x(5), 40, say("lose_five"), { class: "strong", "text-anchor": "middle" })]
      : []),
  );
};

const answerAttack = () => {
  const right = oddsBound(state.epsilon);
  answer("gain", ofHundred(right), say("gain_small"), DATA.texts.gain_said, {
    right: ofHundred(right),
    before: say("one_in", { n: asCount(100) }),
    after: asPercent(beliefAfter(0.01, state.epsilon)),
  });
  const width = 220;
  const x = (value) => width * value;
  picture(
    "gain-sketch",
    width,
    46,
    say("gain_sketch", { right: ofHundred(right) }),
    box(0, 8, width, 14, "bare"),
    box(0, 8, x(0.5), 14, "past"),
    box(x(0.5), 8, x(right - 0.5), 14, "waste"),
    line(x(0.5), 3, x(0.5), 27, "mark"),
    word(x(0.5), 42, say("chance"), { "text-anchor": "middle" }),
  );
};

const answerNextYear = () => {
  const more = Math.max(0, yearsPossible() - 1);
  const over = isOver();
  const values = {
    total: asEpsilon(budget.total),
    spent: asEpsilon(spentBefore()),
    plan: asEpsilon(state.epsilon),
    left: asEpsilon(Math.max(0, leftAfter(1))),
    over: asEpsilon(-leftAfter(1)),
    years: sayMany("more_years", more),
  };
  byId("next-figure").parentElement.classList.toggle("over", over);
  answer(
    "next",
    over ? say("next_over") : asCount(more),
    over ? say("next_over_small", values) : sayMany("next_small", more),
    (over ? DATA.texts.next_over_said : DATA.texts.next_said) + (budget.assumed ? ` ${say("next_assumed")}` : ""),
    values,
  );
  const width = 220;
  const scale = width / Math.max(budget.total, spentBefore() + state.epsilon);
  picture(
    "next-sketch",
    width,
    46,
    say("next_sketch", values),
    ...budgetBar(scale, 8, 14),
    word(0, 42, spentBefore() > 0 ? say("budget_spent") : say("ledger_plan")),
    word(width, 42, over ? say("budget_over") : say("budget_left"), { "text-anchor": "end", class: over ? "no" : "" }),
  );
};

// What is spent, this plan, and room for further years of the same kind.
const budgetBar = (scale, top, height) => {
  const spent = spentBefore();
  const end = spent + state.epsilon;
  const within = Math.max(0, Math.min(end, budget.total) - spent);
  const slots = Math.min(40, Math.max(0, yearsPossible() - 1));
  return [
    box(0, top, budget.total * scale, height, "bare"),
    box(0, top, spent * scale, height, "past"),
    box(spent * scale, top, within * scale, height, "area"),
    box((spent + within) * scale, top, (end - spent - within) * scale, height, "waste"),
    ...Array.from({ length: slots }, (_, k) =>
      box((end + k * state.epsilon) * scale + 1.5, top + 0.5, state.epsilon * scale - 2, height - 1, "slot"),
    ),
    line(budget.total * scale, top - 5, budget.total * scale, top + height + 5, "mark"),
  ];
};

const answerCells = (view) => {
  const failing = view.filled - view.usable;
  const values = {
    share: asPercent(view.cases ? 1 - view.kept / view.cases : 0),
    noise: sayMany("because_noise", view.verdicts.noise),
    few: sayMany("because_few", view.verdicts.few),
    empty: view.verdicts.empty ? sayMany("and_empty", view.verdicts.empty) : "",
  };
  answer(
    "unusable",
    asCount(failing),
    sayMany("unusable_small", view.filled),
    DATA.texts[failing ? "unusable_said" : view.filled ? "unusable_none" : "unusable_void"],
    values,
  );
  const width = 220;
  const x = (value) => (view.filled ? (width * value) / view.filled : 0);
  picture(
    "unusable-sketch",
    width,
    46,
    say("unusable_sketch", { usable: asCount(view.usable), n: asCount(view.filled) }),
    box(0, 8, width, 14, "bare"),
    box(0, 8, x(view.usable), 14, "area"),
    box(x(view.usable), 8, x(failing), 14, "waste"),
    word(0, 42, say("usable"), { class: "yes" }),
    word(width, 42, say("unusable"), { "text-anchor": "end", class: "no" }),
  );
};
