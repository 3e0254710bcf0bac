// The legend, and what is known of the pair or residue that is picked.

function fillLegend(custom) {
  const item = (mark, text) => {
    const span = make("span");
    const isRamp = Array.isArray(mark);
    const swatch = make("i", isRamp ? "ramp" : `mark ${mark}`);
    if (isRamp) swatch.style.background = gradient(mark);
    span.append(swatch, text);
    return span;
  };
  const items = custom ? [item(custom.ramp, custom.legend)] : [item(...upperLegend(state.layer))];
  if (!custom && state.lower === "truth") {
    if (state.layer === "distance") items.push(make("span", "", "below: true distance"));
    else items.push(item("native", "below: contact in the structure"));
  }
  if (!custom && state.lower === "rival") items.push(item(blues(), `below: ${protein.compare.method}${protein.compare.areProbabilities ? "" : ", by rank"}`));
  if (protein.truth) {
    items.push(item("true", "predicted, true"), item("false", "predicted, false"));
    if (state.kinds.missed) items.push(item("missed", "contact that is missed"));
    if (protein.truth.unresolved) items.push(item("hatch", "unknown: residue not resolved"));
    if (/[HE]/.test(protein.truth.secondary)) items.push(item("helix", "helix"), item("strand", "strand"));
  } else {
    items.push(item("plain", "predicted contact"));
  }
  byId("legend").replaceChildren(...items);
}

function upperLegend(layer) {
  const ramp = LAYER_RAMPS[layer];
  return [ramp.stops(), `above: ${ramp.words(protein)}`];
}

function fillPicked() {
  const panel = byId("picked");
  const { picked: pair, residue } = page;
  if (residue !== null) return fillResidue(panel, residue);
  if (!pair) {
    return panel.replaceChildren(make("p", "empty", `Pick a contact: click a mark in the map, or a row of the list.${structure ? " Pick a residue: click it in the structure, or on an axis." : ""}`));
  }
  const head = make("div", "pair", `${protein.residue(pair.i)} · ${protein.residue(pair.j)} `);
  const isShown = protein.isShown(pair);
  const verdict = {
    true: isShown ? "contact, as predicted" : "contact, not among the pairs shown",
    false: isShown ? "predicted, but no contact" : "no contact, and not predicted",
    unknown: "not resolved in the structure",
    plain: "",
  }[pair.kind];
  head.append(make("span", `verdict ${isShown ? pair.kind : ""}`, verdict));
  panel.replaceChildren(head, fieldsOf(protein, pair));
  if (structure && !structure.ends(pair)) panel.append(make("p", "hint", "Not drawn in 3D: the structure does not show both residues."));
  return undefined;
}

function fillResidue(panel, residue) {
  const { truth } = protein;
  const head = make("div", "pair", protein.residue(residue));
  const mine = page.shown.filter((pair) => pair.i === residue || pair.j === residue);
  const rows = [["contacts shown", String(mine.length)]];
  if (truth) {
    const element = { H: "helix", E: "strand", "-": "neither helix nor strand", " ": "unknown" }[truth.secondary[residue]];
    rows.push(["true ones", String(mine.filter((pair) => pair.kind === "true").length)], ["structure", protein.author(residue)]);
    rows.push(["SEQRES", truth.seqres[residue] ? String(truth.seqres[residue]) : "–"], ["secondary structure", element]);
  }
  panel.replaceChildren(head, grid(rows));
}
