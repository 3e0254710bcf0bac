// A drawing context that writes SVG: what draws a canvas draws, with this in its place, the same picture as vectors.
// It knows the part of CanvasRenderingContext2D that the page uses. Images (heat maps) become one PNG each.

const BASELINES = { alphabetic: 0, middle: 0.35, top: 0.8, bottom: -0.2, hanging: 0.8 }; // em below the given height

/** Stands for Path2D while an SVG is drawn, since a real one does not tell what it holds. */
class SvgPath {
  constructor() {
    this.data = "";
  }

  moveTo(x, y) {
    this.data += `M${tenth(x)} ${tenth(y)}`;
  }

  lineTo(x, y) {
    this.data += `${this.data ? "L" : "M"}${tenth(x)} ${tenth(y)}`;
  }

  rect(x, y, width, height) {
    this.data += `M${hundredth(x)} ${hundredth(y)}h${hundredth(width)}v${hundredth(height)}h${hundredth(-width)}z`;
  }

  arc(x, y, radius, start, end) {
    if (end - start < 2 * Math.PI - 1e-6) throw new Error("only whole circles are drawn");
    const r = hundredth(radius);
    this.data += `M${tenth(x - radius)} ${tenth(y)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
  }

  closePath() {
    this.data += "z";
  }
}

const hundredth = (value) => Math.round(100 * value) / 100;

class SvgContext {
  constructor(width, height) {
    this.root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "font-family": "system-ui, sans-serif" });
    this.defs = svg("defs");
    this.root.append(this.defs);
    this.canvas = { width, height };
    this.stack = [];
    this.group = this.root;
    this.matrix = new DOMMatrix();
    this.path = new SvgPath();
    this.ruler = document.createElement("canvas").getContext("2d");
    Object.assign(this, {
      fillStyle: "#000", strokeStyle: "#000", lineWidth: 1, lineCap: "butt", lineJoin: "miter", globalAlpha: 1,
      font: "10px sans-serif", textAlign: "start", textBaseline: "alphabetic", imageSmoothingEnabled: true, dash: [],
    });
  }

  save() {
    const { stack, root, defs, canvas, ruler, path, ...state } = this;
    this.stack.push(state);
  }

  restore() {
    Object.assign(this, this.stack.pop());
  }

  setTransform(...numbers) {
    this.matrix = new DOMMatrix(numbers.length === 6 ? numbers : undefined);
  }

  translate(x, y) {
    this.matrix = this.matrix.translate(x, y);
  }

  scale(x, y = x) {
    this.matrix = this.matrix.scale(x, y);
  }

  rotate(radians) {
    this.matrix = this.matrix.rotate((180 * radians) / Math.PI);
  }

  beginPath() {
    this.path = new SvgPath();
  }

  clip(path = this.path) {
    const id = `clip-${this.defs.childElementCount}`;
    const mask = svg("clipPath", { id });
    mask.append(svg("path", { d: path.data }));
    this.defs.append(mask);
    const group = svg("g", { "clip-path": `url(#${id})` });
    this.group.append(group);
    this.group = group;
  }

  setLineDash(dash) {
    this.dash = dash;
  }

  put(tag, attributes, text) {
    if (!this.matrix.isIdentity) attributes.transform = String(this.matrix);
    if (this.globalAlpha < 1) attributes.opacity = this.globalAlpha;
    const element = svg(tag, attributes, text);
    this.group.append(element);
    return element;
  }

  fill(path = this.path) {
    if (path.data && this.globalAlpha > 0) this.put("path", { d: path.data, fill: this.paint(this.fillStyle) });
  }

  stroke(path = this.path) {
    if (!path.data) return;
    const attributes = { d: path.data, fill: "none", stroke: this.paint(this.strokeStyle), "stroke-width": this.lineWidth };
    if (this.dash.length) attributes["stroke-dasharray"] = this.dash.join(" ");
    if (this.lineCap !== "butt") attributes["stroke-linecap"] = this.lineCap;
    if (this.lineJoin !== "miter") attributes["stroke-linejoin"] = this.lineJoin;
    this.put("path", attributes);
  }

  /** Neighbours of one colour share an element: a map has thousands of cells. */
  fillRect(x, y, width, height) {
    const key = `${this.fillStyle} ${this.globalAlpha} ${this.matrix}`;
    const box = new SvgPath();
    box.rect(x, y, width, height);
    const last = this.group.lastElementChild;
    if (last && last === this.lastBox && key === this.lastKey) {
      last.setAttribute("d", last.getAttribute("d") + box.data);
      return;
    }
    this.fill(box);
    this.lastBox = this.group.lastElementChild;
    this.lastKey = key;
  }

  strokeRect(x, y, width, height) {
    const box = new SvgPath();
    box.rect(x, y, width, height);
    this.stroke(box);
  }

  measureText(text) {
    this.ruler.font = this.font;
    return this.ruler.measureText(text);
  }

  fillText(text, x, y) {
    const [, weight, size] = /^(?:(\d+|bold) )?([\d.]+)px/.exec(this.font);
    const anchor = { center: "middle", right: "end", end: "end" }[this.textAlign] || "start";
    const attributes = { x: tenth(x), y: tenth(y + BASELINES[this.textBaseline] * size), "font-size": size, "text-anchor": anchor, fill: this.paint(this.fillStyle) };
    if (weight) attributes["font-weight"] = weight;
    this.put("text", attributes, String(text));
  }

  /** The part of `image` that shows, as a PNG of its own pixels. */
  drawImage(image, ...numbers) {
    const [sx, sy, sw, sh, x, y, width, height] = numbers.length === 8
      ? numbers : [0, 0, image.width, image.height, numbers[0], numbers[1], numbers[2] ?? image.width, numbers[3] ?? image.height];
    const [left, top] = [Math.max(Math.floor(sx), 0), Math.max(Math.floor(sy), 0)];
    const part = document.createElement("canvas");
    part.width = Math.min(Math.ceil(sx + sw), image.width) - left;
    part.height = Math.min(Math.ceil(sy + sh), image.height) - top;
    part.getContext("2d").drawImage(image, -left, -top);
    const frame = this.put("svg", { x, y, width, height, viewBox: `${sx} ${sy} ${sw} ${sh}`, preserveAspectRatio: "none" });
    const attributes = { x: left, y: top, width: part.width, height: part.height, preserveAspectRatio: "none", href: part.toDataURL() };
    if (!this.imageSmoothingEnabled) attributes["image-rendering"] = "pixelated";
    frame.append(svg("image", attributes));
  }

  createPattern(tile) {
    return { tile, setTransform() {} }; // tiles are drawn at one pixel a pixel here
  }

  createLinearGradient(x1, y1, x2, y2) {
    const stops = [];
    return { line: { x1, y1, x2, y2 }, stops, addColorStop: (offset, name) => stops.push({ offset, "stop-color": name }) };
  }

  /** A colour as it is; a pattern or gradient as a definition that is referred to. */
  paint(style) {
    if (typeof style === "string") return style;
    const id = `paint-${this.defs.childElementCount}`;
    let made;
    if (style.tile) {
      const { width, height } = style.tile;
      made = svg("pattern", { id, width, height, patternUnits: "userSpaceOnUse" });
      made.append(svg("image", { width, height, href: style.tile.toDataURL() }));
    } else {
      made = svg("linearGradient", { id, gradientUnits: "userSpaceOnUse", ...style.line });
      made.append(...style.stops.map((stop) => svg("stop", stop)));
    }
    this.defs.append(made);
    return `url(#${id})`;
  }
}

for (const name of ["moveTo", "lineTo", "rect", "arc", "closePath"]) {
  SvgContext.prototype[name] = function onPath(...numbers) {
    this.path[name](...numbers);
  };
}

/** Run `draw(context)` with paths that can be read, and give back the SVG element it drew. */
function drawnAsSvg(width, height, draw) {
  const context = new SvgContext(width, height);
  const real = globalThis.Path2D;
  globalThis.Path2D = SvgPath;
  try {
    draw(context);
  } finally {
    globalThis.Path2D = real;
  }
  return context.root;
}

/** Text of an SVG file; what came from the data was put in as text and is escaped here. */
function svgText(root) {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(root)}\n`;
}
