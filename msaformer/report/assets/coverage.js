// Draw the alignment: rows sorted by identity to the query and coloured by it, gaps empty, and the count per column.

const COVERAGE_MARGIN = { left: 52, right: 96, top: 10, bottom: 40 };

async function unpackCoverage(raw, length) {
  const bits = await inflate(raw.covered);
  return { ...raw, length, bits, rowBytes: Math.ceil(length / 8) };
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

function drawCoverage(canvas, coverage) {
  const ratio = Math.max(window.devicePixelRatio || 1, 1);
  const { width, height } = canvas.getBoundingClientRect();
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const narrow = width < 520;
  const margin = { ...COVERAGE_MARGIN, right: narrow ? 14 : COVERAGE_MARGIN.right };
  const plot = {
    left: margin.left, top: margin.top, width: width - margin.left - margin.right, height: height - margin.top - margin.bottom,
  };
  context.imageSmoothingEnabled = false;
  context.drawImage(coverage.image, plot.left, plot.top, plot.width, plot.height);
  drawCounts(context, coverage, plot);
  drawCoverageAxes(context, coverage, plot);
  if (!narrow) drawIdentityBar(context, plot);
}

function drawCounts(context, { counts, depth, length }, plot) {
  const path = new Path2D();
  counts.forEach((count, column) => {
    const y = plot.top + plot.height * (1 - count / depth);
    path.lineTo(plot.left + (plot.width * column) / length, y);
    path.lineTo(plot.left + (plot.width * (column + 1)) / length, y);
  });
  for (const [style, width] of [[colour("halo"), 4], [colour("pick"), 1.6]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.stroke(path);
  }
}

function drawCoverageAxes(context, { depth, length }, plot) {
  const bottom = plot.top + plot.height;
  context.strokeStyle = colour("line");
  context.lineWidth = 1;
  context.strokeRect(plot.left - 0.5, plot.top - 0.5, plot.width + 1, plot.height + 1);
  context.fillStyle = colour("muted");
  context.font = "11.5px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const tick of ticksIn(0, length, tickStep(length, plot.width / 64))) {
    context.fillText(tick, plot.left + (plot.width * (tick - 0.5)) / length, bottom + 6);
  }
  context.fillText("residue in the query", plot.left + plot.width / 2, bottom + 23);
  context.textAlign = "right";
  context.textBaseline = "middle";
  const step = tickStep(depth, plot.height / 50);
  for (let tick = 0; tick <= depth; tick += step) {
    context.fillText(tick.toLocaleString("en"), plot.left - 7, bottom - (plot.height * tick) / depth);
  }
}

function drawIdentityBar(context, plot) {
  const left = plot.left + plot.width + 22;
  const fill = context.createLinearGradient(0, plot.top + plot.height, 0, plot.top);
  VIRIDIS.forEach((stop, k) => fill.addColorStop(k / (VIRIDIS.length - 1), stop));
  context.fillStyle = fill;
  context.fillRect(left, plot.top, 12, plot.height);
  context.fillStyle = colour("muted");
  context.textAlign = "left";
  for (const share of [0, 0.5, 1]) {
    context.fillText(`${100 * share} %`, left + 18, plot.top + plot.height * (1 - share) + (share === 1 ? 6 : share === 0 ? -5 : 0));
  }
  context.save();
  context.translate(left + 62, plot.top + plot.height / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.fillText("identity", 0, 0);
  context.restore();
}

PANELS.push(async (raw, protein) => {
  byId("coverage-card").hidden = !raw.coverage;
  if (!raw.coverage) return;
  const coverage = await unpackCoverage(raw.coverage, protein.length);
  coverage.image = coverageImage(coverage);
  const { depth, rows, counts } = coverage;
  const canvas = byId("coverage");
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length / depth;
  canvas.setAttribute("aria-label", `Coverage of the query by ${depth} sequences, ${percent(mean)} on average`);
  byId("coverage-tag").textContent = `${depth.toLocaleString("en")} sequences · ${percent(mean)} of cells covered`;
  const drawn = rows < depth ? ` ${rows} rows are drawn, evenly spaced.` : "";
  byId("coverage-help").textContent = `Rows: sequences sorted by identity to the query (identical residues / L) and coloured by it, gaps empty. Line: sequences with a residue in the column.${drawn}`;
  const redraw = () => drawCoverage(canvas, coverage);
  page.listen("recolour", redraw);
  new ResizeObserver(redraw).observe(canvas);
});
