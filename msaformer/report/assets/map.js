// Draw the L×L map on a canvas: prediction above the diagonal; truth, a second prediction or contacts below. mapimage.js
// makes its pixels, maptracks.js draws its axes, mapview.js moves it. Paths are Path2D, so that an SVG can be drawn alike.

const MARGIN = { left: 54, right: 12, top: 12, bottom: 54 }; // the plot is a square: left + right = top + bottom

class MapPicture {
  constructor(canvas, protein) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.protein = protein;
    this.images = new MapImages(protein);
    this.tracks = new MapTracks(protein);
    this.shown = { layer: "prob", lower: null, marks: [], rivalMarks: [], natives: null, range: null };
    this.custom = null;
    this.picked = null;
    this.residue = null;
    this.cursor = null;
    this.view = { x: 0, y: 0, span: protein.length };
  }

  /** Fit the canvas to its box on screen, in device pixels. */
  resize() {
    const box = this.canvas.getBoundingClientRect();
    this.ratio = Math.max(window.devicePixelRatio || 1, 1);
    this.size = Math.max(Math.min(box.width, box.height), 160);
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
    context.fillStyle = colour("card");
    context.fillRect(0, 0, this.size, this.size);
    context.save();
    const plot = new Path2D();
    plot.rect(MARGIN.left, MARGIN.top, this.plot, this.plot);
    context.clip(plot);
    this.drawImage();
    if (!this.custom) this.drawVeil();
    if (this.protein.truth) this.drawUnknown();
    this.drawDiagonal();
    this.tracks.drawBoundaries(this);
    if (this.residue !== null) this.drawResidue();
    if (!this.custom) this.drawMarks();
    this.drawCursor();
    if (this.picked) this.drawPicked();
    context.restore();
    this.tracks.draw(this);
  }

  drawImage() {
    const context = this.context;
    const pixels = this.scale * this.ratio; // device pixels a residue
    const pool = this.custom ? 1 : 2 ** Math.max(Math.floor(Math.log2(1 / pixels)), 0);
    const { layer, lower, natives } = this.shown;
    const image = this.images.get({ upper: layer, lower, pool, natives, custom: this.custom });
    context.imageSmoothingEnabled = pixels * pool < 1;
    const { x, y, span } = this.view;
    context.drawImage(image, x / pool, y / pool, span / pool, span / pool, MARGIN.left, MARGIN.top, this.plot, this.plot);
  }

  /** Veil the pairs of separations that are not chosen, within each chain. */
  drawVeil() {
    const { range, layer } = this.shown;
    if (!range || layer === "distance" || layer === "spread") return;
    const veil = new Path2D();
    for (const { start, end } of this.protein.chains) {
      const at = (column, row) => [this.screenX(start + column), this.screenY(start + row)];
      const length = end - start;
      const band = range.onlyInter ? length : Math.min(range.low - 0.5, length);
      outline(veil, [at(0, 0), at(band, 0), at(length, length - band), at(length, length), at(length - band, length), at(0, band)]);
      if (range.high === null || range.high + 0.5 >= length) continue;
      const edge = range.high + 0.5;
      outline(veil, [at(edge, 0), at(length, 0), at(length, length - edge)]);
      outline(veil, [at(0, edge), at(0, length), at(length - edge, length)]);
    }
    this.context.globalAlpha = 0.6;
    this.context.fillStyle = colour("card");
    this.context.fill(veil);
    this.context.globalAlpha = 1;
  }

  /** Hatch the rows and columns of residues the structure does not show: unknown is not the same as apart. */
  drawUnknown() {
    const { length } = this.protein;
    const { layer, lower } = this.shown;
    if (this.custom || (lower !== "natives" && lower !== "truth" && layer !== "error")) return;
    const context = this.context;
    const bands = new Path2D();
    for (const [start, end] of this.tracks.unresolved) {
      bands.rect(this.screenX(start), this.screenY(0), (end - start) * this.scale, length * this.scale);
      bands.rect(this.screenX(0), this.screenY(start), length * this.scale, (end - start) * this.scale);
    }
    const corners = [[0, 0], [length, length], [0, length], ...(layer === "error" ? [[length, 0]] : [])];
    const visible = new Path2D();
    outline(visible, (layer === "error" ? [[0, 0], [length, 0], [length, length], [0, length]] : corners)
      .map(([column, row]) => [this.screenX(column), this.screenY(row)]));
    context.save();
    context.clip(visible);
    context.fillStyle = hatchPattern(context, this.ratio);
    context.fill(bands);
    context.restore();
  }

  drawDiagonal() {
    const { length } = this.protein;
    const line = new Path2D();
    line.moveTo(this.screenX(0), this.screenY(0));
    line.lineTo(this.screenX(length), this.screenY(length));
    this.stroke(line, colour("faint"), 1);
  }

  /** Marks below the diagonal; with a second prediction there, its own, and ours above. */
  drawMarks() {
    const { marks, rivalMarks, lower } = this.shown;
    const isRival = lower === "rival";
    this.drawKinds(marks, isRival);
    if (isRival) this.drawKinds(rivalMarks, false);
  }

  /** One path a kind, whatever the number of marks. */
  drawKinds(marks, isAbove) {
    const radius = Math.min(Math.max(this.scale * 0.42, this.protein.length > 600 ? 1.7 : 2.3), 9);
    const paths = new Map(["missed", "unknown", "false", "true", "plain"].map((kind) => [kind, new Path2D()]));
    const last = this.size + radius;
    for (const pair of marks) {
      const x = this.screenX((isAbove ? pair.j : pair.i) + 0.5);
      const y = this.screenY((isAbove ? pair.i : pair.j) + 0.5);
      if (x > -radius && y > -radius && x < last && y < last) markPath(paths.get(pair.mark || pair.kind), pair.mark || pair.kind, x, y, radius);
    }
    const width = { false: Math.max(radius * 0.5, 1.4), unknown: 1.2, missed: Math.max(radius * 0.3, 1.2) };
    const needsHalo = this.shown.layer !== "prob" || isAbove || ["rival", "mirror"].includes(this.shown.lower);
    for (const [kind, path] of paths) {
      if (needsHalo) this.stroke(path, colour("halo"), (width[kind] || 0) + 2);
      if (width[kind]) this.stroke(path, colour({ false: "false", unknown: "muted", missed: "ink" }[kind]), width[kind]);
      else {
        this.context.fillStyle = colour(kind === "true" ? "true" : "ink");
        this.context.fill(path);
      }
    }
  }

  stroke(path, style, width) {
    this.context.strokeStyle = style;
    this.context.lineWidth = width;
    this.context.stroke(path);
  }

  /** Lines across the whole plot at a column and a row. */
  cross(column, row) {
    const lines = new Path2D();
    lines.moveTo(this.screenX(column + 0.5), MARGIN.top);
    lines.lineTo(this.screenX(column + 0.5), MARGIN.top + this.plot);
    lines.moveTo(MARGIN.left, this.screenY(row + 0.5));
    lines.lineTo(MARGIN.left + this.plot, this.screenY(row + 0.5));
    return lines;
  }

  drawCursor() {
    if (!this.cursor) return;
    this.context.setLineDash([3, 3]);
    this.stroke(this.cross(this.cursor.column, this.cursor.row), colour("faint"), 1);
    this.context.setLineDash([]);
  }

  /** A band on row and column of the picked residue. */
  drawResidue() {
    const { context, residue } = this;
    const lines = this.cross(residue, residue);
    context.globalAlpha = 0.3;
    this.stroke(lines, colour("residue"), Math.max(this.scale, 5));
    context.globalAlpha = 1;
    this.stroke(lines, colour("halo"), 3.4);
    this.stroke(lines, colour("residue"), 1.8);
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
}

function outline(path, points) {
  points.forEach(([x, y], k) => (k ? path.lineTo(x, y) : path.moveTo(x, y)));
  path.closePath();
}

/** Add a mark to a path: a cross for a false one, a hollow square for a missed one, else a circle. */
function markPath(path, kind, x, y, radius) {
  if (kind === "false") {
    path.moveTo(x - radius, y - radius);
    path.lineTo(x + radius, y + radius);
    path.moveTo(x - radius, y + radius);
    path.lineTo(x + radius, y - radius);
  } else if (kind === "missed") {
    path.rect(x - radius, y - radius, 2 * radius, 2 * radius);
  } else {
    path.moveTo(x + radius, y);
    path.arc(x, y, radius, 0, 2 * Math.PI);
  }
}
