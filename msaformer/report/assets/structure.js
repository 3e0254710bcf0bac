// The structure in 3D with its contacts, drawn by the vendored 3Dmol.js ($3Dmol). One shape a colour class; what is
// picked is drawn as shapes too, since a change of style makes 3Dmol build the whole cartoon again.

const MAX_CYLINDERS = 400; // contacts drawn in 3D; a thousand take a quarter of a second on software WebGL
const FADED = 0.45; // opacity of the other contacts while one is picked
const SOFTWARE_GL = /swiftshader|llvmpipe|software/i;
const MAX_LABELS = 12; // of a picked residue's contacts
const HOVER_MS = 80; // a pointer that rests so long on a residue asks its name
const LONG = 500; // residues beyond which the cartoon is drawn more coarsely
const [CAMERA_Z, HALF_FIELD] = [150, 10]; // Å from the origin, and degrees: how 3Dmol's camera stands and sees
const RESIDUE = 0.9; // Å, radius of the ball on a picked residue

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
  /** `text` in PDB format; `chains` the letter of each residue's chain in it; `ligands` that of what is no residue. */
  constructor(element, protein, { text, chains, ligands }, pairs) {
    Object.assign(this, { protein, shapes: [], pickShapes: [], pairs, paint: "chain" });
    this.viewer = $3Dmol.createViewer(element, {
      backgroundColor: colour("card"), antialias: !isSoftwareGL(), hoverDuration: HOVER_MS, cartoonQuality: protein.length > LONG ? 5 : 10,
    });
    if (!this.viewer) throw new Error("the 3D viewer could not start");
    this.letters = chains;
    this.polymer = { not: { chain: ligands } };
    this.ligands = { chain: ligands };
    this.places = new Map();
    for (let k = 0; k < protein.length; k++) if (chains[k] !== " ") this.places.set(`${this.letters[k]}${protein.truth.seqres[k]}`, k);
    this.unseen(() => {
      this.model = this.viewer.addModel(text, "pdb");
      this.setSecondary();
      this.listen(element);
      this.style();
      this.viewer.zoomTo(this.polymer); // sets how deep the scene is
      this.frame(element);
    });
    this.draw();
    this.watchSize(element);
  }

  /** Turn the longest axis across the picture and fit all in, as long as the reader has not turned it otherwise. */
  frame(element) {
    const { view } = this.protein.truth;
    const now = this.viewer.getView().join();
    if (!view || (this.framed && this.framed !== now)) return;
    const [x, y, z] = view.extents;
    const half = Math.max(y, (x * element.clientHeight) / Math.max(element.clientWidth, 1));
    const distance = half / Math.tan((HALF_FIELD * Math.PI) / 180) + z / 2; // what is in front is seldom what is widest
    this.viewer.setView([...view.center.map((k) => -k), CAMERA_Z - distance, ...view.rotation], true);
    this.framed = this.viewer.getView().join();
  }

  /** 3Dmol's own watches draw again at the start, when nothing has changed. */
  watchSize(element) {
    for (const name of ["divwatcher", "intwatcher"]) if (this.viewer[name]) this.viewer[name].disconnect();
    const size = () => `${element.clientWidth} ${element.clientHeight}`;
    let last = size();
    new ResizeObserver(() => {
      if (size() === last) return;
      last = size();
      this.frame(element);
      this.viewer.resize();
    }).observe(element);
  }

  /** Change the scene without the picture that 3Dmol would draw after each step, a tenth of a second on software WebGL. */
  unseen(change) {
    this.viewer.show = () => {};
    change();
    delete this.viewer.show;
  }

  /** Index of an atom's residue in the query; undefined for others. */
  indexOf(atom) {
    return this.places.get(`${atom.chain}${atom.resi}`);
  }

  /** Helices and strands as the page's tracks show them, where the truth knows them. */
  setSecondary() {
    const { secondary } = this.protein.truth;
    if (!/[HE]/.test(secondary)) return;
    for (const atom of this.model.selectedAtoms({})) {
      const k = this.indexOf(atom);
      atom.ss = { H: "h", E: "s" }[secondary[k]] || "c";
      atom.ssbegin = atom.ss !== "c" && secondary[k - 1] !== secondary[k];
      atom.ssend = atom.ss !== "c" && secondary[k + 1] !== secondary[k];
    }
  }

  /** A click on a residue picks it, a pointer that rests on it is told its name. */
  listen(element) {
    element.addEventListener("pointerleave", () => this.viewer.setHover(null));
    this.viewer.setClickable(this.polymer, true, (atom) => {
      const k = this.indexOf(atom);
      if (k !== undefined) page.pickResidue(k === page.residue ? null : k);
    });
    this.viewer.setHoverable(this.polymer, true, (atom) => {
      const k = this.indexOf(atom);
      if (k === undefined || this.hovered) return;
      this.hovered = this.label(`${this.protein.residue(k)} (${this.protein.author(k)})`, { x: atom.x, y: atom.y, z: atom.z });
    }, () => {
      if (this.hovered) this.viewer.removeLabel(this.hovered);
      this.hovered = null;
    });
  }

  colourOf(atom) {
    const k = this.indexOf(atom);
    if (this.paint === "secondary") return colour({ H: "helix", E: "strand" }[this.protein.truth.secondary[k]] || "cartoon");
    return chainColour(k === undefined ? 0 : this.protein.chainIndex[k]);
  }

  style() {
    this.viewer.setBackgroundColor(colour("card"));
    this.viewer.setStyle(this.polymer, { cartoon: { colorfunc: (atom) => this.colourOf(atom), arrows: true } });
    this.viewer.setStyle(this.ligands, { stick: { radius: 0.14, color: colour("faint") } });
  }

  /** Colour the cartoon anew: by "chain" or by "secondary" structure; also when the scheme changed. */
  restyle(paint = this.paint) {
    this.paint = paint;
    this.unseen(() => this.style());
    this.redraw();
  }

  /** Draw these pairs as far as the structure shows both residues. */
  show(pairs) {
    this.pairs = pairs;
    this.redraw();
  }

  /** Draw contacts and what is picked, once for all changes before the next frame. */
  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  draw() {
    this.unseen(() => this.build(page.residue, page.picked && this.ends(page.picked)));
    this.viewer.render();
  }

  build(residue, ends) {
    [...this.shapes, ...this.pickShapes].forEach((shape) => this.viewer.removeShape(shape));
    this.viewer.setHover(null); // or a pointer that comes back to its residue is not told again
    this.viewer.removeAllLabels();
    const isMine = (pair) => residue === null || pair.i === residue || pair.j === residue;
    const drawn = this.pairs.filter((pair) => !pair.mark && isMine(pair) && this.ends(pair)).slice(0, MAX_CYLINDERS);
    this.shapes = ["false", "true"].map((kind) => {
      const shape = this.viewer.addShape({ color: colour(kind), opacity: ends ? FADED : 1 }); // a picked contact stands out
      for (const pair of drawn) if (pair.kind === kind) this.cylinder(shape, pair, residue === null ? 0.13 : 0.3);
      return shape;
    });
    this.pickShapes = [];
    if (ends) this.drawPick(page.picked, ends);
    if (residue !== null && this.protein.atom(residue)) this.drawResidue(residue, drawn);
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

  drawPick(pair, ends) {
    const shade = pair.kind === "plain" ? colour("ink") : colour(pair.kind);
    const shape = this.viewer.addShape({ color: shade });
    this.cylinder(shape, pair, 0.42);
    ends.forEach((center) => shape.addSphere({ center, radius: RESIDUE }));
    [pair.i, pair.j].forEach((k) => this.sticks(shape, k));
    this.pickShapes.push(shape);
    [pair.i, pair.j].forEach((k, side) => this.label(`${this.protein.residue(k)} (${this.protein.author(k)})`, ends[side]));
  }

  drawResidue(k, pairs) {
    const shape = this.viewer.addShape({ color: colour("residue") });
    shape.addSphere({ center: this.protein.atom(k), radius: RESIDUE });
    this.sticks(shape, k);
    this.pickShapes.push(shape);
    this.label(`${this.protein.residue(k)} (${this.protein.author(k)})`, this.protein.atom(k));
    for (const pair of pairs.slice(0, MAX_LABELS)) {
      const other = pair.i === k ? pair.j : pair.i;
      this.sticks(shape, other);
      this.label(this.protein.residue(other), this.protein.atom(other));
    }
  }

  /** A residue's bonds as sticks. */
  sticks(shape, k) {
    const atoms = this.model.selectedAtoms({ chain: this.letters[k], resi: this.protein.truth.seqres[k] });
    const byIndex = new Map(atoms.map((atom) => [atom.index, atom]));
    const point = ({ x, y, z }) => ({ x, y, z });
    for (const atom of atoms) {
      for (const bonded of atom.bonds.map((index) => byIndex.get(index))) {
        if (bonded && bonded.index > atom.index) shape.addCylinder({ start: point(atom), end: point(bonded), radius: 0.2, fromCap: 2, toCap: 2 });
      }
    }
  }

  label(text, position) {
    return this.viewer.addLabel(text, {
      position, fontSize: 13, fontColor: colour("card"), backgroundColor: colour("ink"), backgroundOpacity: 0.88, inFront: true, borderThickness: 0,
    });
  }
}

const CHAIN_COLOURS = ["cartoon", "chain-2", "chain-3", "chain-4"];
const chainColour = (number) => colour(CHAIN_COLOURS[number % CHAIN_COLOURS.length]);
