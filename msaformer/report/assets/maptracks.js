// What stands along the map's axes: residue numbers, secondary structure, residues not resolved, chains.

const TRACK = { gap: 3, width: 9 }; // pixels between plot and track, and across it
const TURN = 3.6; // residues of a turn of an α-helix; drawn longer where these are less than 8 pixels
const TICK_ROOM = 34; // pixels that a number takes along an axis

class MapTracks {
  constructor(protein) {
    this.protein = protein;
    this.unresolved = runsOf(protein.length, (k) => !protein.isResolved(k)).filter(({ value }) => value).map(({ start, end }) => [start, end]);
    const secondary = protein.truth ? protein.truth.secondary : "";
    const isSame = (k) => (protein.isResolved(k) ? `${secondary[k]}${protein.chainIndex[k]}` : " ");
    this.elements = protein.truth ? runsOf(protein.length, isSame).map((run) => ({ ...run, kind: run.value[0] })) : [];
    this.hasTrack = this.elements.some(({ kind }) => kind === "H" || kind === "E") || this.unresolved.length > 0;
  }

  draw(picture) {
    const { context, plot } = picture;
    const frame = new Path2D();
    frame.rect(MARGIN.left + 0.5, MARGIN.top + 0.5, plot - 1, plot - 1);
    picture.stroke(frame, colour("line"), 1);
    context.font = "11.5px system-ui, sans-serif";
    for (const isBottom of [true, false]) {
      if (this.hasTrack) this.drawElements(picture, isBottom);
      this.drawTicks(picture, isBottom);
    }
    this.drawNames(picture);
  }

  /** From a place along an axis and the distance from the plot to a point on the canvas. */
  point(picture, isBottom, along, away) {
    return isBottom ? [along, MARGIN.top + picture.plot + away] : [MARGIN.left - away, along];
  }

  /** Ends on screen of the residues [start, end) along an axis, clipped to the plot; null if out of sight. */
  extent(picture, isBottom, start, end) {
    const first = isBottom ? MARGIN.left : MARGIN.top;
    const at = (residue) => (isBottom ? picture.screenX(residue) : picture.screenY(residue));
    const [from, to] = [Math.max(at(start), first), Math.min(at(end), first + picture.plot)];
    return to > from ? [from, to] : null;
  }

  drawElements(picture, isBottom) {
    const middle = TRACK.gap + TRACK.width / 2;
    const paths = { H: new Path2D(), E: new Path2D(), "-": new Path2D(), " ": new Path2D() };
    for (const { start, end, kind } of this.elements) {
      const extent = this.extent(picture, isBottom, start, end);
      if (!extent) continue;
      const place = (along, away) => this.point(picture, isBottom, along, away);
      if (kind === "H") helixPath(paths.H, extent, Math.max(TURN * picture.scale, 8), (along, off) => place(along, middle + off));
      else if (kind === "E") strandPath(paths.E, extent, (along, off) => place(along, middle + off));
      else if (kind === "-") outline(paths["-"], [place(extent[0], middle), place(extent[1], middle)]);
      else {
        const box = [place(extent[0], TRACK.gap), place(extent[1], TRACK.gap), place(extent[1], TRACK.gap + TRACK.width), place(extent[0], TRACK.gap + TRACK.width)];
        outline(paths[" "], box);
      }
    }
    picture.stroke(paths["-"], colour("faint"), 1);
    picture.context.fillStyle = colour("strand");
    picture.context.fill(paths.E);
    picture.stroke(paths.H, colour("helix"), 2);
    picture.context.fillStyle = hatchPattern(picture.context, picture.ratio);
    picture.context.fill(paths[" "]);
  }

