// Files made in the page and handed to the browser as blobs: nothing leaves the computer.

const RR_WIDTH = 50; // CASP RR: letters in a line of the sequence
const DECIMALS = 6;

function save(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const fileStem = (name) => name.replace(/[^\w.-]+/g, "_").slice(0, 80) || "prediction";

const FORMULA = /^[=+\-@\t\r]/;
const RESIDUE_NUMBER = /^-?[0-9]+[A-Za-z]?$/;

/** A text as a cell of CSV; one that a spreadsheet would run as a formula gets an apostrophe, a residue number does not. */
function cellText(text) {
  const safe = FORMULA.test(text) && !RESIDUE_NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** What the program calls chain k of the query, whatever the structure's author does: A to Z, a to z, AA, … */
function chainLetter(k) {
  if (k >= 52) return chainLetter(Math.floor(k / 52) - 1) + chainLetter(k % 52);
  return String.fromCharCode(k < 26 ? 65 + k : 71 + k);
}

/** The pairs shown, in the columns of the program's tables (msaformer.report.contact_list). */
function csvText(protein, pairs) {
  const { truth, raw, chains, chainIndex } = protein;
  const both = (pair, textOf) => [pair.i, pair.j].map((k) => cellText(textOf(k)));
  const label = (k) => (chains.length > 1 ? chainLetter(chainIndex[k]) : "") + protein.number(k);
  const author = (values) => (k) => (truth.numbers[k] === null ? "" : values[k]);
  const head = [
    "i", "j", ...(raw.numbers ? ["res_i", "res_j"] : []), "aa_i", "aa_j", "prob", "separation", "pred_distance", "pred_std",
    ...(truth ? ["distance", "is_contact", "chain_i", "chain_j", "auth_i", "auth_j"] : []),
  ];
  const rows = pairs.map((pair) => {
    const row = [pair.i + 1, pair.j + 1, ...(raw.numbers ? both(pair, label) : []), ...both(pair, (k) => protein.sequence[k])];
    row.push(pair.prob.toFixed(DECIMALS), pair.j - pair.i, pair.expected.toFixed(3), pair.spread.toFixed(3));
    if (truth) {
      row.push(...(pair.distance === null ? ["", ""] : [pair.distance.toFixed(3), pair.kind === "true" ? "True" : "False"]));
      row.push(...both(pair, author(truth.chainNames)), ...both(pair, author(truth.numbers)));
    }
    return row.join(",");
  });
  return [head.join(","), ...rows, ""].join("\n");
}

/** The pairs shown as a CASP RR file; in a complex residues are counted within their chain, whose letter precedes them. */
function rrText(protein, pairs) {
  const { raw, chains, chainIndex } = protein;
  const word = (text) => text.replace(/[^!-~]/g, "_");
  const identity = Object.entries(raw.model).map(([key, value]) => word(`${key}=${value}`)).join(" ");
  const isComplex = chains.length > 1;
  const lengths = chains.map(({ length }, k) => `${chainLetter(k)}:${length}`).join(" ");
  const name = (k) => (isComplex ? chainLetter(chainIndex[k]) : "") + (k - chains[chainIndex[k]].start + 1);
  const lines = [
    "PFRMAT RR", `TARGET ${word(raw.name)}`, "AUTHOR msaformer", ...(isComplex ? [`REMARK chains ${lengths}`] : []),
    `METHOD ${identity || "msaformer"}`, "MODEL 1",
  ];
  for (let start = 0; start < protein.length; start += RR_WIDTH) lines.push(protein.sequence.slice(start, start + RR_WIDTH));
  for (const pair of pairs) lines.push(`${name(pair.i)} ${name(pair.j)} 0 8 ${pair.prob.toFixed(DECIMALS)}`);
  return [...lines, "END", ""].join("\n");
}

PANELS.push((raw, protein) => {
  const stem = fileStem(raw.name);
  const onClick = (id, make) => byId(id).addEventListener("click", make);
  const text = (name, content, type) => save(`${stem}.${name}`, new Blob([content], { type }));
  onClick("save-csv", () => text("contacts.csv", csvText(protein, page.selected), "text/csv"));
  onClick("save-rr", () => text("rr", rrText(protein, page.selected), "text/plain"));
  onClick("save-svg", () => text("map.svg", svgText(mapAsSvg(map.picture, protein)), "image/svg+xml"));
  onClick("save-png", () => mapAsCanvas(map.picture, protein).toBlob((blob) => save(`${stem}.map.png`, blob), "image/png"));
  byId("save-help").textContent = "CSV and RR hold the pairs shown at this moment, with exact numbers; the program (msaformer export) writes all pairs. PNG and SVG hold the map as it is shown; in the SVG all is vectors but the heat map.";
});
