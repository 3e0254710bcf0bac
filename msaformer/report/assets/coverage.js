// Draw the alignment: rows sorted by identity to the query and coloured by it, gaps empty, the count of sequences per
// column as a line over them, and Neff per column in a strip below. columns.js asks it what lies where.

const COVERAGE_MARGIN = { left: 58, right: 14, top: 8, bottom: 40 };
const STRIP = { gap: 18, height: 58 }; // pixels between picture and strip of Neff, and its height

async function unpackCoverage(raw, length) {
  const [bits, identity, counts, neff, frequent, percents] = await Promise.all(
    [raw.covered, raw.identity, raw.counts, raw.columnNeff, raw.frequent, raw.percents].map(inflate));
  return {
    ...raw, length, bits, identity, frequent, percents, rowBytes: Math.ceil(length / 8), total: raw.neff,
    counts: new Uint32Array(counts.buffer), neff: new Float32Array(neff.buffer),
  };
}

function coverageImage(coverage) {
  const { rows, length, bits, rowBytes, identity } = coverage;
  const canvas = document.createElement("canvas");
  canvas.width = length;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(length, rows);
  const words = new Uint32Array(picture.data.buffer);
  const viridis = ramp(VIRIDIS);
  const palette = paletteWords((k) => viridis(k / 255));
  for (let row = 0; row < rows; row++) {
    const word = palette[identity[row]];
    const top = rows - 1 - row; // the query at the bottom, as counts grow upward
    for (let column = 0; column < length; column++) {
      const bit = bits[row * rowBytes + (column >> 3)] & (128 >> (column & 7));
      if (bit) words[top * length + column] = word;
    }
  }
  context.putImageData(picture, 0, 0);
  return canvas;
}

class CoveragePicture {
  /** `chains` are { name, start, end } in columns; `numberOf(column)` is what the query calls its residue. */
  constructor(canvas, coverage, { chains, numberOf }) {
    Object.assign(this, { canvas, coverage, chains, numberOf, marked: [], hovered: null });
    this.image = coverageImage(coverage);
  }

  draw() {
    const { canvas } = this;
    const ratio = Math.max(window.devicePixelRatio || 1, 1);
    const { width, height } = canvas.getBoundingClientRect();
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.drawInto(context, width, height);
  }

  drawInto(context, width, height) {
    const { coverage } = this;
    this.context = context;
    const { left, right, top, bottom } = COVERAGE_MARGIN;
    const span = { left, width: Math.max(width - left - right, 1) };
    const below = height - bottom - STRIP.height;
    this.plot = { ...span, top, height: below - STRIP.gap - top };
    this.strip = { ...span, top: below, height: STRIP.height };
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(this.image, left, top, this.plot.width, this.plot.height);
    this.drawSteps(coverage.counts, coverage.depth, this.plot, [["halo", 4], ["pick", 1.6]]);
    this.drawStrip();
    this.drawChains();
    this.drawMarked();
    this.drawAxes();
  }

  x(column) {
    return this.plot.left + (this.plot.width * column) / this.coverage.length;
  }

  /** One value a column as a staircase; `most` is the top of the box. */
  steps(values, most, box) {
    const path = new Path2D();
    values.forEach((value, column) => {
      const y = box.top + box.height * (1 - value / most);
      path.lineTo(this.x(column), y);
      path.lineTo(this.x(column + 1), y);
    });
    return path;
  }

  drawSteps(values, most, box, strokes) {
    const path = this.steps(values, most, box);
    for (const [name, width] of strokes) {
      this.context.strokeStyle = colour(name);
      this.context.lineWidth = width;
      this.context.stroke(path);
    }
  }

  drawStrip() {
    const { coverage, strip, context } = this;
    const area = this.steps(coverage.neff, coverage.total, strip);
    area.lineTo(strip.left + strip.width, strip.top + strip.height);
    area.lineTo(strip.left, strip.top + strip.height);
    context.fillStyle = colour("accent");
    context.globalAlpha = 0.22;
    context.fill(area);
    context.globalAlpha = 1;
    this.drawSteps(coverage.neff, coverage.total, strip, [["accent", 1.4]]);
  }

  drawChains() {
    const { context, plot, strip } = this;
    for (const { end } of this.chains.slice(0, -1)) {
      for (const [name, width, dash] of [["halo", 3.5, []], ["pick", 1.3, [6, 4]]]) {
        context.strokeStyle = colour(name);
        context.lineWidth = width;
        context.setLineDash(dash);
        context.beginPath();
        context.moveTo(this.x(end), plot.top);
        context.lineTo(this.x(end), strip.top + strip.height);
        context.stroke();
      }
    }
    context.setLineDash([]);
  }

  /** Frame the columns that are picked, and the one pointed at. */
  drawMarked() {
    const { context, plot, strip } = this;
    const height = strip.top + strip.height - plot.top;
    const frame = (column, name, extra) => {
      const width = Math.max(this.x(column + 1) - this.x(column), 2) + extra;
      context.strokeStyle = colour(name);
      context.lineWidth = extra ? 1.6 : 1;
      context.strokeRect((this.x(column) + this.x(column + 1) - width) / 2, plot.top, width, height);
    };
    for (const column of this.marked) {
      frame(column, "halo", 5);
      frame(column, "residue", 2);
      this.arrow(column);
    }
    if (this.hovered !== null) frame(this.hovered, "pick", 0);
  }

  arrow(column) {
    const { context, strip } = this;
    const [x, y] = [(this.x(column) + this.x(column + 1)) / 2, strip.top + strip.height + 1];
    context.fillStyle = colour("residue");
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x - 5, y + 7);
    context.lineTo(x + 5, y + 7);
    context.fill();
  }

  drawAxes() {
    const { context, coverage, plot, strip } = this;
    const bottom = strip.top + strip.height;
    context.strokeStyle = colour("line");
    context.lineWidth = 1;
    for (const box of [plot, strip]) context.strokeRect(box.left - 0.5, box.top - 0.5, box.width + 1, box.height + 1);
    context.fillStyle = colour("muted");
    context.font = "11.5px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "top";
    const step = tickStep(coverage.length, plot.width / 64);
    for (const { name, start, end } of this.chains) {
      for (const tick of ticksIn(0, end - start, step)) {
        context.fillText(this.numberOf(start + tick - 1), this.x(start + tick - 0.5), bottom + 8);
      }
      const title = this.chains.length > 1 ? `chain ${name}` : "residue of the query";
      context.fillText(title, this.x((start + end) / 2), bottom + 25);
    }
    context.textAlign = "right";
    context.textBaseline = "middle";
    this.scale(plot, coverage.depth, steps(0, coverage.depth, plot.height / 50).filter(Number.isInteger));
    this.scale(strip, coverage.total, [0, coverage.total]);
    this.title("sequences", plot);
    this.title("Neff", strip);
  }

  scale(box, most, ticks) {
    for (const tick of ticks) {
      this.context.fillText(decimals(tick), box.left - 6, box.top + box.height * (1 - tick / most));
    }
  }

  title(text, box) {
    const { context } = this;
    context.save();
    context.translate(9, box.top + box.height / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText(text, 0, 0);
    context.restore();
  }
}
