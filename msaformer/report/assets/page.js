// Put the parts together: read the data, and keep map, structure, tables and score in step.

const COUNTS = [[1, 10, "L/10"], [1, 5, "L/5"], [1, 2, "L/2"], [1, 1, "L"], [3, 2, "1.5 L"], [2, 1, "2 L"], [5, 2, "2.5 L"], [3, 1, "3 L"]];
const state = { separation: 6, layer: "contacts", picked: null, pairs: [], shown: [] };
let protein, map, structure;

async function start() {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("This browser is too old to unpack the page (it has no DecompressionStream). Chrome 80, Firefox 113 or Safari 16.4 and later can.");
  }
  const raw = JSON.parse(byId("data").textContent);
  protein = await Protein.unpack(raw);
  page.listen("pick", pick);
  fillHeader(raw);
  fillControls(raw);
  map = new MapView(byId("map"), byId("tip"), protein, { onPick: (pair) => page.pick(pair), say: (text) => byId("live").textContent = text });
  byId("map").setAttribute("aria-label", `Contact map of ${protein.length} residues`);
  update();
  page.pick(null);
  await startStructure(raw);
  await startPanels(raw, protein);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
}

function update() {
  const [numerator, divisor, label] = COUNTS[Number(byId("count").value)];
  const count = Math.max(Math.floor((protein.length * numerator) / divisor), 1);
  state.pairs = protein.best(count, state.separation);
  protein.shown = state.pairs;
  const isShown = { true: byId("show-true").checked, false: byId("show-false").checked, unknown: true, plain: true };
  state.shown = state.pairs.filter((pair) => isShown[pair.kind]);
  byId("count-text").textContent = `${label} · ${Math.min(count, state.pairs.length)}`;
  map.show(state.shown, state.separation, state.layer);
  if (structure) structure.show(state.shown);
  page.selected = state.pairs;
  page.shown = state.shown;
  fillScore();
  fillLegend();
  fillList();
  page.emit("show", page.shown);
}

function pick(pair) {
  state.picked = pair;
  map.setPicked(pair);
  const isIn3D = structure ? structure.pick(pair) : false;
  fillPicked(pair, isIn3D);
  markListRow();
}

function recolour() {
  colours.clear();
  map.redraw();
  if (structure) structure.pick(state.picked);
  page.emit("recolour");
  fillLegend();
}

// ---- parts ----

/** Radio buttons that look like one switch. */
function segments(parent, name, options, chosen, onChange) {
  for (const [value, text] of options) {
    const label = make("label");
    const input = make("input");
    Object.assign(input, { type: "radio", name, value, checked: value === chosen });
    input.addEventListener("change", () => onChange(value));
    label.append(input, make("span", "", text));
    parent.append(label);
  }
}

function fillControls(raw) {
  const separations = raw.separations.map((least) => [least, `≥ ${least}`]);
  segments(byId("separation"), "separation", separations, state.separation, (value) => {
    state.separation = value;
    update();
  });
  segments(byId("layer"), "layer", [["contacts", "Contacts"], ["distances", "Distances"]], state.layer, (value) => {
    state.layer = value;
    update();
  });
  for (const id of ["count", "show-true", "show-false"]) byId(id).addEventListener("input", update);
  for (const part of document.querySelectorAll(".needs-truth")) part.hidden = !raw.truth;
  byId("zoom-in").addEventListener("click", () => map.zoom(1 / 1.4));
  byId("zoom-out").addEventListener("click", () => map.zoom(1.4));
  byId("zoom-all").addEventListener("click", () => map.zoomAll());
}

async function startStructure(raw) {
  document.querySelector("main").classList.toggle("no-structure", !raw.truth);
  byId("chain").textContent = raw.truth ? `chain ${protein.chains[0].name}` : "";
  const message = byId("viewer-message");
  if (raw.structure) {
    await afterPaint();
    await loadLibrary();
  }
  let reason = whyNo3D(Boolean(raw.structure), Boolean(raw.truth));
  if (!reason) {
    try {
      structure = new StructureView(byId("viewer"), protein, new TextDecoder().decode(await inflate(raw.structure)));
      structure.show(state.shown);
      if (state.picked) pick(state.picked); // picked in the map meanwhile
    } catch (error) {
      reason = `The structure cannot be drawn: ${error.message}`;
    }
  }
  message.textContent = reason || "";
  message.hidden = !reason;
}

start().catch((error) => {
  byId("failure").textContent = error.message;
  byId("failure").hidden = false;
}).finally(() => {
  document.documentElement.dataset.ready = "1"; // tests and screenshots wait for this
});
