// Unpack the page's data and answer questions about pairs. Residues are counted from 0 here, from 1 on screen.

const THREE = {
  A: "Ala", C: "Cys", D: "Asp", E: "Glu", F: "Phe", G: "Gly", H: "His", I: "Ile", K: "Lys", L: "Leu", M: "Met",
  N: "Asn", P: "Pro", Q: "Gln", R: "Arg", S: "Ser", T: "Thr", V: "Val", W: "Trp", Y: "Tyr",
};
const UNKNOWN = 255;

const byId = (id) => document.getElementById(id);

/** Make an element with text; text never becomes markup. */
function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== "") element.textContent = text;
  return element;
}

const colours = new Map();

/** Read a colour of the style sheet; kept until the scheme changes (colours.clear()). */
function colour(name) {
  if (!colours.has(name)) {
    colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  }
  return colours.get(name);
}

async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** One predicted protein, with the truth where it is known. */
class Protein {
  static async unpack(raw) {
    const protein = new Protein();
    Object.assign(protein, { raw, sequence: raw.sequence, length: raw.sequence.length, truth: raw.truth });
    const truthBytes = raw.truth ? inflate(raw.truth.distances) : null;
    [protein.prob, protein.expected, protein.spread, protein.trueSteps] = await Promise.all(
      [inflate(raw.prob), inflate(raw.expected), inflate(raw.spread), truthBytes]);
    protein.contactSteps = Math.round(raw.contactAngstrom / raw.distanceStep);
    protein.pairs = protein.readPairs(await inflate(raw.pairs.data), raw.pairs.count);
    protein.byCell = new Map(protein.pairs.map((pair) => [pair.i * protein.length + pair.j, pair]));
    protein.shown = [];
    return protein;
  }

  /** Columns i, j (uint16), probability, expected distance and perhaps true distance (float32), best pair first. */
  readPairs(bytes, count) {
    const first = new Uint16Array(bytes.buffer, 0, count);
    const second = new Uint16Array(bytes.buffer, 2 * count, count);
    const column = (k) => new Float32Array(bytes.buffer, (4 + 4 * k) * count, count);
    const [prob, expected, distance] = [column(0), column(1), this.truth ? column(2) : null];
    return Array.from(first, (i, k) => {
      const j = second[k];
      const spread = this.spread[this.cell(i, j)] * this.raw.spreadStep;
      const pair = { i, j, prob: prob[k], expected: expected[k], spread, distance: null, kind: "plain" };
      if (!distance) return pair;
      if (Number.isNaN(distance[k])) return { ...pair, kind: "unknown" };
      return { ...pair, distance: distance[k], kind: distance[k] < this.raw.contactAngstrom ? "true" : "false" };
    });
  }

  /** Place of the pair i < j in a packed triangle. */
  cell(i, j) {
    return (i * (2 * this.length - i - 1)) / 2 + (j - i - 1);
  }

  /** Everything known about the pair i < j; exact where the pair is in the list, else from packed bytes. */
  pairAt(i, j) {
    const cell = this.cell(i, j);
    const listed = this.byCell.get(i * this.length + j);
    if (listed) return listed;
    const spread = this.spread[cell] * this.raw.spreadStep;
    const pair = { i, j, prob: this.prob[cell] / 255, expected: this.expected[cell] * this.raw.distanceStep, spread };
    if (!this.trueSteps) return { ...pair, distance: null, kind: "plain" };
    const steps = this.trueSteps[cell];
    if (steps === UNKNOWN) return { ...pair, distance: null, kind: "unknown" };
    const distance = (steps + 0.5) * this.raw.distanceStep;
    return { ...pair, distance, kind: steps < this.contactSteps ? "true" : "false" };
  }

  /** The `count` best pairs of known distance at least `separation` apart, and unknown pairs ranked among them. */
  best(count, separation) {
    const chosen = [];
    let judged = 0;
    for (const pair of this.pairs) {
      if (pair.j - pair.i < separation) continue;
      if (pair.kind !== "unknown" && ++judged > count) break;
      chosen.push(pair);
    }
    return chosen;
  }

