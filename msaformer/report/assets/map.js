// Draw the L×L map on a canvas: prediction above the diagonal, truth and marks below. mapview.js moves it.

const MARGIN = { left: 40, right: 14, top: 6, bottom: 40 };

class MapPicture {
  constructor(canvas, protein) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.protein = protein;
    this.natives = protein.truth ? protein.nativeContacts() : [];
    this.layer = "contacts";
    this.separation = 6;
    this.marks = [];
    this.picked = null;
    this.cursor = null;
    this.view = { x: 0, y: 0, span: protein.length };
    this.images = new Map();
  }

  /** Fit the canvas to its box on screen, in device pixels. */
  resize() {
    const box = this.canvas.getBoundingClientRect();
    this.ratio = Math.max(window.devicePixelRatio || 1, 1);
    this.size = Math.max(Math.min(box.width, box.height), 120);
    this.canvas.width = Math.round(this.size * this.ratio);
    this.canvas.height = this.canvas.width;
    this.plot = this.size - MARGIN.left - MARGIN.right;
  }

  get scale() {
    return this.plot / this.view.span; // screen pixels a residue
  }

  screenX(residue) {
    return MARGIN.left + (residue - this.view.x) * this.scale;
  }

  screenY(residue) {
    return MARGIN.top + (residue - this.view.y) * this.scale;
  }

  draw() {
    const context = this.context;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.size, this.size);
    context.fillStyle = colour("card");
    context.fillRect(0, 0, this.size, this.size);
    context.save();
    context.beginPath();
    context.rect(MARGIN.left, MARGIN.top, this.plot, this.plot);
    context.clip();
    this.drawImage();
    if (this.protein.truth) {
      if (this.layer === "contacts") this.drawNatives();
      this.drawUnknown();
    }
    this.drawDiagonal();
    this.drawMarks();
    this.drawCursor();
    if (this.picked) this.drawPicked();
    context.restore();
    this.drawAxes();
  }

  drawImage() {
    const context = this.context;
    const pool = this.layer === "contacts" ? Math.max(1, Math.floor(1 / (this.scale * this.ratio))) : 1;
    const image = this.image(pool);
    context.imageSmoothingEnabled = this.scale * this.ratio * pool < 1;
    const { x, y, span } = this.view;
    context.drawImage(image, x / pool, y / pool, span / pool, span / pool, MARGIN.left, MARGIN.top, this.plot, this.plot);
  }

  /** One pixel a pair, or one for pool × pool pairs that keeps the strongest, so that small maps lose no contact. */
  image(pool) {
    const key = `${this.layer} ${pool} ${isDark()}`;
    if (!this.images.has(key)) {
      const side = Math.ceil(this.protein.length / pool);
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = side;
      const context = canvas.getContext("2d");
      const picture = context.createImageData(side, side);
      if (this.layer === "contacts") this.paintProbabilities(picture, side, pool);
      else this.paintDistances(picture, side);
      context.putImageData(picture, 0, 0);
      this.images.set(key, canvas);
    }
    return this.images.get(key);
  }

  paintProbabilities(picture, side, pool) {
    const { length, prob } = this.protein;
    const blue = ramp(blues());
    const palette = paletteWords((k) => blue(k / this.protein.raw.probSteps));
    const strongest = new Uint8Array(side * side);
    for (let i = 0, cell = 0; i < length; i++) {
      const row = Math.floor(i / pool) * side;
      for (let j = i + 1; j < length; j++, cell++) {
        const place = row + Math.floor(j / pool);
        if (prob[cell] > strongest[place]) strongest[place] = prob[cell];
      }
    }
    const words = new Uint32Array(picture.data.buffer);
    strongest.forEach((value, place) => {
      if (value) words[place] = palette[value];
    });
  }

  paintDistances(picture, side) {
    const { length, expected, truth, raw } = this.protein;
    const [near, far] = RAMP_ANGSTROM;
    const viridis = ramp(VIRIDIS);
    const palette = paletteWords((k) => viridis((k * raw.expected.step - near) / (far - near)));
    const words = new Uint32Array(picture.data.buffer);
    for (let i = 0, cell = 0; i < length; i++) {
      words[i * side + i] = palette[0];
      for (let j = i + 1; j < length; j++, cell++) {
        words[i * side + j] = palette[expected[cell]];
        const steps = truth ? Math.floor(this.protein.distance(i, j) / raw.expected.step) : expected[cell];
        if (!Number.isNaN(steps)) words[j * side + i] = palette[Math.min(steps, 255)];
      }
    }
  }

  drawNatives() {
    const size = Math.max(this.scale, 1.2);
    const [near, far] = [colour("native"), colour("native-far")];
    for (const [i, j] of this.natives) {
      this.context.fillStyle = j - i >= this.separation ? near : far;
      this.context.fillRect(this.screenX(i), this.screenY(j), size, size);
    }
  }

  /** Hatch the rows and columns of residues the structure does not show: unknown is not the same as apart. */
  drawUnknown() {
    const { length } = this.protein;
    const context = this.context;
    const bands = new Path2D();
    for (let start = 0; start < length; start++) {
      if (this.protein.isResolved(start)) continue;
      let end = start;
      while (end < length && !this.protein.isResolved(end)) end++;
      bands.rect(this.screenX(start), this.screenY(0), (end - start) * this.scale, length * this.scale);
      bands.rect(this.screenX(0), this.screenY(start), length * this.scale, (end - start) * this.scale);
      start = end;
    }
    context.save();
    const below = new Path2D();
    below.moveTo(this.screenX(0), this.screenY(0));
    below.lineTo(this.screenX(length), this.screenY(length));
    below.lineTo(this.screenX(0), this.screenY(length));
    context.clip(below);
    context.fillStyle = this.hatch();
    context.fill(bands);
    context.restore();
  }

  hatch() {
    const tile = document.createElement("canvas");
    const side = Math.round(6 * this.ratio);
    tile.width = tile.height = side;
    const context = tile.getContext("2d");
    context.fillStyle = colour("soft");
    context.fillRect(0, 0, side, side);
    context.strokeStyle = colour("unknown");
    context.lineWidth = 1.3 * this.ratio;
    for (const shift of [-side, 0, side]) {
      context.beginPath();
      context.moveTo(shift - 1, side + 1);
      context.lineTo(shift + side + 1, -1);
      context.stroke();
    }
    const pattern = this.context.createPattern(tile, "repeat");
    pattern.setTransform(new DOMMatrix().scale(1 / this.ratio));
    return pattern;
  }

  /** Veil the pairs too close in sequence to be counted, and draw the diagonal. */
  drawDiagonal() {
    const { length } = this.protein;
    const context = this.context;
    const band = this.separation - 0.5;
    context.globalAlpha = this.layer === "contacts" ? 0.55 : 0;
    context.fillStyle = colour("card");
    context.beginPath();
    context.moveTo(this.screenX(0), this.screenY(0));
    context.lineTo(this.screenX(band), this.screenY(0));
    context.lineTo(this.screenX(length), this.screenY(length - band));
    context.lineTo(this.screenX(length), this.screenY(length));
    context.lineTo(this.screenX(length - band), this.screenY(length));
    context.lineTo(this.screenX(0), this.screenY(band));
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = colour("faint");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(this.screenX(0), this.screenY(0));
    context.lineTo(this.screenX(length), this.screenY(length));
    context.stroke();
  }

  drawMarks() {
    const radius = Math.min(Math.max(this.scale * 0.42, 2.3), 9);
    for (const pair of this.marks) this.drawMark(pair, this.screenX(pair.i + 0.5), this.screenY(pair.j + 0.5), radius);
  }

  drawMark(pair, x, y, radius) {
    const context = this.context;
    const outline = new Path2D();
    if (pair.kind === "false") {
      outline.moveTo(x - radius, y - radius);
      outline.lineTo(x + radius, y + radius);
      outline.moveTo(x - radius, y + radius);
      outline.lineTo(x + radius, y - radius);
    } else {
      outline.arc(x, y, radius, 0, 2 * Math.PI);
    }
    const width = pair.kind === "false" ? Math.max(radius * 0.5, 1.4) : 1.2;
    if (this.layer === "distances") this.stroke(outline, colour("halo"), width + 1.6);
    if (pair.kind === "false" || pair.kind === "unknown") {
      this.stroke(outline, colour(pair.kind === "false" ? "false" : "muted"), width);
    } else {
      context.fillStyle = colour(pair.kind === "true" ? "true" : "ink");
      context.fill(outline);
    }
  }

  stroke(path, style, width) {
    this.context.strokeStyle = style;
    this.context.lineWidth = width;
    this.context.stroke(path);
  }

  drawCursor() {
    if (!this.cursor) return;
    const { row, column } = this.cursor;
    const context = this.context;
    context.strokeStyle = colour("faint");
    context.lineWidth = 1;
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(this.screenX(column + 0.5), MARGIN.top);
    context.lineTo(this.screenX(column + 0.5), MARGIN.top + this.plot);
    context.moveTo(MARGIN.left, this.screenY(row + 0.5));
    context.lineTo(MARGIN.left + this.plot, this.screenY(row + 0.5));
    context.stroke();
    context.setLineDash([]);
  }

  /** Ring the picked pair on both sides of the diagonal. */
  drawPicked() {
    const { i, j } = this.picked;
    const radius = Math.max(this.scale * 0.8, 7);
    for (const [column, row] of [[i, j], [j, i]]) {
      for (const [style, width] of [[colour("halo"), 5], [colour("pick"), 2]]) {
        const ring = new Path2D();
        ring.arc(this.screenX(column + 0.5), this.screenY(row + 0.5), radius, 0, 2 * Math.PI);
        this.stroke(ring, style, width);
      }
    }
  }

  drawAxes() {
    const context = this.context;
    const [left, bottom] = [MARGIN.left, MARGIN.top + this.plot];
    context.strokeStyle = colour("line");
    context.lineWidth = 1;
    context.strokeRect(left + 0.5, MARGIN.top + 0.5, this.plot - 1, this.plot - 1);
    context.fillStyle = colour("muted");
    context.font = "11.5px system-ui, sans-serif";
    const step = tickStep(this.view.span, this.plot / 64);
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const tick of ticksIn(this.view.x, this.view.span, step)) context.fillText(tick, this.screenX(tick - 0.5), bottom + 6);
    context.fillText("residue in the query", left + this.plot / 2, bottom + 23);
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const tick of ticksIn(this.view.y, this.view.span, step)) context.fillText(tick, left - 7, this.screenY(tick - 0.5));
  }
}

/** Round step of about `count` ticks over `span`. */
function tickStep(span, count) {
  const rough = span / Math.max(count, 2);
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  return [1, 2, 5, 10].map((k) => k * power).find((step) => step >= rough) || 10 * power;
}

/** Residue numbers, counted from 1, that are whole steps and lie within the view. */
function ticksIn(start, span, step) {
  const ticks = [];
  for (let tick = Math.max(step, Math.ceil((start + 1) / step) * step); tick <= start + span; tick += step) ticks.push(tick);
  if (start < 0.5 && step > 1) ticks.unshift(1);
  return ticks;
}
