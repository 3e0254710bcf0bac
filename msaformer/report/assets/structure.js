// The structure in 3D with its contacts, drawn by the vendored 3Dmol.js ($3Dmol). One shape a colour class.

const MAX_CYLINDERS = 400; // contacts drawn in 3D; a thousand take a quarter of a second on software WebGL
const FADED = 0.45; // opacity of the other contacts while one is picked
const SOFTWARE_GL = /swiftshader|llvmpipe|software/i;

/** Why the structure cannot be drawn, or null; found out without 3Dmol, which would complain on the console. */
function whyNo3D(hasText, hasTruth) {
  if (!hasText && hasTruth) return "Only the true distances were given, no structure to draw.";
  if (!hasText) return "No structure was given. The map, the contacts and the downloads need none.";
  if (typeof $3Dmol === "undefined") return "The 3D viewer is missing from this page.";
  if (!webGL()) return "This browser offers no WebGL, so the structure cannot be drawn. Everything else on the page works.";
  return null;
}

function webGL() {
  const canvas = document.createElement("canvas");
  try {
    return canvas.getContext("webgl2") || canvas.getContext("webgl");
  } catch {
    return null;
  }
}

function isSoftwareGL() {
  const context = webGL();
  const info = context && context.getExtension("WEBGL_debug_renderer_info");
  const name = info ? String(context.getParameter(info.UNMASKED_RENDERER_WEBGL)) : "";
  const lose = context && context.getExtension("WEBGL_lose_context");
  if (lose) lose.loseContext();
  return SOFTWARE_GL.test(name);
}

class StructureView {
  constructor(element, protein, text) {
    this.protein = protein;
    this.shapes = [];
    this.pickShapes = [];
    this.pairs = [];
    this.viewer = $3Dmol.createViewer(element, { backgroundColor: colour("card"), antialias: !isSoftwareGL() });
    if (!this.viewer) throw new Error("the 3D viewer could not start");
    this.viewer.addModel(text, "pdb");
    this.style();
    this.viewer.zoomTo({ chain: "A" });
    this.viewer.zoom(1.1);
    this.viewer.render();
    new ResizeObserver(() => this.viewer.resize()).observe(element);
  }

  style() {
    this.viewer.setBackgroundColor(colour("card"));
    this.viewer.setStyle({ chain: "A" }, { cartoon: { color: colour("cartoon"), arrows: true } });
    this.viewer.setStyle({ chain: "L" }, { stick: { radius: 0.14, color: colour("faint") } });
  }

  /** Draw the pairs whose two residues are resolved; returns how many were drawn of how many could be. */
  show(pairs) {
    this.pairs = pairs;
    const opacity = this.pickShapes.length ? FADED : 1; // a picked contact stands out
    this.shapes.forEach((shape) => this.viewer.removeShape(shape));
    const drawable = pairs.filter((pair) => this.ends(pair));
    const drawn = drawable.slice(0, MAX_CYLINDERS);
    this.shapes = ["false", "true"].map((kind) => {
      const shape = this.viewer.addShape({ color: colour(kind), opacity });
      for (const pair of drawn) if (pair.kind === kind) this.cylinder(shape, pair, 0.13);
      return shape;
    });
    this.viewer.render();
    return [drawn.length, drawable.length];
  }

  /** Coordinates of a pair's contact atoms, or null; given to 3Dmol as numbers, so it searches no atoms. */
  ends(pair) {
    const ends = [pair.i, pair.j].map((k) => this.protein.atom(k));
    return ends.every(Boolean) ? ends : null;
  }

  cylinder(shape, pair, radius) {
    const [start, end] = this.ends(pair);
    shape.addCylinder({ start, end, radius, fromCap: 2, toCap: 2 });
  }

  /** Show one pair's residues, with labels and a thick line; null = none. */
  pick(pair) {
    this.pickShapes.forEach((shape) => this.viewer.removeShape(shape));
    this.pickShapes = [];
    this.viewer.removeAllLabels();
    this.style();
    const ends = pair && this.ends(pair);
    if (ends) this.drawPick(pair, ends);
    this.show(this.pairs);
    return Boolean(ends);
  }

  drawPick(pair, ends) {
    const shade = pair.kind === "plain" ? colour("ink") : colour(pair.kind);
    const places = [pair.i, pair.j].map((k) => this.protein.truth.seqres[k]);
    this.viewer.addStyle({ chain: "A", resi: places }, { stick: { radius: 0.2, color: shade } });
    const shape = this.viewer.addShape({ color: shade });
    this.cylinder(shape, pair, 0.42);
    ends.forEach((center) => shape.addSphere({ center, radius: 0.85 }));
    this.pickShapes.push(shape);
    [pair.i, pair.j].forEach((residue, k) => {
      this.viewer.addLabel(`${this.protein.residue(residue)} (${this.protein.author(residue)})`, {
        position: ends[k], fontSize: 13, fontColor: colour("card"), backgroundColor: colour("ink"),
        backgroundOpacity: 0.88, inFront: true, borderThickness: 0,
      });
    });
  }
}
