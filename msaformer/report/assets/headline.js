// What a stranger asks first, in words: what was predicted, how far to trust it, and where it is.

const percent = (share) => (share === null || Number.isNaN(share) ? "–" : `${Math.round(100 * share)}\u202f%`);
const rounded = (number) => number.toLocaleString("en", { maximumFractionDigits: number >= 100 ? 0 : 1 });
const REACH = 3; // residues that two contacts of one group may be apart, along either side

function fillHeader(raw) {
  byId("name").textContent = raw.name;
  const facts = [["residues (L)", raw.sequence.length], ["sequences (N)", raw.depth], ["effective (Neff)", raw.neff]];
  byId("facts").replaceChildren(...facts.map(([term, number]) => {
    const fact = make("div");
    fact.append(make("dt", "", term), make("dd", "", rounded(number)));
    return fact;
  }));
  const best = rankings.own.best(protein.length, new SeparationWindow(protein, { low: 24, high: null, onlyInter: false })).pairs;
  const parts = [whatWords(raw), raw.truth ? judgedWords(raw) : trustWords(raw, best), whereWords(best)];
  byId("summary").replaceChildren(...parts.filter(Boolean).map((words) => {
    const line = make("p");
    line.append(...words.map(([text, isStrong]) => (isStrong ? make("b", "", text) : text)));
    return line;
  }));
}

function whatWords(raw) {
  const chains = raw.chains.length > 1 ? ` of ${raw.chains.length} chains (${raw.chains.map((chain) => chain.name).join(", ")})` : " of this protein";
  const source = raw.depth > 1 ? `an alignment of ${rounded(raw.depth)} sequences` : "its sequence alone";
  return [["Which of the "], [`${rounded(raw.sequence.length)} residues`, true], [`${chains} touch each other, predicted from ${source}. Two residues are in contact when their Cβ atoms are closer than ${raw.contactAngstrom} Å.`]];
}

function judgedWords(raw) {
  const long = raw.truth.precision.find((row) => row.range === "long");
  const names = raw.chains.map((chain) => chain.name).join(", ");
  const where = `the structure given (chain${raw.chains.length > 1 ? "s" : ""} ${names})`;
  if (long.p_at_l === null) return [["The structure holds no pair of residues 24 or more apart to judge by."]];
  const count = Math.min(protein.length, long.num_pairs);
  const few = Math.min(Math.max(Math.floor(protein.length / 5), 1), long.num_pairs);
  return [
    ["Of the "], [`${rounded(count)} strongest long-range pairs`, true], [", "], [percent(long.p_at_l), true],
    [` are contacts in ${where}, of the ${few} strongest `], [percent(long.p_at_l5), true],
    [`; guessing would find ${(100 * long.num_contacts / long.num_pairs).toFixed(1)}\u202f%.`],
    ...secondWords(raw),
  ];
}

function secondWords(raw) {
  const row = raw.compare && raw.compare.precision.find(({ range }) => range === "long");
  return row && row.p_at_l !== null ? [[` The second prediction (${raw.compare.method}) reaches `], [percent(row.p_at_l), true], [` and ${percent(row.p_at_l5)}.`]] : [];
}

/** Without a structure: what the network says of itself, and what alignments as deep as this one were worth. */
function trustWords(raw, best) {
  if (best.length === 0) return [["It is too short for a long-range contact (24 or more residues apart)."]];
  const expected = best.reduce((sum, pair) => sum + pair.prob, 0);
  const band = raw.neffBands.find(({ below }) => below === null || raw.neff < below);
  return [
    ["By its own probabilities "], [`${Math.round(expected)} of the ${rounded(best.length)} strongest long-range pairs`, true],
    [" are contacts; there is no structure to check them against. The alignment is "], [`${band.words}`, true],
    [` (Neff ${rounded(raw.neff)} for ${protein.length} residues): with as many sequences, ${percent(band.low)} to ${percent(band.high)} of the L strongest long-range pairs were contacts in proteins of known structure, with the weights that come with the program.`],
  ];
}

/** The largest groups of neighbouring contacts among the L strongest long-range pairs. */
function whereWords(best) {
  const groups = contactGroups(best.filter((pair) => pair.kind !== "false")).slice(0, 3);
  if (groups.length === 0) return null;
  const span = (low, high) => (low === high ? protein.residue(low) : `${protein.number(low)}–${protein.number(high)}${chainName(low)}`);
  const chainName = (k) => (protein.chains.length > 1 ? ` (${protein.chains[protein.chainIndex[k]].name})` : "");
  const words = groups.map((group, k) => `${span(...group.i)} with ${span(...group.j)} (${group.count}${k ? "" : " pairs"})`);
  return [[protein.truth ? "Most of the right ones join residues " : "Most of them join residues "], [listed(words), true], ["."]];
}

const listed = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);

/** Pairs whose neighbours in both residues are pairs too, as ranges of residues, the largest group first. */
function contactGroups(pairs) {
  const groups = [];
  const left = new Set(pairs);
  for (const seed of pairs) {
    if (!left.delete(seed)) continue;
    const members = [seed];
    for (let k = 0; k < members.length; k++) {
      for (const pair of left) {
        if (Math.abs(pair.i - members[k].i) > REACH || Math.abs(pair.j - members[k].j) > REACH) continue;
        left.delete(pair);
        members.push(pair);
      }
    }
    const range = (side) => [Math.min(...members.map((pair) => pair[side])), Math.max(...members.map((pair) => pair[side]))];
    if (members.length > 1) groups.push({ i: range("i"), j: range("j"), count: members.length });
  }
  return groups.sort((a, b) => b.count - a.count);
}

/** The number of the moment: precision with a structure, else the mean probability; and the same of a second prediction. */
function fillScore(chosen) {
  const { pairs, judged, right, rival } = chosen;
  const about = chosen.isExact ? "" : "≈ ";
  if (protein.truth) {
    const chance = chosen.natives.length / Math.max(natives.knownWithin(chosen.range), 1);
    byId("score-value").textContent = judged ? about + percent(right / judged) : "–";
    byId("score-text").textContent = `precision: ${right} of ${judged} (chance ${(100 * chance).toFixed(1)}\u202f%)\nfinds ${percent(right / Math.max(chosen.natives.length, 1))} of ${chosen.natives.length} contacts`;
    byId("rival-value").textContent = rival && rival.judged ? percent(rival.right / rival.judged) : "–";
    byId("rival-text").textContent = rival ? `${protein.compare.method}\n${rival.right} of ${rival.judged}` : "";
  } else {
    const mean = pairs.reduce((sum, pair) => sum + pair.prob, 0) / Math.max(pairs.length, 1);
    byId("score-value").textContent = pairs.length ? about + mean.toFixed(2) : "–";
    byId("score-text").textContent = `mean probability\nof ${pairs.length} pairs`;
    byId("rival-value").textContent = rival ? String(sharedCount(chosen)) : "";
    byId("rival-text").textContent = rival ? `of ${rival.pairs.length} pairs shared\nwith ${protein.compare.method}` : "";
  }
  byId("rival").hidden = !rival;
  byId("count-text").textContent = `${chosen.label} · ${chosen.isCut ? `${pairs.length} best` : protein.truth ? judged : pairs.length}`;
}

const sharedCount = ({ keys, rival }) => rival.pairs.filter((pair) => keys.has(pair.i * protein.length + pair.j)).length;
