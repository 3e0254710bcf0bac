// Small plots as SVG made of elements: sharp at any size, coloured by the style sheet, printed as they stand.

/** An SVG element with attributes. The name space is that of the page's own empty <svg>: no address is spelled here. */
function svg(tag, attributes = {}, text = "") {
  const element = document.createElementNS(byId("vector").namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== "") element.textContent = text;
  return element;
}

/** A plot that fills the width of `parent` and calls `paint(chart)` to draw itself whenever that changes. */
class Chart {
  constructor(parent, { height, margin, label, paint }) {
    Object.assign(this, { height, margin, label, paint });
    this.box = make("div", "chart");
    this.box.style.height = `${height}px`;
    parent.append(this.box);
    new ResizeObserver(() => this.redraw()).observe(this.box);
  }

  redraw() {
    this.width = Math.round(this.box.clientWidth);
    if (this.width < 60) return;
    const { width, height, margin } = this;
    this.root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": this.label });
    this.left = margin.left;
    this.right = width - margin.right;
    this.top = margin.top;
    this.bottom = height - margin.bottom;
    this.paint(this);
    this.box.replaceChildren(this.root);
  }

  /** Choose what the corners of the frame stand for. */
  range([x0, x1], [y0, y1]) {
    this.x = (value) => this.left + ((value - x0) / (x1 - x0)) * (this.right - this.left);
    this.y = (value) => this.bottom - ((value - y0) / (y1 - y0)) * (this.bottom - this.top);
  }

  add(tag, attributes, text) {
    const element = svg(tag, attributes, text);
    this.root.append(element);
    return element;
  }

  line(points, name) {
    if (points.length) this.add("polyline", { class: name, points: points.map(([x, y]) => `${tenth(x)},${tenth(y)}`).join(" ") });
  }

  rule(x0, y0, x1, y1, name = "rule") {
    this.add("line", { class: name, x1: tenth(x0), y1: tenth(y0), x2: tenth(x1), y2: tenth(y1) });
  }

  bar(x0, x1, y0, y1, name) {
    return this.add("rect", { class: name, x: tenth(x0), y: tenth(y1), width: tenth(Math.max(x1 - x0, 0)), height: tenth(Math.max(y0 - y1, 0)) });
  }

  words(x, y, text, anchor = "middle", name = "") {
    return this.add("text", { class: name, x: tenth(x), y: tenth(y), "text-anchor": anchor }, text);
  }

  ticksX(values, format = String) {
    for (const value of values) this.words(this.x(value), this.bottom + 15, format(value));
  }

  ticksY(values, format = String) {
    for (const value of values) {
      this.rule(this.left, this.y(value), this.right, this.y(value), "grid");
      this.words(this.left - 7, this.y(value) + 4, format(value), "end");
    }
  }

  titles(x, y = "") {
    if (x) this.words((this.left + this.right) / 2, this.height - 4, x);
    if (!y) return;
    const text = this.words(0, 0, y);
    text.setAttribute("transform", `translate(11 ${(this.top + this.bottom) / 2}) rotate(-90)`);
  }
}

const tenth = (value) => Math.round(10 * value) / 10;

/** A number in few letters: 950, 1.2 k, 34 k, 1.2 M. */
function compact(number) {
  for (const [unit, letter] of [[1e6, "M"], [1e3, "k"]]) {
    if (number >= unit) return `${(number / unit).toFixed(number < 10 * unit ? 1 : 0)}${letter}`;
  }
  return String(number);
}

/** Round steps from `low` to `high`, about `count` of them. */
function steps(low, high, count) {
  const rough = (high - low) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((size) => size >= rough * 0.999);
  const values = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) values.push(Number((k * step).toPrecision(12)));
  return values;
}

/** The row of half-wide cards below the alignment; made by the first panel that has something to show. */
function halfCard(id, title, tag = "") {
  const made = page.card(id, title, { tag });
  let row = byId("panels");
  if (!row) {
    row = make("div", "panels wide");
    row.id = "panels";
    made.card.before(row);
  }
  row.append(made.card);
  return made;
}
