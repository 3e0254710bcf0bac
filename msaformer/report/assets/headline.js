// What a stranger asks first, in words: what was predicted, and how far to trust it.

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
  const chain = ` chain ${protein.chains[0].name}`;
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
