// Fill tables and texts that do not change: precision by range, identity of the run, words.

const TABLE_RANGES = {
  short: ["Short", "6–11"], medium: ["Medium", "12–23"], long: ["Long", "≥ 24"], medium_long: ["Medium + long", "≥ 12"],
};
function fillPrecision(truth) {
  byId("precision-card").hidden = !truth;
  if (!truth) return;
  const table = make("table");
  const head = table.createTHead().insertRow();
  for (const text of ["Range", "L", "L/2", "L/5", "Native"]) head.append(make("th", "", text));
  const body = table.createTBody();
  for (const row of truth.precision) {
    const line = body.insertRow();
    const [name, range] = TABLE_RANGES[row.range];
    line.insertCell().append(name, make("small", "", range));
    for (const value of [row.p_at_l, row.p_at_l2, row.p_at_l5]) line.append(barCell(value));
    line.insertCell().append(String(row.num_contacts));
  }
  const known = `${truth.unresolved} of ${protein.length} residues are not resolved and left out of the ranking. `;
  const match = `The chain is ${(100 * truth.identity).toFixed(1)}\u202f% identical to the query.`;
  byId("precision").replaceChildren(table, make("p", "hint", `Share of true contacts among the L, L/2 and L/5 strongest pairs of each range; native: contacts in the structure. ${known}${match}`));
}

function barCell(value) {
  const cell = make("td", "bar", percent(value));
  const track = make("i");
  const bar = make("b");
  bar.style.width = `${100 * (value || 0)}%`;
  track.append(bar);
  cell.append(track);
  return cell;
}

function fillFooter(raw) {
  byId("save-help").textContent = "CSV and RR hold the pairs shown at this moment, with exact numbers; the program writes all pairs beside the prediction.";
  byId("identity").replaceChildren(...Object.entries(raw.model).flatMap(([key, value]) => [make("dt", "", key), make("dd", "", value)]));
  byId("words").textContent = "Contact: Cβ–Cβ (Cα for Gly) closer than 8 Å. Neff: sum over sequences of 1 / (number of sequences at least 80 % identical, itself included). Short, medium and long range: |i − j| of 6–11, 12–23, 24 and more. Expected distance: mean ± standard deviation of the predicted distribution.";
}

PANELS.push((raw) => {
  fillPrecision(raw.truth);
  fillFooter(raw);
});