  /** True contacts as [i, j], all separations. */
  nativeContacts() {
    const found = [];
    for (let i = 0, cell = 0; i < this.length; i++) {
      for (let j = i + 1; j < this.length; j++, cell++) {
        if (this.trueSteps[cell] < this.contactSteps) found.push([i, j]);
      }
    }
    return found;
  }

  /** Share of contacts among pairs of known distance at least `separation` apart: what guessing would reach. */
  chance(separation) {
    let contacts = 0;
    let known = 0;
    for (let i = 0, cell = 0; i < this.length; i++) {
      for (let j = i + 1; j < this.length; j++, cell++) {
        if (j - i < separation || this.trueSteps[cell] === UNKNOWN) continue;
        known++;
        if (this.trueSteps[cell] < this.contactSteps) contacts++;
      }
    }
    return { contacts, known };
  }

  /** Whether a pair is among those shown (`shown`, kept by page.js): only then is it a true or false positive. */
  isShown(pair) {
    return this.shown.some((other) => other.i === pair.i && other.j === pair.j);
  }

  isResolved(i) {
    return !this.truth || Boolean(this.truth.known[i]);
  }

  residue(i) {
    const letter = this.sequence[i];
    return `${THREE[letter] || letter} ${i + 1}`;
  }

  /** What the structure's author calls residue i: "A:15A", or why there is no such name. */
  author(i) {
    const number = this.truth.numbers[i];
    if (number === null) return "not in chain";
    return number === "" ? "not resolved" : `${this.truth.chain}:${number}`;
  }

  /** Rows [label, text, class] that describe a pair, for the tooltip and the picked contact. */
  describe(pair) {
    const rows = [["query", `${pair.i + 1} – ${pair.j + 1}`]];
    if (this.truth) rows.push(["structure", `${this.author(pair.i)} – ${this.author(pair.j)}`]);
    rows.push(["|i − j|", String(pair.j - pair.i)]);
    rows.push(["probability", pair.prob.toFixed(pair.prob < 0.1 ? 3 : 2)]);
    rows.push(["predicted", `${pair.expected.toFixed(1)} ± ${pair.spread.toFixed(1)} Å`]);
    if (this.truth) {
      const verdict = pair.kind === "true" ? ", contact" : "";
      const text = pair.kind === "unknown" ? "unknown" : `${pair.distance.toFixed(1)} Å${verdict}`;
      rows.push(["true distance", text, this.isShown(pair) ? pair.kind : ""]);
    }
    return rows;
  }

  sentence(pair) {
    const rows = this.describe(pair).map(([label, text]) => `${label} ${text}`);
    return `${this.residue(pair.i)} and ${this.residue(pair.j)}: ${rows.join(", ")}`;
  }
}

/** Colours of a ramp at t in [0, 1], as [r, g, b]. */
function ramp(stops) {
  const rgb = stops.map((hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)));
  return (t) => {
    const place = Math.min(Math.max(t, 0), 1) * (rgb.length - 1);
    const low = Math.min(Math.floor(place), rgb.length - 2);
    return [0, 1, 2].map((k) => Math.round(rgb[low][k] + (place - low) * (rgb[low + 1][k] - rgb[low][k])));
  };
}

/** 256 colours as opaque RGBA words in the byte order of ImageData. */
function paletteWords(rgbOf) {
  const bytes = new Uint8ClampedArray(4 * 256);
  for (let k = 0; k < 256; k++) bytes.set([...rgbOf(k), 255], 4 * k);
  return new Uint32Array(bytes.buffer);
}

const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;
const BLUES = ["#ffffff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08519c", "#08306b"];
const BLUES_DARK = ["#161c25", "#0f2c4d", "#0d3f73", "#12579a", "#2b7bba", "#559fd0", "#86c1e2", "#b9ddf0", "#f2faff"];
const VIRIDIS = [
  "#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725",
];
const blues = () => (isDark() ? BLUES_DARK : BLUES);
const gradient = (stops) => `linear-gradient(90deg, ${stops.join(", ")})`;
const RAMP_ANGSTROM = [2, 22]; // ends of the distance colours
