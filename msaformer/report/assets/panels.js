// What does not change with the controls: precision by range of separation, and the words the page uses.

const TABLE_RANGES = {
  short: ["Short", "6–11"], medium: ["Medium", "12–23"], long: ["Long", "≥ 24"], medium_long: ["Medium + long", "≥ 12"],
  inter_chain: ["Between chains", ""],
};

PANELS.push((raw, protein) => {
  byId("precision-card").hidden = !raw.truth;
  if (raw.truth) fillPrecision(raw, protein.length);
});

PANELS.push((raw, protein) => {
  const words = [
    ["Contact", `Cβ–Cβ (Cα for Gly) closer than ${raw.contactAngstrom} Å. What is predicted is the probability of that.`],
    ["Range", `|i − j|, difference of places in the sequence: short 6–11, medium 12–23, long 24 and more${protein.chains.length > 1 ? "; pairs of two chains have none and count as long" : ""}.`],
    ["Expected distance", "mean ± standard deviation of the predicted distribution."],
    ["Neff", "sum over sequences of 1 / (number of sequences at least 80 % identical, itself included)."],
    ["Precision", "share of true contacts among the strongest pairs; pairs of unknown distance are left out."],
    ["Unknown", "a residue has no coordinates in the structure: neither contact nor non-contact."],
  ];
  byId("words").replaceChildren(...words.map(([word, meaning]) => {
    const line = make("span");
    line.append(make("strong", "", word), ` ${meaning}`);
    return line;
  }));
});

function fillPrecision({ truth, compare }, length) {
  const table = make("table");
  const head = table.createTHead().insertRow();
  for (const text of ["Range", "L", "L/2", "L/5", "Found"]) head.append(make("th", "", text));
  const body = table.createTBody();
  for (const row of truth.precision) {
    const rival = (compare && compare.precision.find(({ range }) => range === row.range)) || null;
    const line = body.insertRow();
    const [name, range] = TABLE_RANGES[row.range];
    line.insertCell().append(name, range ? make("small", "", range) : "");
    for (const share of ["p_at_l", "p_at_l2", "p_at_l5"]) line.append(barCell(row[share], rival && rival[share]));
    line.append(foundCell(row, rival, length));
  }
  const unknown = `${truth.unresolved} of ${length} residues are not resolved and left out of the ranking. `;
  const match = `The structure's sequence is ${(100 * truth.identity).toFixed(1)}\u202f% identical to the query's.`;
  const second = compare ? ` Below each figure, smaller: ${compare.method}.` : "";
  byId("precision").replaceChildren(table, make("p", "hint", `Share of true contacts among the L, L/2 and L/5 strongest pairs of each range. Found: how many of the structure's contacts are among the L strongest.${second} ${unknown}${match}`));
}

function barCell(value, rival) {
  const cell = make("td", "bar", percent(value));
  if (rival !== null) cell.append(make("span", "rival", percent(rival)));
  const track = make("i");
  const bar = make("b");
  bar.style.width = `${100 * (value || 0)}%`;
  track.append(bar);
  cell.append(track);
  return cell;
}

/** Recall at L, as numbers: contacts among the L strongest pairs of known distance, of all that there are. */
function foundCell(row, rival, length) {
  const found = ({ p_at_l: share, num_pairs: pairs }) => Math.round((share || 0) * Math.min(length, pairs));
  const cell = make("td", "", `${found(row)} of ${row.num_contacts}`);
  if (rival) cell.append(make("span", "rival", `${found(rival)} of ${rival.num_contacts}`));
  return cell;
}
