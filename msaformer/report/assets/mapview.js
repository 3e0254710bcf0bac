// Move the map and ask it: wheel, fingers, drag, hover, click, keys.

const CLICK_SLOP = 4; // pixels a pointer may move and still click
const SNAP = 14; // pixels within which a click takes the nearest mark
const MIN_SPAN = 8; // residues across at the strongest zoom

class MapView {
  /** `onPick(pair | null)` is told of a picked pair, `onPickResidue(index)` of a residue; `say(text)` speaks to a screen reader. */
  constructor(canvas, tip, protein, { onPick, onPickResidue, say }) {
    Object.assign(this, { canvas, tip, protein, onPick, onPickResidue, say });
    this.picture = new MapPicture(canvas, protein);
    this.pointers = new Map();
    this.listen();
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
  }

  resize() {
    this.picture.resize();
    this.picture.draw();
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.picture.draw();
    });
  }

  /** Change what the picture shows (fields of MapPicture). */
  show(fields) {
    Object.assign(this.picture, fields);
    this.redraw();
  }

  listen() {
    const on = (name, handler, options) => this.canvas.addEventListener(name, handler.bind(this), options);
    on("wheel", this.onWheel, { passive: false });
    on("pointerdown", this.onDown);
    on("pointermove", this.onMove);
    on("pointerup", this.onUp);
    on("pointercancel", this.onUp);
    on("pointerleave", this.hideTip);
    on("dblclick", this.zoomAll);
    on("keydown", this.onKey);
    on("blur", this.hideTip);
    // one finger scrolls the page up and down (touch-action in the style); two are the map's
    for (const name of ["touchstart", "touchmove"]) {
      on(name, (event) => { if (event.touches.length > 1 && event.cancelable) event.preventDefault(); }, { passive: false });
    }
  }

  /** Where an event lies: pixels in the canvas, and the cell below it or null. */
  locate(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const { view, scale } = this.picture;
    const column = Math.floor(view.x + (x - MARGIN.left) / scale);
    const row = Math.floor(view.y + (y - MARGIN.top) / scale);
    const isInside = [column, row].every((k) => k >= 0 && k < this.protein.length);
    const isOnPlot = x >= MARGIN.left && y >= MARGIN.top && y <= MARGIN.top + this.picture.plot && x <= MARGIN.left + this.picture.plot;
    if (isOnPlot) return { x, y, cell: isInside ? { row, column } : null, axis: null };
    const isBelow = y > MARGIN.top + this.picture.plot && x >= MARGIN.left;
    const residue = isBelow ? column : y >= MARGIN.top && x < MARGIN.left ? row : -1;
    return { x, y, cell: null, axis: residue >= 0 && residue < this.protein.length ? residue : null };
  }

  /** Scale by `factor` (< 1 = closer) around a point in canvas pixels, the middle if none. */
  zoom(factor, x = MARGIN.left + this.picture.plot / 2, y = MARGIN.top + this.picture.plot / 2) {
    const { view, scale } = this.picture;
    const smallest = Math.min(MIN_SPAN, this.protein.length);
    const span = Math.min(Math.max(view.span * factor, smallest), this.protein.length);
    const [shareX, shareY] = [x - MARGIN.left, y - MARGIN.top].map((pixels) => pixels / scale / view.span);
    this.moveTo(view.x + shareX * (view.span - span), view.y + shareY * (view.span - span), span);
  }

  moveTo(x, y, span) {
    const last = this.protein.length - span;
    this.picture.view = { x: Math.min(Math.max(x, 0), last), y: Math.min(Math.max(y, 0), last), span };
    this.redraw();
  }

  zoomAll() {
    this.moveTo(0, 0, this.protein.length);
  }

  onWheel(event) {
    const isWhole = this.picture.view.span >= this.protein.length;
    if (isWhole && event.deltaY > 0) return; // nothing further out: let the page scroll
    event.preventDefault();
    const { x, y } = this.locate(event);
    const pixels = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    this.zoom(Math.exp(Math.min(Math.max(pixels, -120), 120) * 0.003), x, y);
    this.hideTip();
  }

  onDown(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.travel = this.pointers.size > 1 ? Infinity : 0;
  }

  onMove(event) {
    const held = this.pointers.get(event.pointerId);
    if (!held) return this.hover(event);
    const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
    const before = this.pointers.size > 1 ? { gap: this.fingerGap(), middle: this.fingerMiddle() } : null;
    Object.assign(held, { x: event.clientX, y: event.clientY });
    if (before) return this.pinch(before);
    this.travel += Math.hypot(dx, dy);
    if (this.travel <= CLICK_SLOP) return undefined;
    const { view, scale } = this.picture;
    this.canvas.classList.add("dragging");
    this.hideTip();
    return this.moveTo(view.x - dx / scale, view.y - dy / scale, view.span);
  }

  fingerGap() {
    const [first, second] = this.pointers.values();
    return second ? Math.hypot(first.x - second.x, first.y - second.y) : 0;
  }

  fingerMiddle() {
    const [first, second] = this.pointers.values();
    return this.locate({ clientX: (first.x + second.x) / 2, clientY: (first.y + second.y) / 2 });
  }

  /** Two fingers move the map by their middle and zoom by the gap between them. */
  pinch({ gap, middle }) {
    const after = this.fingerGap();
    const { x, y } = this.fingerMiddle();
    const { view, scale } = this.picture;
    this.moveTo(view.x - (x - middle.x) / scale, view.y - (y - middle.y) / scale, view.span);
    if (gap && after) this.zoom(gap / after, x, y);
  }

  onUp(event) {
    const isClick = this.pointers.delete(event.pointerId) && event.type === "pointerup" && this.travel <= CLICK_SLOP;
    this.canvas.classList.remove("dragging");
    if (!isClick) return;
    const { x, y, cell, axis } = this.locate(event);
    if (cell) this.onPick(this.nearestMark(x, y) || this.pairOf(cell));
    if (axis !== null) this.onPickResidue(axis);
    if (event.pointerType !== "mouse") this.hover(event);
  }

  /** The shown mark closest to a point, on either side of the diagonal. */
  nearestMark(x, y) {
    const { picture } = this;
    let [best, nearest] = [null, Math.max(SNAP, picture.scale)];
    for (const pair of [...picture.shown.marks, ...picture.shown.rivalMarks]) {
      for (const [column, row] of [[pair.i, pair.j], [pair.j, pair.i]]) {
        const gap = Math.hypot(picture.screenX(column + 0.5) - x, picture.screenY(row + 0.5) - y);
        if (gap < nearest) [best, nearest] = [pair, gap];
      }
    }
    return best;
  }

  pairOf({ row, column }) {
    if (row === column) return null;
    return this.protein.pairAt(Math.min(row, column), Math.max(row, column));
  }

  hover(event) {
    const { x, y, cell, axis } = this.locate(event);
    if (!cell && axis === null) return this.hideTip();
    this.picture.cursor = cell;
    this.redraw();
    return this.showTip(cell || { row: axis, column: axis }, x, y);
  }

  showTip(cell, x, y) {
    const pair = this.pairOf(cell);
    const title = pair
      ? `${this.protein.residue(pair.i)} · ${this.protein.residue(pair.j)}`
      : this.protein.residue(cell.row);
    this.tip.replaceChildren(make("div", "pair", title), pair ? fieldsOf(this.protein, pair) : residueFields(this.protein, cell.row));
    this.tip.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const left = x + 18 + width > this.picture.size ? x - 18 - width : x + 18;
    const top = Math.min(Math.max(y - height / 2, 0), this.picture.size - height);
    this.tip.style.transform = `translate(${Math.round(Math.max(left, 0))}px, ${Math.round(top)}px)`;
  }

  hideTip() {
    this.tip.hidden = true;
    if (!this.picture.cursor) return;
    this.picture.cursor = null;
    this.redraw();
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 10 : 1;
    const actions = {
      ArrowLeft: () => this.step(0, -step), ArrowRight: () => this.step(0, step),
      ArrowUp: () => this.step(-step, 0), ArrowDown: () => this.step(step, 0),
      Enter: () => this.pickCursor(), " ": () => this.pickCursor(),
      n: () => this.pickNext(1), p: () => this.pickNext(-1), r: () => this.pickRow(),
      "+": () => this.zoom(1 / 1.4), "=": () => this.zoom(1 / 1.4), "-": () => this.zoom(1.4), 0: () => this.zoomAll(),
      Escape: () => { this.hideTip(); page.clear(); },
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  step(rows, columns) {
    const { picture, protein } = this;
    const start = picture.cursor || (picture.picked
      ? { row: picture.picked.i, column: picture.picked.j }
      : { row: Math.floor(protein.length / 4), column: Math.floor((3 * protein.length) / 4) });
    const within = (k) => Math.min(Math.max(k, 0), protein.length - 1);
    const cell = { row: within(start.row + rows), column: within(start.column + columns) };
    picture.cursor = cell;
    this.bringIntoView(cell);
    this.showTip(cell, picture.screenX(cell.column + 0.5), picture.screenY(cell.row + 0.5));
    const pair = this.pairOf(cell);
    this.say(pair ? protein.sentence(pair) : protein.residue(cell.row));
  }

  bringIntoView({ row, column }) {
    const { view } = this.picture;
    const shift = (k, start) => (k < start ? k : k + 1 > start + view.span ? k + 1 - view.span : start);
    this.moveTo(shift(column, view.x), shift(row, view.y), view.span);
  }

  pickCursor() {
    const { cursor } = this.picture;
    if (!cursor) return;
    const [x, y] = [this.picture.screenX(cursor.column + 0.5), this.picture.screenY(cursor.row + 0.5)];
    this.onPick(this.nearestMark(x, y) || this.pairOf(cursor));
  }

  pickRow() {
    if (this.picture.cursor) this.onPickResidue(this.picture.cursor.row);
  }

  pickNext(direction) {
    const { shown: { marks }, picked } = this.picture;
    if (marks.length === 0) return;
    const place = picked ? marks.findIndex((pair) => pair.i === picked.i && pair.j === picked.j) : -1;
    const next = place < 0 ? (direction > 0 ? 0 : marks.length - 1) : place + direction;
    const pair = marks[(next + marks.length) % marks.length];
    this.bringIntoView({ row: pair.j, column: pair.i });
    this.onPick(pair);
  }
}

/** What is known of a pair as a two-column grid. */
function fieldsOf(protein, pair) {
  return grid(protein.describe(pair));
}

function residueFields(protein, k) {
  const { truth } = protein;
  return grid(truth ? [["SEQRES", String(truth.seqres[k] || "–")], ["structure", protein.author(k)]] : []);
}

function grid(rows) {
  const box = make("div", "fields");
  for (const [label, text, kind] of rows) {
    box.append(make("span", "", label), make("span", kind === "true" || kind === "false" ? kind : "", text));
  }
  return box;
}
