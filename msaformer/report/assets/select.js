// Which pairs a setting chooses, by either prediction, and how good they are. Nothing here touches the page.

const MAX_CHOSEN = 10; // pairs chosen at most, times L: a low threshold on a map of noise would choose half a million

/** A range of separations: pairs of two chains have none, and so are in every range without an upper end. */
class SeparationWindow {
  constructor(protein, { low, high, onlyInter }) {
    Object.assign(this, { protein, low, high, onlyInter });
  }

  has(i, j) {
    if (this.protein.isInter(i, j)) return this.high === null;
    return !this.onlyInter && j - i >= this.low && (this.high === null || j - i <= this.high);
  }

  isWithin(other) {
    if (other.onlyInter) return this.onlyInter;
    if (this.onlyInter) return other.high === null;
    return this.low >= other.low && (other.high === null || (this.high !== null && this.high <= other.high));
  }
}

/** One predictor's order of the pairs: exact for the pairs listed, to a step of its bytes for all others. */
class Ranking {
  /** `score(pair)` of a listed pair, null where there is none; `steps`, a byte a pair that never falls where it rises. */
  constructor(protein, steps, score) {
    Object.assign(this, { protein, steps, score });
    this.pairs = protein.pairs.filter((pair) => score(pair) !== null);
    if (score !== ownScore) this.pairs.sort((a, b) => score(b) - score(a) || a.i - b.i || a.j - b.j);
    this.complete = this.completeWindows();
  }

  /** Windows of which the list holds the best 3·L pairs, with the score down to which it holds all (pair_list.py). */
  completeWindows() {
    const { protein } = this;
    const wanted = protein.raw.pairsPerResidue * protein.length;
    const ranges = [...protein.raw.separations.map((low) => [low, null]), [6, 11], [12, 23]];
    const windows = ranges.map(([low, high]) => new SeparationWindow(protein, { low, high, onlyInter: false }));
    if (protein.chains.length > 1) windows.push(new SeparationWindow(protein, { low: 1, high: null, onlyInter: true }));
    return windows.map((range) => {
      let judged = 0;
      const last = this.pairs.find((pair) => range.has(pair.i, pair.j) && pair.kind !== "unknown" && ++judged === wanted);
      return { range, least: last ? this.score(last) : -Infinity };
    });
  }

  /** Score above which the list holds every pair of this window. */
  leastComplete(range) {
    const holding = this.complete.filter((part) => range.isWithin(part.range)).map((part) => part.least);
    return Math.min(Infinity, ...holding);
  }

  /** The `count` best pairs of known distance in a window, and the pairs of unknown distance ranked among them. */
  best(count, range) {
    const pairs = [];
    let [judged, lowest] = [0, Infinity];
    for (const pair of this.pairs) {
      if (!range.has(pair.i, pair.j)) continue;
      if (pair.kind !== "unknown") {
        if (judged === count) break;
        judged++;
        lowest = this.score(pair);
      }
      pairs.push(pair);
    }
    const least = this.leastComplete(range);
    const isComplete = least === -Infinity || (judged === count && lowest >= least);
    return isComplete ? { pairs, isExact: true, isCut: false } : this.bestByBytes(count, range);
  }

  /** The pairs of a window with a score of at least `threshold`; of very many the best ones, and isCut. */
  above(threshold, range) {
    if (this.leastComplete(range) < threshold) {
      const pairs = this.pairs.filter((pair) => this.score(pair) >= threshold && range.has(pair.i, pair.j));
      return { pairs, isExact: true, isCut: false };
    }
    const least = Math.round(threshold * this.protein.raw.probSteps);
    const most = MAX_CHOSEN * this.protein.length;
    let count = 0;
    this.everyCell(range, (cell) => { if (this.steps[cell] >= least) count++; });
    if (count > most) return { ...this.best(most, range), isCut: true };
    return { ...this.bestByBytes(count, range, true), isExact: true };
  }

  everyCell(range, visit) {
    const { length } = this.protein;
    for (let i = 0, cell = 0; i < length; i++) {
      for (let j = i + 1; j < length; j++, cell++) if (range.has(i, j)) visit(cell, i, j);
    }
  }

  /** The best pairs by their bytes, listed ones exact: for windows of which the list is not complete. */
  bestByBytes(count, range, countsUnknown = false) {
    const { protein, steps } = this;
    const counts = new Uint32Array(256);
    const isJudged = (i, j) => countsUnknown || (protein.isResolved(i) && protein.isResolved(j));
    this.everyCell(range, (cell, i, j) => { if (isJudged(i, j)) counts[steps[cell]]++; });
    let [last, above] = [255, 0];
    while (last > 0 && above + counts[last] < count) above += counts[last--];
    const [sure, level] = [[], []];
    let room = count - above;
    this.everyCell(range, (cell, i, j) => {
      if (steps[cell] > last) sure.push(protein.pairAt(i, j));
      else if (steps[cell] === last && room > 0) {
        level.push(protein.pairAt(i, j));
        if (isJudged(i, j)) room--;
      }
    });
    const pairs = [...sure, ...level].sort((a, b) => (this.score(b) ?? 0) - (this.score(a) ?? 0) || a.i - b.i || a.j - b.j);
    return { pairs, isExact: false, isCut: false };
  }
}

const ownScore = (pair) => pair.prob;
const rivalScore = (pair) => pair.score;

/** True contacts and pairs of known distance, by window. */
class Natives {
  constructor(protein) {
    this.protein = protein;
    this.pairs = [];
    const { length } = protein;
    this.known = new Uint32Array(length + 1); // by separation; at `length` the pairs of two chains
    if (!protein.truth) return;
    for (let i = 0; i < length; i++) {
      if (!protein.isResolved(i)) continue;
      for (let j = i + 1; j < length; j++) {
        if (!protein.isResolved(j)) continue;
        this.known[protein.isInter(i, j) ? length : j - i]++;
        if (protein.distance(i, j) < protein.raw.contactAngstrom) this.pairs.push([i, j]);
      }
    }
  }

  within(range) {
    return this.pairs.filter(([i, j]) => range.has(i, j));
  }

  /** Pairs of known distance in the window: contacts among them are what guessing would find. */
  knownWithin({ low, high, onlyInter }) {
    let count = high === null ? this.known[this.protein.length] : 0;
    const last = Math.min(high ?? Infinity, this.protein.length - 1);
    for (let apart = Math.max(low, 1); apart <= last && !onlyInter; apart++) count += this.known[apart];
    return count;
  }
}

/** Of pairs chosen: how many are judged, and how many of these are contacts. */
function judgement(pairs) {
  const judged = pairs.filter((pair) => pair.kind === "true" || pair.kind === "false").length;
  return { judged, right: pairs.filter((pair) => pair.kind === "true").length };
}
