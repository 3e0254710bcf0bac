// The pairs shown as a table, the best first; of a residue that is picked, its pairs only.

const LIST_ROWS = 400;

function fillList(pairs) {
  const { truth } = protein;
  const table = make("table");
  const head = table.createTHead().insertRow();
  const titles = ["Residues", ...(truth ? ["Structure"] : []), "|i − j|", "Probability", "Expected", ...(truth ? ["True"] : [])];
  const className = (title) => (["Structure", "Expected"].includes(title) ? "optional" : ""); // hidden on a phone
  titles.forEach((title) => head.append(make("th", className(title), title)));
  const body = table.createTBody();
  const { residue } = page;
  const listed = residue === null ? pairs : pairs.filter((pair) => pair.i === residue || pair.j === residue);
  for (const pair of listed.slice(0, LIST_ROWS)) body.append(listRow(pair));
  body.addEventListener("keydown", moveInList);
  if (body.rows.length) body.rows[0].tabIndex = 0;
  byId("contacts").replaceChildren(table);
  const more = listed.length > LIST_ROWS ? `, the first ${LIST_ROWS} listed` : "";
  byId("contacts-count").textContent = `${listed.length} pairs${residue === null ? more : ` of ${protein.residue(residue)}${more}`}`;
  byId("all-contacts").hidden = residue === null;
  markListRow();
}

function listRow(pair) {
  const row = make("tr");
  row.dataset.pair = `${pair.i} ${pair.j}`;
  row.tabIndex = -1;
  row.insertCell().append(make("i", `mark ${pair.mark || pair.kind}`), `${protein.residue(pair.i)} – ${protein.residue(pair.j)}`);
  const cell = (text, name = "") => row.append(make("td", name, text));
  if (protein.truth) cell(`${protein.author(pair.i)} – ${protein.author(pair.j)}`, "optional");
  cell(protein.isInter(pair.i, pair.j) ? "chains" : String(pair.j - pair.i));
  cell(`${pair.isExact ? "" : "≈ "}${pair.prob.toFixed(2)}`);
  cell(`${pair.expected.toFixed(1)} Å`, "optional");
  if (protein.truth) cell(pair.distance === null ? "unknown" : `${pair.distance.toFixed(1)} Å`);
  row.addEventListener("click", () => page.pick(pair));
  return row;
}

/** Arrow keys move within the list, Enter picks. */
function moveInList(event) {
  const row = event.target.closest("tr");
  const next = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key];
  if (event.key === "Enter" || event.key === " ") row.click();
  else if (!next) return;
  event.preventDefault();
  if (next) {
    row.tabIndex = -1;
    next.tabIndex = 0;
    next.focus({ preventScroll: true });
    scrollWithin(byId("contacts"), next);
  }
}

function markListRow() {
  const { picked } = page;
  const wanted = picked ? `${picked.i} ${picked.j}` : "";
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
