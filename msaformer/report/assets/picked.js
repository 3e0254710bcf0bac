// The legend, and what is known of the pair that is picked.

function fillLegend() {
  const item = (mark, text) => {
    const span = make("span");
    const swatch = make("i", mark.includes("(") ? "ramp" : `mark ${mark}`);
    if (mark.includes("(")) swatch.style.background = mark;
    span.append(swatch, text);
    return span;
  };
  const items = state.layer === "contacts"
    ? [item(gradient(blues()), "above: predicted probability, 0 to 1")]
    : [item(gradient(VIRIDIS), `${RAMP_ANGSTROM[0]} to ${RAMP_ANGSTROM[1]} Å; above: expected distance`)];
  if (protein.truth) {
    if (state.layer === "contacts") items.push(item("native", "below: contact in the structure"));
    else items.push(make("span", "", "below: true distance"));
    items.push(item("true", "predicted, true"), item("false", "predicted, false"));
    if (protein.truth.unresolved) items.push(item("hatch", "unknown: residue not resolved"));
  } else {
    items.push(item("plain", "below: predicted contact"));
  }
  byId("legend").replaceChildren(...items);
}

function fillPicked(pair, isIn3D) {
  const panel = byId("picked");
  if (!pair) {
    panel.replaceChildren(make("p", "empty", "Pick a contact: click a mark in the map, or a row of the list."));
    return;
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
  if (structure && !isIn3D) panel.append(make("p", "hint", "Not drawn in 3D: the structure does not show both residues."));
}
