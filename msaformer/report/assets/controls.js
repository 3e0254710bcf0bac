// The switches of the page, and what they stand at (`state`). Each change calls `update` in page.js.

const COUNTS = [[1, 10, "L/10"], [1, 5, "L/5"], [1, 2, "L/2"], [1, 1, "L"], [3, 2, "1.5 L"], [2, 1, "2 L"], [5, 2, "2.5 L"], [3, 1, "3 L"]];
const LAYERS = { // what the colours can stand for, and what a layer needs
  prob: ["Probability", () => true],
  distance: ["Distance", () => true],
  spread: ["Spread", () => true],
  error: ["Error", (raw) => raw.truth],
  difference: ["Difference", (raw) => raw.compare],
};
const LOWERS = { // what lies below the diagonal
  truth: ["Structure", (raw) => raw.truth],
  rival: ["Second", (raw) => raw.compare],
  marks: ["Contacts", (raw) => !raw.truth],
  mirror: ["Mirror", () => true],
};

const state = {
  mode: "top", stop: 3, threshold: 0.5, low: 6, high: null, onlyInter: false, layer: "prob", lower: "marks",
  kinds: { true: true, false: true, missed: false, unknown: true, plain: true },
};

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

const available = (choices, raw) => Object.entries(choices).filter(([, [, isThere]]) => isThere(raw)).map(([value, [text]]) => [value, text]);

function startControls(raw) {
  state.lower = raw.truth ? "truth" : raw.compare ? "rival" : "marks";
  startCount();
  startSeparation(raw);
  segments(byId("layer"), "layer", available(LAYERS, raw), state.layer, (value) => {
    state.layer = value;
    page.showLayer(null);
    update();
  });
  segments(byId("lower"), "lower", available(LOWERS, raw), state.lower, (value) => {
    state.lower = value;
    update();
  });
  for (const kind of ["true", "false", "missed"]) {
    byId(`show-${kind}`).checked = state.kinds[kind];
    byId(`show-${kind}`).addEventListener("change", (event) => {
      state.kinds[kind] = event.target.checked;
      update();
    });
  }
  for (const part of document.querySelectorAll(".needs-truth")) part.hidden = !raw.truth;
  for (const part of document.querySelectorAll(".needs-chains")) part.hidden = raw.chains.length < 2;
  byId("zoom-in").addEventListener("click", () => map.zoom(1 / 1.4));
  byId("zoom-out").addEventListener("click", () => map.zoom(1.4));
  byId("zoom-all").addEventListener("click", () => map.zoomAll());
}

function startCount() {
  const slider = byId("count");
  const fit = () => {
    const isTop = state.mode === "top";
    Object.assign(slider, isTop ? { min: 0, max: COUNTS.length - 1, step: 1 } : { min: 5, max: 99, step: 1 });
    slider.value = isTop ? state.stop : Math.round(100 * state.threshold);
  };
  segments(byId("mode"), "mode", [["top", "Strongest"], ["prob", "Probability"]], state.mode, (mode) => {
    state.mode = mode;
    fit();
    update();
  });
  slider.addEventListener("input", () => {
    if (state.mode === "top") state.stop = Number(slider.value);
    else state.threshold = Number(slider.value) / 100;
    update();
  });
  fit();
}

/** One click for the usual ranges, two numbers for any other. */
function startSeparation(raw) {
  const [low, high] = [byId("separation-low"), byId("separation-high")];
  const usual = raw.separations.map((least) => [String(least), `≥ ${least}`]);
  segments(byId("separation"), "separation", [...usual, ["free", "Other"]], String(state.low), (value) => {
    byId("separation-free").hidden = value !== "free";
    if (value === "free") return low.focus();
    Object.assign(state, { low: Number(value), high: null });
    [low.value, high.value] = [value, ""];
    return update();
  });
  low.value = state.low;
  for (const input of [low, high]) {
    input.max = protein.length;
    input.addEventListener("input", () => {
      state.low = Math.max(Math.floor(Number(low.value)) || 1, 1);
      state.high = high.value === "" ? null : Math.max(Math.floor(Number(high.value)) || 1, 1);
      update();
    });
  }
  byId("only-inter").addEventListener("change", (event) => {
    state.onlyInter = event.target.checked;
    update();
  });
}

/** What the settings choose: pairs, those of a second prediction, contacts missed, and the numbers to show. */
function choose() {
  const range = new SeparationWindow(protein, state);
  const [numerator, divisor, label] = COUNTS[state.stop];
  const count = Math.max(Math.floor((protein.length * numerator) / divisor), 1);
  const by = (ranking) => (state.mode === "top" ? ranking.best(count, range) : ranking.above(state.threshold, range));
  const own = by(rankings.own);
  const chosen = { range, ...own, ...judgement(own.pairs), rival: null, natives: natives.within(range) };
  chosen.keys = new Set(own.pairs.map((pair) => pair.i * protein.length + pair.j));
  chosen.missed = chosen.natives.filter(([i, j]) => !chosen.keys.has(i * protein.length + j));
  chosen.label = state.mode === "top" ? label : `p ≥ ${state.threshold.toFixed(2)}`;
  if (rankings.rival) {
    const isShared = state.mode === "top" || protein.compare.areProbabilities;
    const rival = isShared ? by(rankings.rival) : rankings.rival.best(Math.max(chosen.judged, 1), range);
    chosen.rival = { ...rival, ...judgement(rival.pairs) };
  }
  return chosen;
}
