// The pairs shown as a table, the best first.

const LIST_ROWS = 400;

/** The pairs shown, the best first; a click picks one. */
function fillList() {
  const { truth } = protein;
  const table = make("table");
  const head = table.createTHead().insertRow();
  const titles = ["Residues", ...(truth ? ["Structure"] : []), "|i − j|", "Probability", "Predicted", ...(truth ? ["True"] : [])];
  const className = (title) => (["Structure", "Predicted"].includes(title) ? "optional" : ""); // hidden on a phone
  titles.forEach((title) => head.append(make("th", className(title), title)));
  const body = table.createTBody();
  for (const pair of state.shown.slice(0, LIST_ROWS)) {
    const row = body.insertRow();
    row.dataset.pair = `${pair.i} ${pair.j}`;
    row.insertCell().append(make("i", `mark ${pair.kind}`), `${protein.residue(pair.i)} – ${protein.residue(pair.j)}`);
    const cell = (text, name = "") => row.append(make("td", name, text));
    if (truth) cell(`${protein.author(pair.i)} – ${protein.author(pair.j)}`, "optional");
    cell(String(pair.j - pair.i));
    cell(pair.prob.toFixed(2));
    cell(`${pair.expected.toFixed(1)} Å`, "optional");
    if (truth) cell(pair.distance === null ? "unknown" : `${pair.distance.toFixed(1)} Å`);
    row.addEventListener("click", () => page.pick(pair));
  }
  byId("contacts").replaceChildren(table);
  const more = state.shown.length > LIST_ROWS ? `, the first ${LIST_ROWS} listed` : "";
  byId("contacts-count").textContent = `${state.shown.length} pairs${more}`;
  markListRow();
}

function markListRow() {
  const wanted = state.picked ? `${state.picked.i} ${state.picked.j}` : "";
  for (const row of byId("contacts").querySelectorAll("tbody tr")) {
    const isPicked = row.dataset.pair === wanted;
    row.setAttribute("aria-selected", String(isPicked));
    if (isPicked) scrollWithin(byId("contacts"), row);
  }
}

/** Scroll the list, never the page. */
function scrollWithin(box, row) {
  const above = row.offsetTop - 40 - box.scrollTop;
  const below = row.offsetTop + row.offsetHeight - box.clientHeight - box.scrollTop;
  if (above < 0) box.scrollTop += above;
  else if (below > 0) box.scrollTop += below;
}
