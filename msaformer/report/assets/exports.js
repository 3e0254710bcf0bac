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

/** A text as a cell of CSV; one that a spreadsheet would run as a formula gets an apostrophe, a plain number does not. */
function cellText(text) {
  const safe = /^[=+\-@\t\r]/.test(text) && !/^-?\d+$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The pairs shown, in the columns of `msaformer predict`'s table. */
function csvText(protein, pairs) {
  const { truth } = protein;
  const head = ["i", "j", "aa_i", "aa_j", "prob", "separation", "pred_distance"];
  if (truth) head.push("distance", "is_contact", "chain_i", "chain_j", "auth_i", "auth_j");
  const rows = pairs.map((pair) => {
    const row = [
      pair.i + 1, pair.j + 1, protein.sequence[pair.i], protein.sequence[pair.j], pair.prob.toFixed(DECIMALS),
      pair.j - pair.i, pair.expected.toFixed(3),
    ];
    if (truth) {
      const isKnown = pair.distance !== null;
      const both = (values) => [pair.i, pair.j].map((k) => cellText(values[k] || ""));
      row.push(
        isKnown ? pair.distance.toFixed(3) : "", isKnown ? (pair.kind === "true" ? "True" : "False") : "",
        ...both(truth.chainNames), ...both(truth.numbers),
      );
    }
    return row.join(",");
  });
  return [head.join(","), ...rows, ""].join("\n");
}

/** The pairs shown as a CASP RR file. */
function rrText(protein, pairs) {
  const word = (text) => text.replace(/[^!-~]/g, "_");
  const identity = Object.entries(protein.raw.model).map(([key, value]) => word(`${key}=${value}`)).join(" ");
  const lines = ["PFRMAT RR", `TARGET ${word(protein.raw.name)}`, "AUTHOR msaformer", `METHOD ${identity}`.trim(), "MODEL 1"];
  for (let start = 0; start < protein.length; start += RR_WIDTH) lines.push(protein.sequence.slice(start, start + RR_WIDTH));
  for (const pair of pairs) lines.push(`${pair.i + 1} ${pair.j + 1} 0 8 ${pair.prob.toFixed(DECIMALS)}`);
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
