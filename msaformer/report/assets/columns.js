// The alignment's card: its picture, what each column holds, and how many sequences lie how close to the query.

PANELS.push(async (raw, protein) => {
  const card = byId("coverage-card");
  card.hidden = !raw.alignment;
  if (!raw.alignment) return;
  const coverage = await unpackCoverage(raw.alignment, protein.length);
  const { depth, counts, rows } = coverage;
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length / depth;
  byId("coverage-tag").textContent = `${depth.toLocaleString("en")} sequences · Neff ${decimals(coverage.total)} · ${percent(mean)} of cells covered`;
  const canvas = byId("coverage");
  canvas.setAttribute("aria-label", `Coverage of the query by ${depth} sequences, ${percent(mean)} on average. Arrow keys move along the columns, Enter picks the residue.`);
  const drawn = rows < depth ? ` ${rows} rows are drawn, evenly spaced.` : "";
  const identity = percent(coverage.weightIdentity);
  byId("coverage-help").textContent = `Rows: sequences sorted by identity to the query (identical residues / L) and coloured by it, gaps empty.${drawn} Line: sequences with a residue in the column. Strip: Neff of the column, the sum of their weights, each 1 / (sequences at least ${identity} identical, itself included).`;
  byId("coverage-bands").replaceChildren(...bandRows(coverage));
  const picture = new CoveragePicture(canvas, coverage, { chains: protein.chains, numberOf: (column) => protein.number(column) });
  followColumns(canvas, picture, (column) => columnText(protein, coverage, column));
  page.listen("recolour", () => picture.draw());
  offerSvg(byId("coverage-tag"), raw, "alignment", () => coverageAsSvg(picture));
});

const decimals = (number) => number.toLocaleString("en", { maximumFractionDigits: number < 100 ? 1 : 0 });

/** Everything known of a column, in one line. */
function columnText(protein, { counts, neff, depth, total, alphabet, kinds, frequent, percents }, column) {
  const author = protein.truth ? ` (${protein.author(column)})` : "";
  const common = [];
  for (let k = column * kinds; k < (column + 1) * kinds; k++) {
    const letter = alphabet[frequent[k]];
    if (percents[k]) common.push(`${THREE[letter] || letter} ${percents[k]}\u202f%`);
  }
  const count = counts[column];
  return [
    `${protein.residue(column)}${author}`,
    `${count.toLocaleString("en")} of ${depth.toLocaleString("en")} sequences, gaps ${percent(1 - count / depth)}`,
    `Neff ${decimals(neff[column])} of ${decimals(total)}`,
    common.join(", "),
  ].filter(Boolean).join(" · ");
}

/** Point at a column, walk along them, pick one; mark what is picked elsewhere. */
function followColumns(canvas, picture, textOf) {
  const readout = byId("coverage-column");
  const idle = "Point at a column to read it; click to pick its residue.";
  const last = picture.coverage.length - 1;
  let keyed = 0;
  const hover = (column) => {
    if (column === picture.hovered) return;
    picture.hovered = column;
    const told = column ?? (picture.marked.length === 1 ? picture.marked[0] : null);
    readout.textContent = told === null ? idle : textOf(told);
    picture.draw();
  };
  const columnAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left - picture.plot.left) / picture.plot.width) * (last + 1));
    return column >= 0 && column <= last ? column : null;
  };
  const mark = () => {
    const { picked, residue } = page;
    picture.marked = picked ? [picked.i, picked.j] : residue === null ? [] : [residue];
    picture.hovered = undefined;
    hover(null);
  };
  canvas.addEventListener("pointermove", (event) => hover(columnAt(event)));
  canvas.addEventListener("pointerleave", () => hover(null));
  canvas.addEventListener("blur", () => hover(null));
  canvas.addEventListener("click", (event) => page.pickResidue(columnAt(event)));
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -last, End: last };
    if (event.key in moves) hover(keyed = Math.min(Math.max((picture.hovered ?? keyed) + moves[event.key], 0), last));
    else if (event.key === "Enter" && picture.hovered !== null) page.pickResidue(picture.hovered);
    else if (event.key === "Escape") page.pickResidue(null);
    else return;
    event.preventDefault();
  });
  page.listen("pick", mark);
  page.listen("pickResidue", mark);
  new ResizeObserver(() => picture.draw()).observe(canvas);
  mark();
}

/** A row a band of identity: its colours, how many sequences, and their part of Neff. */
function bandRows({ bands, depth, total }) {
  const head = make("div", "band head");
  head.append(make("span", "", "identity"), make("span", "", "sequences"), make("span", "", "Neff"));
  const viridis = ramp(VIRIDIS);
  const most = Math.max(...bands.map((band) => Math.max(band.sequences / depth, band.weight / total)));
  const rows = bands.map(({ least, sequences, weight }, k) => {
    const end = k ? bands[k - 1].least : 1;
    const row = make("div", "band");
    const name = make("span", "range");
    const swatch = make("i", "swatch");
    swatch.style.background = `rgb(${viridis((least + end) / 2).join(" ")})`;
    const [low, high] = [Math.round(100 * least), Math.round(100 * end)];
    name.append(swatch, k === 0 ? `≥ ${low}\u202f%` : low === 0 ? `< ${high}\u202f%` : `${low}–${high}\u202f%`);
    row.append(name, meter(sequences, depth, most, "raw"), meter(weight, total, most, "weighted"));
    return row;
  });
  return [head, ...rows];
}

function meter(value, whole, most, name) {
  const cell = make("span", `meter ${name}`);
  const bar = make("i");
  bar.style.width = `${(100 * value) / whole / most}%`;
  const share = value && value / whole < 0.005 ? `< 1\u202f%` : percent(value / whole);
  cell.append(bar, make("strong", "", decimals(value)), make("small", "", share));
  return cell;
}
