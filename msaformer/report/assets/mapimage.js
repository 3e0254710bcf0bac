// The map's pixels: one a pair, or one for a square of pairs. Each layer is a byte a pair, its colours, and which byte of a
// square is kept, so that a map drawn small loses no contact.

const ERROR_STEP = 0.05; // Å a step of an error; 255 = unknown
const MAX_IMAGES = 4; // kept; one of 2,000 residues takes 16 MB

/** A layer: `bytes` of the triangle, `palette` of 256 colours (0 = transparent), `weight` of 256: the heaviest is kept. */
function triangleLayer(bytes, rgbOf, weightOf, transparent = -1) {
  const palette = paletteWords(rgbOf);
  if (transparent >= 0) palette[transparent] = 0;
  return { bytes, palette, weight: Uint8Array.from({ length: 256 }, (_, k) => (k === transparent ? 0 : weightOf(k))) };
}

const heavier = (k) => k;
const lighter = (k) => 255 - k;

/** The layers of one protein by name; bytes that have to be computed are, once, when they are first asked for. */
class MapLayers {
  constructor(protein) {
    this.protein = protein;
    this.computed = new Map();
  }

  once(name, compute) {
    if (!this.computed.has(name)) this.computed.set(name, compute.call(this));
    return this.computed.get(name);
  }

  layer(name) {
    const { protein } = this;
    const { raw } = protein;
    const { stops, range: [low, high] } = LAYER_RAMPS[name === "rival" ? "prob" : name === "truth" ? "distance" : name];
    const colours = ramp(stops());
    const at = (value) => colours((value - low) / (high - low));
    if (name === "prob") return triangleLayer(protein.prob, (k) => at(k / raw.probSteps), heavier, 0);
    if (name === "rival") return triangleLayer(protein.rival, (k) => at(k / raw.probSteps), heavier, 0);
    if (name === "distance") return triangleLayer(protein.expected, (k) => at(k * raw.expected.step), lighter);
    if (name === "spread") return triangleLayer(protein.spread, (k) => at(k * raw.spread.step), heavier);
    if (name === "truth") return triangleLayer(this.once("truth", this.trueSteps), (k) => at(k * raw.expected.step), lighter, 255);
    if (name === "error") return triangleLayer(this.once("error", this.errorSteps), (k) => at(k * ERROR_STEP), heavier, 255);
    return triangleLayer(this.once("difference", this.differences), (k) => at((k - 128) / 127), (k) => Math.abs(k - 128));
  }

  /** A byte of each pair, 255 where its true distance is unknown. */
  ofDistances(step) {
    const { protein } = this;
    const bytes = new Uint8Array(protein.prob.length).fill(255);
    for (let i = 0, cell = 0; i < protein.length; i++) {
      for (let j = i + 1; j < protein.length; j++, cell++) {
        const distance = protein.distance(i, j);
        if (!Number.isNaN(distance)) bytes[cell] = Math.min(step(distance, cell), 254);
      }
    }
    return bytes;
  }

  trueSteps() {
    const { step } = this.protein.raw.expected;
    return this.ofDistances((distance) => distance / step);
  }

  errorSteps() {
    const { expected, raw } = this.protein;
    return this.ofDistances((distance, cell) => Math.abs(expected[cell] * raw.expected.step - distance) / ERROR_STEP);
  }

  /** Ours less the second's: of probabilities, or of ranks where the second has no probabilities; 128 = equal. */
  differences() {
    const { prob, rival, compare, raw } = this.protein;
    const own = compare.areProbabilities ? prob : this.rankSteps();
    return Uint8Array.from(prob, (_, cell) => 128 + Math.round((127 * (own[cell] - rival[cell])) / raw.probSteps));
  }

  /** Our probabilities by rank, as payload.py (`packed_ranks`) has other scores; pairs of one byte share the mean rank. */
  rankSteps() {
    const { prob, raw, length } = this.protein;
    const counts = new Uint32Array(256);
    for (const value of prob) counts[value]++;
    const steps = new Uint8Array(256);
    for (let value = 255, above = 0; value >= 0; above += counts[value--]) {
      steps[value] = raw.probSteps / (1 + (above + counts[value] / 2) / length);
    }
    return Uint8Array.from(prob, (value) => steps[value]);
  }
}

/** Pictures of the map, kept by what they show. */
class MapImages {
  constructor(protein) {
    this.protein = protein;
    this.layers = new MapLayers(protein);
    this.kept = new Map();
  }

  /** Squares of pool × pool pairs to a pixel; `lower` is a layer's name, "natives", or null for nothing below. */
  get({ upper, lower, pool, natives, custom }) {
    const key = custom ? custom.bytes : `${upper} ${lower} ${pool} ${isDark()} ${lower === "natives" ? natives.key : ""}`;
    if (!this.kept.has(key)) {
      if (this.kept.size >= MAX_IMAGES) this.kept.delete(this.kept.keys().next().value);
      this.kept.set(key, custom ? this.customImage(custom) : this.image({ upper, lower, pool, natives }));
    }
    return this.kept.get(key);
  }

  image({ upper, lower, pool, natives }) {
    const side = Math.ceil(this.protein.length / pool);
    const { canvas, words, finish } = blankImage(side);
    this.paint(words, side, pool, this.layers.layer(upper), true);
    if (lower === "natives") this.paintNatives(words, side, pool, natives);
    else if (lower) this.paint(words, side, pool, this.layers.layer(lower), false);
    if (upper === "distance") this.paintDiagonal(words, side); // a residue is 0 Å from itself
    finish();
    return canvas;
  }

  paintDiagonal(words, side) {
    const { palette } = this.layers.layer("distance");
    for (let k = 0; k < side; k++) words[k * side + k] = palette[0];
  }

  paint(words, side, pool, { bytes, palette, weight }, isUpper) {
    const { length } = this.protein;
    const heaviest = new Uint8Array(side * side);
    const [down, across] = isUpper ? [side, 1] : [1, side];
    for (let i = 0, cell = 0; i < length; i++) {
      const row = Math.floor(i / pool) * down;
      for (let j = i + 1; j < length; j++, cell++) {
        const place = row + Math.floor(j / pool) * across;
        const word = palette[bytes[cell]];
        if (word === 0 || (pool > 1 && weight[bytes[cell]] < heaviest[place])) continue;
        heaviest[place] = weight[bytes[cell]];
        words[place] = word;
      }
    }
  }

  /** True contacts below the diagonal: dark those in the range of separations, light the others. */
  paintNatives(words, side, pool, { far, near }) {
    for (const [pairs, name] of [[far, "native-far"], [near, "native"]]) {
      const word = paletteWords(() => rgbOf(colour(name)))[0];
      for (const [i, j] of pairs) words[Math.floor(j / pool) * side + Math.floor(i / pool)] = word;
    }
  }

  customImage({ bytes, ramp: stops }) {
    const side = this.protein.length;
    const { canvas, words, finish } = blankImage(side);
    const colours = ramp(stops);
    const palette = paletteWords((k) => colours(k / 255));
    for (let place = 0; place < bytes.length; place++) words[place] = palette[bytes[place]];
    finish();
    return canvas;
  }
}

const rgbOf = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));

function blankImage(side) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(side, side);
  return { canvas, words: new Uint32Array(picture.data.buffer), finish: () => context.putImageData(picture, 0, 0) };
}
