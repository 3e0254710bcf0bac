// Put the parts together: read the data, and keep map, structure, tables and score in step.

let protein, map, structure, rankings, natives, chosen;

async function start() {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("This browser is too old to unpack the page (it has no DecompressionStream). Chrome 80, Firefox 113 or Safari 16.4 and later can.");
  }
  const raw = JSON.parse(byId("data").textContent);
  protein = await Protein.unpack(raw);
  rankings = { own: new Ranking(protein, protein.prob, ownScore), rival: raw.compare && new Ranking(protein, protein.rival, rivalScore) };
  natives = new Natives(protein);
  fillHeader(raw);
  startControls(raw);
  startMap();
  listenToPage();
  update();
  await startPanels(raw, protein);
  await startStructure(raw); // last, when nothing changes its size any more: each picture costs a tenth of a second
}

function startMap() {
  map = new MapView(byId("map"), byId("tip"), protein, {
    onPick: (pair) => page.pick(pair),
    onPickResidue: (index) => page.pickResidue(index === page.residue ? null : index),
    say: (text) => { byId("live").textContent = text; },
  });
  const { left, top } = MARGIN;
  Object.assign(byId("map").dataset, { left, top, margins: MARGIN.left + MARGIN.right }); // for who asks where a pair lies
  byId("map").setAttribute("aria-label", `Contact map of ${protein.length} residues`);
}

/** Choose the pairs anew and show them everywhere. */
function update() {
  chosen = choose();
  protein.shownKeys = chosen.keys;
  page.selected = chosen.pairs;
  const missed = state.kinds.missed ? chosen.missed.map(([i, j]) => ({ ...protein.pairAt(i, j), mark: "missed" })) : [];
  page.shown = [...chosen.pairs.filter((pair) => state.kinds[pair.kind]), ...missed];
  map.show({ shown: mapContent() });
  if (structure) structure.show(page.shown);
  fillScore(chosen);
  fillLegend(map.picture.custom);
  fillList(page.shown);
  page.emit("show", page.shown);
}

function mapContent() {
  const { layer } = state;
  const { range, rival } = chosen;
  const below = { truth: layer === "distance" ? "truth" : "natives", rival: "rival", marks: layer === "prob" ? null : layer, mirror: layer };
  const isNear = ([i, j]) => range.has(i, j);
  const key = `${range.low} ${range.high} ${range.onlyInter}`;
  return {
    layer, range, lower: below[state.lower], marks: page.shown,
    rivalMarks: rival ? rival.pairs.filter((pair) => state.kinds[pair.kind]) : [],
    natives: { key, near: chosen.natives, far: natives.pairs.filter((pair) => !isNear(pair)) },
  };
}

function listenToPage() {
  const onPick = () => {
    map.show({ picked: page.picked, residue: page.residue });
    if (structure) structure.redraw();
    fillPicked();
  };
  page.listen("pick", () => {
    onPick();
    markListRow();
  });
  page.listen("pickResidue", () => {
    fillList(page.shown);
    onPick();
    if (page.residue !== null) byId("live").textContent = `${protein.residue(page.residue)} picked: ${byId("contacts-count").textContent}`;
  });
  page.listen("layer", (layer) => {
    map.show({ custom: layer });
    byId("custom").hidden = !layer;
    byId("custom-name").textContent = layer ? layer.name : "";
    fillLegend(layer);
  });
  byId("custom").addEventListener("click", () => page.showLayer(null));
  byId("all-contacts").addEventListener("click", () => page.pickResidue(null));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") page.clear();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  addEventListener("beforeprint", () => prepareForPrint(true));
  addEventListener("afterprint", () => prepareForPrint(false));
}

function recolour() {
  colours.clear();
  map.redraw();
  if (structure) structure.restyle();
  page.emit("recolour");
  fillLegend(map.picture.custom);
}

/** Paper is light, whatever the screen is; and all must be drawn before this returns. */
function prepareForPrint(isPrinting) {
  document.documentElement.classList.toggle("printing", isPrinting);
  recolour();
  map.picture.draw();
  if (!isPrinting) return;
  if (structure) structure.draw(); // no frame is drawn before the paper is
  page.emit("print");
}

async function startStructure(raw) {
  document.querySelector("main").classList.toggle("no-structure", !raw.truth);
  const names = raw.chains.map((chain) => chain.name).join(", ");
  byId("chain").textContent = raw.truth ? `chain${raw.chains.length > 1 ? "s" : ""} ${names}` : "";
  const message = byId("viewer-message");
  byId("viewer").classList.toggle("empty", !raw.structure);
  if (raw.structure) {
    await afterPaint();
    await loadLibrary();
  }
  let reason = whyNo3D(Boolean(raw.structure), Boolean(raw.truth));
  if (!reason) {
    try {
      const text = new TextDecoder().decode(await inflate(raw.structure.text));
      structure = new StructureView(byId("viewer"), protein, { ...raw.structure, text }, page.shown);
      startPaint();
    } catch (error) {
      reason = `The structure cannot be drawn: ${error.message}`;
    }
  }
  message.textContent = reason || "";
  message.hidden = !reason;
  byId("viewer").classList.toggle("empty", Boolean(reason));
  fillPicked();
}

function startPaint() {
  const choices = [["chain", protein.chains.length > 1 ? "Chains" : "Plain"], ["secondary", "Helix, strand"]];
  byId("paint").hidden = !/[HE]/.test(protein.truth.secondary);
  segments(byId("paint"), "paint", choices, "chain", (value) => structure.restyle(value));
}

start().catch((error) => {
  byId("failure").textContent = error.message;
  byId("failure").hidden = false;
}).finally(() => {
  document.documentElement.dataset.ready = "1"; // tests and screenshots wait for this
});
