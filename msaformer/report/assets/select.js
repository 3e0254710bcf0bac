// How good the pairs shown are, live.

function fillScore() {
  const judged = state.pairs.filter((pair) => pair.kind === "true" || pair.kind === "false");
  const right = judged.filter((pair) => pair.kind === "true").length;
  if (protein.truth) {
    const { contacts, known } = chanceOf(state.separation);
    byId("score-value").textContent = judged.length ? percent(right / judged.length) : "–";
    byId("score-text").textContent = `precision: ${right} of ${judged.length}\nby chance ${(100 * contacts / Math.max(known, 1)).toFixed(1)}\u202f%`;
  } else {
    const mean = state.pairs.reduce((sum, pair) => sum + pair.prob, 0) / Math.max(state.pairs.length, 1);
    byId("score-value").textContent = state.pairs.length ? mean.toFixed(2) : "–";
    byId("score-text").textContent = `mean probability\nof ${state.pairs.length} pairs`;
  }
}

const chances = new Map();
function chanceOf(separation) {
  if (!chances.has(separation)) chances.set(separation, protein.chance(separation));
  return chances.get(separation);
}
