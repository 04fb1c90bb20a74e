// Start, and what happens at every change.
let latest = null;
let waiting = 0;
let speaking = 0;

// The table comes first: it asks where it is scrolled to, which is cheap only while nothing has been changed.
const STEPS = [
  drawTable,
  answerLosses,
  answerAttack,
  answerNextYear,
  answerCells,
  drawOne,
  drawMap,
  drawTotals,
  drawPlain,
  drawBudget,
  drawLedger,
  drawMechanisms,
  drawShares,
  drawExport,
];

// What no slider moves.
const drawFixed = () => {
  drawCrossing();
  drawAttack();
};

const draw = () => {
  waiting = 0;
  latest = derive();
  for (const step of STEPS) step(latest);
  showControls();
  drawRuleName();
  const headline = drawHeadline(latest);
  clearTimeout(speaking);
  speaking = setTimeout(() => {
    byId("spoken").textContent = headline;
  }, 500);
};

// Several changes within one frame are drawn once.
const refresh = () => {
  if (!waiting) waiting = requestAnimationFrame(draw);
};

const listenToPage = () => {
  byId("one-draw").addEventListener("click", () => {
    state.draws = chances();
    drawOne();
  });
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    measure();
    drawFixed();
    refresh();
  });
  window.addEventListener("beforeprint", () => {
    inView.printing = true;
    drawRows(true);
  });
  window.addEventListener("afterprint", () => {
    inView.printing = false;
    drawRows(true);
  });
};

const start = () => {
  const { source } = numbers;
  const declared = source.named || source.kind === "confidential";
  write("source", `source_${declared ? source.kind : "unnamed"}`, { text: source.text, file: source.file });
  byId("built").textContent = say("built", { version: numbers.version, date: numbers.built });
  byId("unit").textContent = unitWords();
  byId("command").textContent = DATA.texts.command;
  drawStops();
  drawHead();
  drawPlacement();
  drawSees();
  drawAdvice();
  drawAssumed();
  answerSaw();
  showRule();
  listenToControls();
  listenToTable();
  listenToExports();
  listenToPage();
  measure();
  drawFixed();
  draw();
};

start();
