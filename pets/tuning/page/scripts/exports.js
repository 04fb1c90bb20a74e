// What the page hands out is made in the browser: no server has to be asked.
const OLDEST_CONTROL = /[\u007f-\u009f]/g;
const tomlText = (text) =>
  JSON.stringify(text.toWellFormed ? text.toWellFormed() : text).replace(
    OLDEST_CONTROL,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

// What was set here is no longer assumed.
const statedHere = () => [
  ...(state.epsilon === privacy.epsilon ? [] : ["epsilon"]),
  ...(state.contribution === privacy.contribution ? [] : ["unit"]),
  ...(isRuleChanged() ? ["rule"] : []),
];

// The plan as a file, with the lines changed that say what was set here.
const planText = () => {
  const lines = numbers.plan_toml.split("\n");
  const stated = statedHere();
  const change = (key, value) => {
    const place = lines.indexOf(numbers.plan_lines[key]);
    if (place >= 0) lines[place] = `${key} = ${value}`;
  };
  change("epsilon", `"${state.epsilon}"`);
  change("contribution", state.contribution);
  for (const name of Object.keys(RULES)) {
    if (state.rule[name] !== startRule[name]) change(name, state.rule[name]);
  }
  if (numbers.plan_lines.assumed && stated.length) {
    const left = numbers.assumed.filter((name) => !stated.includes(name));
    if (left.length) change("assumed", `"${left.join(", ")}"`);
    else lines.splice(lines.indexOf(numbers.plan_lines.assumed), 1);
  }
  let after = 0; // equal shares stand in equal lines, in the order of the tables
  numbers.tables.forEach((_, i) => {
    const place = lines.indexOf(numbers.plan_lines[`share_${i}`], after);
    if (place < 0) return;
    if (!hasOwnShares()) lines[place] = `share = "${better[i].share_text}"`;
    after = place + 1;
  });
  const section = lines.indexOf("[decision]");
  for (const [name, text] of Object.entries(decisionFields())) {
    const place = lines.findIndex((entry, i) => i > section && entry.startsWith(`${name} = `));
    if (section >= 0 && place >= 0) lines[place] = `${name} = ${tomlText(text)}`;
  }
  return lines.join("\n");
};

const decisionFields = () => Object.fromEntries(["who", "when", "comment"].map((id) => [id, byId(id).value.trim()]));

// A rule that was changed here no longer goes by the name that it has in the plan.
const thresholds = () => {
  const { name, measure } = startRule;
  const values = Object.fromEntries(Object.keys(RULES).map((key) => [key, state.rule[key]]));
  return { name: isRuleChanged() ? null : name, measure, ...values };
};

const recordText = () => {
  const { filled, usable, cases, kept, noises } = latest;
  const { who, when, comment } = decisionFields();
  const record = {
    schema: "pets-tuning-decision/1",
    title: numbers.title,
    internal: numbers.internal,
    who,
    when,
    comment,
    epsilon: state.epsilon,
    delta: privacy.delta,
    mechanism: privacy.mechanism,
    contribution: state.contribution,
    unit: privacy.unit_words,
    thresholds: thresholds(),
    assumed: numbers.assumed.filter((name) => !statedHere().includes(name)),
    budget: {
      total: budget.total,
      assumed: budget.assumed,
      spent: spentBefore(),
      this_plan: state.epsilon,
      left: Number(leftAfter(1).toPrecision(12)),
    },
    tables: numbers.tables.map((table, i) => ({
      name: table.name,
      share: state.shares[i],
      half_width_95: noises[i].halfWidth(),
      smallest_usable: smallestUsable(state.rule, noises[i]),
    })),
    cells: { with_cases: filled, usable, cases, cases_in_usable_cells: kept },
    source: numbers.source,
    pets: numbers.version,
    plan: planText(),
  };
  return `${JSON.stringify(record, null, 2)}\n`;
};

const download = (name, text, type) => {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
};

const drawExport = () => {
  const over = isOver();
  for (const id of ["save-plan", "save-record"]) byId(id).disabled = over;
  byId("export-note").classList.toggle("over", over);
  byId("export-note").textContent = over
    ? say("export_over", { n: asEpsilon(-leftAfter(1)) })
    : say("export_ready", { epsilon: asEpsilon(state.epsilon) });
};

const listenToExports = () => {
  for (const [id, value] of Object.entries({
    who: numbers.decision.who,
    when: numbers.decision.when,
    comment: numbers.decision.comment,
  })) {
    byId(id).value = value ?? "";
  }
  byId("save-plan").addEventListener("click", () => {
    if (!isOver()) download("plan.toml", planText(), "application/toml");
  });
  byId("save-record").addEventListener("click", () => {
    const missing = ["who", "when"].find((id) => !byId(id).value.trim());
    for (const id of ["who", "when"]) byId(id).setAttribute("aria-invalid", String(id === missing));
    if (missing) {
      byId("export-note").textContent = DATA.texts.export_missing;
      byId(missing).focus();
    } else if (!isOver()) {
      download("decision.json", recordText(), "application/json");
    }
  });
};