  /** Numbers of the query at round steps, each chain with its own. */
  drawTicks(picture, isBottom) {
    const { context, view, plot } = picture;
    const { protein } = this;
    const step = tickStep(view.span, plot / 64);
    const away = this.hasTrack ? TRACK.gap + TRACK.width + 5 : 7;
    context.fillStyle = colour("muted");
    context.textAlign = isBottom ? "center" : "right";
    context.textBaseline = isBottom ? "top" : "middle";
    const first = isBottom ? view.x : view.y;
    const room = isBottom ? TICK_ROOM : TICK_ROOM / 2;
    let last = -Infinity;
    for (let k = Math.max(Math.ceil(first - 0.5), 0); k < Math.min(first + view.span, protein.length); k++) {
      const isStart = protein.chains.some(({ start }) => start === k);
      if (protein.number(k) % step && !(isStart && step > 1)) continue;
      const along = isBottom ? picture.screenX(k + 0.5) : picture.screenY(k + 0.5);
      if (along - last < room) continue;
      last = along;
      const text = String(protein.number(k));
      const inside = isBottom ? Math.min(along, picture.size - context.measureText(text).width / 2 - 1) : along;
      context.fillText(text, ...this.point(picture, isBottom, inside, away));
    }
  }

  /** The axis in words, or where each chain lies. */
  drawNames(picture) {
    const { context } = picture;
    const { chains } = this.protein;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const away = MARGIN.bottom - 12;
    context.fillStyle = colour("muted");
    if (chains.length < 2) {
      context.fillText("residue of the query", ...this.point(picture, true, MARGIN.left + picture.plot / 2, away));
      return;
    }
    context.font = "bold 12px system-ui, sans-serif";
    context.fillStyle = colour("ink");
    for (const { name, start, end } of chains) {
      for (const isBottom of [true, false]) {
        const extent = this.extent(picture, isBottom, start, end);
        if (extent && extent[1] - extent[0] > 14) context.fillText(name, ...this.point(picture, isBottom, (extent[0] + extent[1]) / 2, away));
      }
    }
  }

  /** Lines through the map where one chain ends and the next begins. */
  drawBoundaries(picture) {
    const lines = new Path2D();
    for (const { start } of this.protein.chains.slice(1)) {
      lines.moveTo(picture.screenX(start), MARGIN.top);
      lines.lineTo(picture.screenX(start), MARGIN.top + picture.plot);
      lines.moveTo(MARGIN.left, picture.screenY(start));
      lines.lineTo(MARGIN.left + picture.plot, picture.screenY(start));
    }
    if (this.protein.chains.length > 1) picture.stroke(lines, colour("ink"), 1.2);
  }
}

/** Stretches of one value: { start, end, value }. */
function runsOf(length, valueOf) {
  const runs = [];
  for (let k = 0; k < length; k++) {
    const value = valueOf(k);
    if (runs.length && runs.at(-1).value === value) runs.at(-1).end = k + 1;
    else runs.push({ start: k, end: k + 1, value });
  }
  return runs;
}

/** A wave of `turn` pixels, as helices are drawn; `place(along, off)` turns it to its axis. */
function helixPath(path, [from, to], turn, place) {
  const turns = Math.max(Math.round((to - from) / turn), 1);
  const steps = turns * 12;
  for (let k = 0; k <= steps; k++) {
    const point = place(from + ((to - from) * k) / steps, 3.2 * Math.sin((2 * Math.PI * turns * k) / steps));
    if (k) path.lineTo(...point);
    else path.moveTo(...point);
  }
}

/** An arrow along the chain, as strands are drawn. */
function strandPath(path, [from, to], place) {
  const neck = Math.max(to - 7, from + (to - from) * 0.35);
  outline(path, [[from, -2], [neck, -2], [neck, -4.5], [to, 0], [neck, 4.5], [neck, 2], [from, 2]].map(([along, off]) => place(along, off)));
}

/** Stripes that stand for unknown. */
function hatchPattern(context, ratio) {
  const tile = document.createElement("canvas");
  const side = Math.round(6 * ratio);
  tile.width = tile.height = side;
  const pen = tile.getContext("2d");
  pen.fillStyle = colour("soft");
  pen.fillRect(0, 0, side, side);
  pen.strokeStyle = colour("unknown");
  pen.lineWidth = 1.3 * ratio;
  for (const shift of [-side, 0, side]) {
    pen.beginPath();
    pen.moveTo(shift - 1, side + 1);
    pen.lineTo(shift + side + 1, -1);
    pen.stroke();
  }
  const pattern = context.createPattern(tile, "repeat");
  pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  return pattern;
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
