// Fill the texts and tables of the page from the data and from what is shown (state, in page.js).

const TABLE_RANGES = {
  short: ["Short", "6–11"], medium: ["Medium", "12–23"], long: ["Long", "≥ 24"], medium_long: ["Medium + long", "≥ 12"],
};
const LIST_ROWS = 400;

const percent = (share) => (share === null || Number.isNaN(share) ? "–" : `${Math.round(100 * share)}\u202f%`);

function fillHeader(raw) {
  byId("name").textContent = raw.name;
  const rich = (parts) => parts.map(([text, isStrong]) => (isStrong ? make("b", "", text) : text));
  const summary = raw.truth ? judgedSummary(raw) : unjudgedSummary();
  byId("summary").replaceChildren(...rich(summary));
  const facts = [["residues (L)", raw.sequence.length], ["sequences (N)", raw.depth], ["effective (Neff)", raw.neff]];
  byId("facts").replaceChildren(...facts.map(([term, number]) => {
    const fact = make("div");
    const digits = Number.isInteger(number) || number >= 100 ? 0 : 1;
    fact.append(make("dt", "", term), make("dd", "", number.toLocaleString("en", { maximumFractionDigits: digits })));
    return fact;
  }));
}

function judgedSummary(raw) {
  const long = raw.truth.precision.find((row) => row.range === "long");
  const chain = ` chain ${raw.truth.chain}`;
  if (long.p_at_l === null) return [["The structure holds no pair of residues 24 or more apart to judge."]];
  const count = Math.min(protein.length, long.num_pairs);
  const chance = long.num_contacts / long.num_pairs;
  return [
    ["Of the "], [`${count} strongest long-range pairs`, true], [", "], [percent(long.p_at_l), true],
    [` are contacts in the structure (${chain.trim()}); of the ${Math.max(Math.floor(protein.length / 5), 1)} strongest, `],
    [percent(long.p_at_l5), true], [`. Guessing would find ${(100 * chance).toFixed(1)}\u202f%.`],
  ];
}

function unjudgedSummary() {
  const best = protein.best(protein.length, 24);
  if (best.length === 0) return [["Too short for a long-range contact (24 or more residues apart)."]];
  const mean = best.reduce((sum, pair) => sum + pair.prob, 0) / best.length;
  return [
    ["The "], [`${best.length} strongest long-range pairs`, true], [" have a mean probability of "],
    [mean.toFixed(2), true], [". No structure was given to check them against."],
  ];
}

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

function fillLegend() {
  const item = (mark, text) => {
    const span = make("span");
    const swatch = make("i", mark.includes("(") ? "ramp" : `mark ${mark}`);
    if (mark.includes("(")) swatch.style.background = mark;
    span.append(swatch, text);
    return span;
  };
  const items = state.layer === "contacts"
    ? [item(gradient(blues()), "above: predicted probability, 0 to 1")]
    : [item(gradient(VIRIDIS), `${RAMP_ANGSTROM[0]} to ${RAMP_ANGSTROM[1]} Å; above: expected distance`)];
  if (protein.truth) {
    if (state.layer === "contacts") items.push(item("native", "below: contact in the structure"));
    else items.push(make("span", "", "below: true distance"));
    items.push(item("true", "predicted, true"), item("false", "predicted, false"));
    if (protein.truth.unresolved) items.push(item("hatch", "unknown: residue not resolved"));
  } else {
    items.push(item("plain", "below: predicted contact"));
  }
  byId("legend").replaceChildren(...items);
}

function fillPicked(pair, isIn3D) {
  const panel = byId("picked");
  if (!pair) {
    panel.replaceChildren(make("p", "empty", "Pick a contact: click a mark in the map, or a row of the list."));
    return;
  }
  const head = make("div", "pair", `${protein.residue(pair.i)} · ${protein.residue(pair.j)} `);
  const isShown = protein.isShown(pair);
  const verdict = {
    true: isShown ? "contact, as predicted" : "contact, not among the pairs shown",
    false: isShown ? "predicted, but no contact" : "no contact, and not predicted",
    unknown: "not resolved in the structure",
    plain: "",
  }[pair.kind];
  head.append(make("span", `verdict ${isShown ? pair.kind : ""}`, verdict));
  panel.replaceChildren(head, fieldsOf(protein, pair));
  if (structure && !isIn3D) panel.append(make("p", "hint", "Not drawn in 3D: the structure does not show both residues."));
}

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

/** The pairs shown, the best first; a click picks one. */
function fillList() {
  const { truth } = protein;
  const table = make("table");
  const head = table.createTHead().insertRow();
  const titles = ["Residues", ...(truth ? ["Structure"] : []), "|i − j|", "Probability", "Predicted", ...(truth ? ["True"] : [])];
  const className = (title) => (["Structure", "Predicted"].includes(title) ? "optional" : ""); // hidden on a phone
  titles.forEach((title) => head.append(make("th", className(title), title)));
  const body = table.createTBody();
  for (const pair of state.shown.slice(0, LIST_ROWS)) {
    const row = body.insertRow();
    row.dataset.pair = `${pair.i} ${pair.j}`;
    row.insertCell().append(make("i", `mark ${pair.kind}`), `${protein.residue(pair.i)} – ${protein.residue(pair.j)}`);
    const cell = (text, name = "") => row.append(make("td", name, text));
    if (truth) cell(`${protein.author(pair.i)} – ${protein.author(pair.j)}`, "optional");
    cell(String(pair.j - pair.i));
    cell(pair.prob.toFixed(2));
    cell(`${pair.expected.toFixed(1)} Å`, "optional");
    if (truth) cell(pair.distance === null ? "unknown" : `${pair.distance.toFixed(1)} Å`);
    row.addEventListener("click", () => pick(pair));
  }
  byId("contacts").replaceChildren(table);
  const more = state.shown.length > LIST_ROWS ? `, the first ${LIST_ROWS} listed` : "";
  byId("contacts-count").textContent = `${state.shown.length} pairs${more}`;
  markListRow();
}

function markListRow() {
  const wanted = state.picked ? `${state.picked.i} ${state.picked.j}` : "";
  for (const row of byId("contacts").querySelectorAll("tbody tr")) {
    const isPicked = row.dataset.pair === wanted;
    row.setAttribute("aria-selected", String(isPicked));
    if (isPicked) scrollWithin(byId("contacts"), row);
  }
}

/** Scroll the list, never the page. */
function scrollWithin(box, row) {
  const above = row.offsetTop - 40 - box.scrollTop;
  const below = row.offsetTop + row.offsetHeight - box.clientHeight - box.scrollTop;
  if (above < 0) box.scrollTop += above;
  else if (below > 0) box.scrollTop += below;
}
