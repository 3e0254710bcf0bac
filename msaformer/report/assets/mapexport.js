// The map as a picture to take along: title above, legend below, as PNG of twice the size or as SVG.

const EXPORT = { side: 900, head: 64, left: 16, line: 24, font: "system-ui, sans-serif", ratio: 2 };

/** Where each entry of the legend goes: the page's own, wrapped to the picture's width. */
function legendPlan(context) {
  context.font = `13px ${EXPORT.font}`;
  let [x, row] = [EXPORT.left, 0];
  const entries = [...byId("legend").children].map((entry) => {
    const swatch = entry.querySelector("i");
    const mark = swatch ? (swatch.classList.contains("ramp") ? 90 : 20) : 0;
    const text = entry.textContent.trim();
    const width = mark + context.measureText(text).width + 22;
    if (x + width > EXPORT.side && x > EXPORT.left) [x, row] = [EXPORT.left, row + 1];
    const placed = { x, row, mark, text, swatch };
    x += width;
    return placed;
  });
  return { entries, height: (row + 1) * EXPORT.line + 16 };
}

function drawLegend(context, { entries }, top) {
  for (const { x, row, mark, text, swatch } of entries) {
    const middle = top + 10 + row * EXPORT.line;
    if (swatch) drawSwatch(context, swatch, x, middle);
    context.font = `13px ${EXPORT.font}`;
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillStyle = colour("muted");
    context.fillText(text, x + mark, middle);
  }
}

const SWATCHES = {
  true: { fill: "true" }, plain: { fill: "ink" }, false: { stroke: "false", width: 2.4 },
  unknown: { stroke: "muted", width: 1.5 }, missed: { stroke: "ink", width: 1.8 },
};

/** A mark of the legend as the map draws it. */
function drawSwatch(context, swatch, x, y) {
  const is = (name) => swatch.classList.contains(name);
  const kind = Object.keys(SWATCHES).find(is);
  const path = new Path2D();
  if (kind) {
    const { fill, stroke, width } = SWATCHES[kind];
    markPath(path, kind, x + 7, y, 5);
    context.fillStyle = colour(fill || "ink");
    context.strokeStyle = colour(stroke || "ink");
    context.lineWidth = width || 1;
    if (fill) context.fill(path);
    else context.stroke(path);
  } else if (is("helix")) {
    helixPath(path, [x, x + 16], (along, off) => [along, y + off]);
    context.strokeStyle = colour("helix");
    context.lineWidth = 2;
    context.stroke(path);
  } else if (is("strand")) {
    strandPath(path, [x, x + 16], (along, off) => [along, y + off]);
    context.fillStyle = colour("strand");
    context.fill(path);
  } else {
    context.fillStyle = swatchFill(context, swatch, x);
    context.fillRect(is("ramp") ? x : x + 2, y - 5, is("ramp") ? 82 : 11, 10);
  }
}

function swatchFill(context, swatch, x) {
  if (swatch.classList.contains("hatch")) return hatchPattern(context, 1);
  if (!swatch.classList.contains("ramp")) return getComputedStyle(swatch).backgroundColor;
  const fill = context.createLinearGradient(x, 0, x + 82, 0);
  const stops = getComputedStyle(swatch).backgroundImage.match(/rgba?\([^)]*\)/g) || [];
  stops.forEach((stop, k) => fill.addColorStop(k / Math.max(stops.length - 1, 1), stop));
  return fill;
}

function drawHead(context, protein) {
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.fillStyle = colour("ink");
  context.font = `650 21px ${EXPORT.font}`;
  context.fillText(shortened(context, protein.raw.name, EXPORT.side - 2 * EXPORT.left), EXPORT.left, 29);
  context.font = `13px ${EXPORT.font}`;
  context.fillStyle = colour("muted");
  const score = byId("score-text").textContent.split("\n")[0];
  const words = `${byId("count-text").textContent} pairs · ${byId("score-value").textContent} ${score}`;
  context.fillText(shortened(context, words, EXPORT.side - 2 * EXPORT.left), EXPORT.left, 50);
}

/** Cut a text that is wider than `width` pixels. */
function shortened(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let end = text.length;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > width) end = Math.floor(end * 0.9);
  return `${text.slice(0, end)}…`;
}

/** The map's picture once more, of another size, drawn into `context`. */
function mapCopy(picture, context, canvas, ratio) {
  const copy = Object.assign(Object.create(MapPicture.prototype), picture);
  return Object.assign(copy, { context, canvas, ratio, size: EXPORT.side, cursor: null });
}

function mapAsSvg(picture, protein) {
  const legend = legendPlan(document.createElement("canvas").getContext("2d"));
  const height = EXPORT.head + EXPORT.side + legend.height;
  const root = drawnAsSvg(EXPORT.side, height, (context) => {
    context.fillStyle = colour("card");
    context.fillRect(0, 0, EXPORT.side, height);
    drawHead(context, protein);
    const group = context.group;
    context.group = svg("g", { transform: `translate(0 ${EXPORT.head})` });
    group.append(context.group);
    drawMapInto(mapCopy(picture, context, context.canvas, 1));
    context.group = group;
    context.setTransform(1, 0, 0, 1, 0, 0);
    drawLegend(context, legend, EXPORT.head + EXPORT.side);
  });
  root.prepend(svg("title", {}, `${protein.raw.name}: predicted contacts`));
  return root;
}

function mapAsCanvas(picture, protein) {
  const { side, head, ratio } = EXPORT;
  const inner = document.createElement("canvas");
  inner.width = inner.height = side * ratio;
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const legend = legendPlan(context);
  canvas.width = side * ratio;
  canvas.height = (head + side + legend.height) * ratio;
  context.scale(ratio, ratio);
  context.fillStyle = colour("card");
  context.fillRect(0, 0, side, canvas.height);
  drawHead(context, protein);
  drawMapInto(mapCopy(picture, inner.getContext("2d"), inner, ratio));
  context.drawImage(inner, 0, head, side, side);
  drawLegend(context, legend, head + side);
  return canvas;
}

function drawMapInto(copy) {
  copy.plot = copy.size - MARGIN.left - MARGIN.right;
  copy.draw();
}
