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

const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** The pairs shown, in the columns of `msaformer predict`'s table. */
function csvText(protein, pairs) {
  const head = ["i", "j", "aa_i", "aa_j", "prob", "separation", "pred_distance"];
  if (protein.truth) head.push("distance", "is_contact", "chain", "auth_i", "auth_j");
  const rows = pairs.map((pair) => {
    const row = [
      pair.i + 1, pair.j + 1, protein.sequence[pair.i], protein.sequence[pair.j], pair.prob.toFixed(DECIMALS),
      pair.j - pair.i, pair.expected.toFixed(3),
    ];
    if (protein.truth) {
      const isKnown = pair.kind !== "unknown";
      const numbers = [pair.i, pair.j].map((k) => quoted(protein.truth.numbers[k] || ""));
      row.push(
        isKnown ? pair.distance.toFixed(3) : "", isKnown ? (pair.kind === "true" ? "True" : "False") : "",
        quoted(protein.truth.chainNames[pair.i]), ...numbers,
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

function connectDownloads(protein, shownPairs, mapCanvas) {
  const stem = fileStem(protein.raw.name);
  const text = (content, type) => new Blob([content], { type });
  byId("save-csv").addEventListener("click", () => save(`${stem}.contacts.csv`, text(csvText(protein, shownPairs()), "text/csv")));
  byId("save-rr").addEventListener("click", () => save(`${stem}.rr`, text(rrText(protein, shownPairs()), "text/plain")));
  byId("save-png").addEventListener("click", () => mapCanvas.toBlob((blob) => save(`${stem}.map.png`, blob), "image/png"));
}

PANELS.push((raw, protein) => connectDownloads(protein, () => page.selected, byId("map")));
