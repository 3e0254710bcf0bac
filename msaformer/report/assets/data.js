// Unpack the page's data and answer questions about residues and pairs. Residues are counted from 0 here; on screen they
// carry the query's own numbers.

const THREE = {
  A: "Ala", C: "Cys", D: "Asp", E: "Glu", F: "Phe", G: "Gly", H: "His", I: "Ile", K: "Lys", L: "Leu", M: "Met",
  N: "Asn", P: "Pro", Q: "Gln", R: "Arg", S: "Ser", T: "Thr", V: "Val", W: "Trp", Y: "Tyr",
};

const byId = (id) => document.getElementById(id);

/** Make an element with text; text never becomes markup. */
function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== "") element.textContent = text;
  return element;
}

async function inflate(text) {
  const letters = atob(text);
  const packed = new Uint8Array(letters.length);
  for (let k = 0; k < letters.length; k++) packed[k] = letters.charCodeAt(k); // Uint8Array.from takes ten times as long
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Unpack a triangle: one byte a pair i < j, row after row, perhaps as differences (packing.py, `triangle_gradient`). */
async function inflateTriangle({ isGradient, data }, length) {
  const bytes = await inflate(data);
  if (!isGradient) return bytes;
  for (let k = 1; k < length - 1; k++) bytes[k] += bytes[k - 1]; // the first row has none above it
  for (let i = 1, at = length - 1, above = 1; i < length - 1; i++) {
    // the row above has one pair more: `above` is the upper neighbour, the one before it the diagonal one
    const end = at + length - i - 1;
    let diagonal = bytes[above];
    let left = diagonal; // the first pair of a row has an upper neighbour only
    for (; at < end; at++, above++) {
      const up = bytes[above];
      const low = left < up ? left : up;
      const high = left < up ? up : left;
      const plane = left + up - diagonal;
      left = (bytes[at] + (plane < low ? low : plane > high ? high : plane)) & 255;
      bytes[at] = left;
      diagonal = up;
    }
    above++;
  }
  return bytes;
}

/** One predicted protein, with the truth and a second prediction where they are known. */
class Protein {
  static async unpack(raw) {
    const protein = new Protein();
    const { truth, compare } = raw;
    Object.assign(protein, { raw, truth, compare, sequence: raw.sequence, length: raw.sequence.length });
    protein.chains = [];
    for (let start = 0, k = 0; k < raw.chains.length; start += raw.chains[k].length, k++) {
      protein.chains.push({ ...raw.chains[k], start, end: start + raw.chains[k].length });
    }
    protein.chainIndex = Uint16Array.from(protein.chains.flatMap(({ length }, k) => Array(length).fill(k)));
    const [prob, expected, spread, rival, atoms, pairs] = await Promise.all([
      ...[raw.prob, raw.expected, raw.spread].map((map) => inflateTriangle(map, raw.sequence.length)),
      compare && inflateTriangle(compare.steps, raw.sequence.length), truth && inflate(truth.atoms), inflate(raw.pairs.data),
    ]);
    Object.assign(protein, { prob, expected, spread, rival });
    protein.atoms = atoms && new Float32Array(atoms.buffer);
    protein.pairs = protein.readPairs(pairs, raw.pairs.count);
    protein.byCell = new Map(protein.pairs.map((pair) => [pair.i * protein.length + pair.j, pair]));
    protein.shownKeys = new Set();
    return protein;
  }

  /** Columns i, j, spread in 0.001 Å (uint16), probability, expected distance and perhaps a second score (float32). */
  readPairs(bytes, count) {
    let start = 0;
    const column = (Kind) => { // of each column first all low bytes, then the next
      const width = Kind.BYTES_PER_ELEMENT;
      const values = new Uint8Array(width * count);
      for (let byte = 0; byte < width; byte++) {
        for (let k = 0; k < count; k++, start++) values[width * k + byte] = bytes[start];
      }
      return new Kind(values.buffer);
    };
    const [first, second, spread] = [column(Uint16Array), column(Uint16Array), column(Uint16Array)];
    const [prob, expected] = [column(Float32Array), column(Float32Array)];
    const score = this.compare ? column(Float32Array) : null;
    return Array.from(first, (i, k) => {
      const pair = { i, j: second[k], prob: prob[k], expected: expected[k], spread: spread[k] / 1000, isExact: true };
      if (score) pair.score = Number.isNaN(score[k]) ? null : score[k];
      return this.judge(pair);
    });
  }

  /** Add what the structure says of a pair: its distance (null = unknown), and whether it is a contact. */
  judge(pair) {
    pair.distance = null;
    pair.kind = "plain";
    if (!this.truth) return pair;
    const distance = this.distance(pair.i, pair.j);
    if (Number.isNaN(distance)) pair.kind = "unknown";
    else Object.assign(pair, { distance, kind: distance < this.raw.contactAngstrom ? "true" : "false" });
    return pair;
  }

  /** True distance in Å, the very float32 that the metrics use; NaN where a residue is not resolved. */
  distance(i, j) {
    const { atoms } = this;
    const [x, y, z] = [atoms[3 * i] - atoms[3 * j], atoms[3 * i + 1] - atoms[3 * j + 1], atoms[3 * i + 2] - atoms[3 * j + 2]];
    return Math.fround(Math.sqrt(x * x + y * y + z * z));
  }

  /** Place of the pair i < j in a packed triangle. */
  cell(i, j) {
    return (i * (2 * this.length - i - 1)) / 2 + (j - i - 1);
  }

  /** Everything known about the pair i < j; exact where the pair is in the list, else from packed bytes. */
  pairAt(i, j) {
    const listed = this.byCell.get(i * this.length + j);
    if (listed) return listed;
    const { raw } = this;
    const cell = this.cell(i, j);
    const prob = Math.min((this.prob[cell] + 0.5) / raw.probSteps, 1);
    const pair = { i, j, prob, expected: this.expected[cell] * raw.expected.step, spread: this.spread[cell] * raw.spread.step };
    pair.isExact = false;
    if (this.rival) pair.score = this.compare.areProbabilities ? (this.rival[cell] + 0.5) / raw.probSteps : null;
    return this.judge(pair);
  }

  /** Whether the pair lies between two chains: such pairs have no separation. */
  isInter(i, j) {
    return this.chainIndex[i] !== this.chainIndex[j];
  }

  /** Whether a pair is among those shown (kept by page.js): only then is it a true or false positive. */
  isShown(pair) {
    return this.shownKeys.has(pair.i * this.length + pair.j);
  }

  isResolved(i) {
    return !this.truth || !Number.isNaN(this.atoms[3 * i]);
  }

  /** The query's own number of residue i. */
  number(i) {
    return this.raw.numbers ? this.raw.numbers[i] : i + 1;
  }

  /** The same, of a complex with the chain: "B:16". */
  place(i) {
    return this.chains.length > 1 ? `${this.chains[this.chainIndex[i]].name}:${this.number(i)}` : String(this.number(i));
  }

  /** "Lys 16", of a complex "Lys 16 (B)". */
  residue(i) {
    const letter = this.sequence[i];
    const chain = this.chains.length > 1 ? ` (${this.chains[this.chainIndex[i]].name})` : "";
    return `${THREE[letter] || letter} ${this.number(i)}${chain}`;
  }

  /** What the structure's author calls residue i: "A:15A", or why there is no such name. */
  author(i) {
    const { chainNames, numbers } = this.truth;
    if (chainNames[i] === "") return "not in chain";
    return numbers[i] === null ? "not resolved" : `${chainNames[i]}:${numbers[i]}`;
  }

  /** Contact atom of residue i as 3Dmol takes it, or null. */
  atom(i) {
    return this.isResolved(i) && this.truth
      ? { x: this.atoms[3 * i], y: this.atoms[3 * i + 1], z: this.atoms[3 * i + 2] } : null;
  }

  /** Rows [label, text, class] that describe a pair, for the tooltip and the picked contact. */
  describe(pair) {
    const { raw, truth } = this;
    const rows = [["query", `${this.place(pair.i)} – ${this.place(pair.j)}`]];
    if (truth) {
      rows.push(["SEQRES", [pair.i, pair.j].map((k) => truth.seqres[k] || "–").join(" – ")]);
      rows.push(["structure", `${this.author(pair.i)} – ${this.author(pair.j)}`]);
    }
    rows.push(["|i − j|", this.isInter(pair.i, pair.j) ? "different chains" : String(pair.j - pair.i)]);
    const about = pair.isExact ? "" : "≈ ";
    rows.push(["probability", about + pair.prob.toFixed(pair.prob < 0.1 ? 3 : 2)]);
    rows.push(["expected", `${about}${pair.expected.toFixed(1)} ± ${pair.spread.toFixed(1)} Å`]);
    if (truth) {
      const isKnown = pair.distance !== null;
      const verdict = pair.kind === "true" ? ", contact" : "";
      rows.push(["true distance", isKnown ? `${pair.distance.toFixed(1)} Å${verdict}` : "unknown", this.isShown(pair) ? pair.kind : ""]);
      const error = pair.expected - pair.distance;
      if (isKnown) rows.push(["error", `${error < 0 ? "−" : "+"}${Math.abs(error).toFixed(1)} Å`]);
    }
    if (raw.compare) rows.push([raw.compare.method, pair.score === null ? "not listed" : pair.score.toPrecision(3)]);
    return rows;
  }

  sentence(pair) {
    const rows = this.describe(pair).map(([label, text]) => `${label} ${text}`);
    return `${this.residue(pair.i)} and ${this.residue(pair.j)}: ${rows.join(", ")}`;
  }
}
