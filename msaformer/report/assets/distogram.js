// The predicted distribution of distance of the picked pair, under its numbers.

const DISTOGRAM_MARGIN = { left: 40, right: 14, top: 18, bottom: 34 };
const LAST_BIN = 1.2; // Å that the last bin is drawn wide, which has no end: apart from the others, and not by area

PANELS.push(async (raw, protein) => {
  const part = raw.distogram;
  const place = byId("picked");
  if (!part || !place) return;
  const box = make("div", "distogram");
  box.id = "distogram";
  place.after(box);
  const table = new Distributions(part, await inflate(part.data), protein);
  const [head, title] = [make("p", "chart-title"), make("span")];
  head.append(title);
  const words = make("p", "hint");
  const chart = new Chart(box, { height: 150, margin: DISTOGRAM_MARGIN, label: "", paint: (plot) => paintDistogram(plot, table, page.picked, raw.contactAngstrom) });
  box.prepend(head);
  const button = offerSvg(head, raw, "distances", () => chartAsSvg(chart));
  box.append(words);
  const show = (pair) => {
    button.hidden = !pair;
    title.textContent = pair ? "Predicted distance of this pair" : "Predicted distance";
    words.textContent = distogramWords(table, pair, raw.contactAngstrom);
    chart.label = pair ? `${protein.residue(pair.i)} and ${protein.residue(pair.j)}. ${words.textContent}` : "no pair picked";
    chart.redraw();
  };
  page.listen("pick", show);
  page.listen("recolour", () => chart.redraw());
  show(page.picked);
});

/** Distributions of the listed pairs, found by their residues. */
class Distributions {
  constructor({ pairs, bins, edges }, bytes, protein) {
    Object.assign(this, { bins, edges, bytes, protein });
    this.rows = new Map(protein.pairs.slice(0, pairs).map(({ i, j }, row) => [i * protein.length + j, row]));
  }

  /** Probability of each bin, summing to 1, or null where the page does not carry the pair. */
  of({ i, j }) {
    const row = this.rows.get(i * this.protein.length + j);
    if (row === undefined) return null;
    const packed = this.bytes.subarray(row * this.bins, (row + 1) * this.bins);
    const sum = packed.reduce((total, value) => total + value, 0);
    return Array.from(packed, (value) => value / sum);
  }
}

function distogramWords(table, pair, contactAngstrom) {
  if (!pair) return "Pick a pair to see how its predicted distance is spread.";
  const near = `P(d < ${contactAngstrom} Å) ${pair.prob.toFixed(pair.prob < 0.1 ? 3 : 2)}`;
  const known = pair.distance === null || pair.distance === undefined ? "" : ` True: ${pair.distance.toFixed(1)} Å (line).`;
  const spread = `Expected ${pair.expected.toFixed(1)} ± ${pair.spread.toFixed(1)} Å (dot and bar), ${near}.${known}`;
  return table.of(pair) ? spread : `${spread} The page carries the whole distribution of its strongest pairs only, and not of this one.`;
}

function paintDistogram(plot, table, pair, contactAngstrom) {
  const last = table.edges[table.edges.length - 1];
  const open = [last + 0.5, last + 0.5 + LAST_BIN];
  const end = open[1] + 0.5;
  plot.range([0, end], [0, 1]);
  plot.bar(plot.x(0), plot.x(contactAngstrom), plot.bottom, plot.top, "contact-zone");
  plot.ticksX(steps(0, last - 1, 6));
  plot.words(plot.x((open[0] + open[1]) / 2), plot.bottom + 15, `≥ ${last}`);
  plot.titles("Å between Cβ atoms (Cα for Gly)");
  plot.rule(plot.left, plot.bottom, plot.right, plot.bottom, "axis");
  const isNear = pair && pair.distance !== null && pair.distance < last / 2; // its number stands above the left half
  plot.words(isNear ? plot.right : plot.left, plot.top - 6, `shaded: contact, < ${contactAngstrom} Å`, isNear ? "end" : "start", "tiny");
  if (!pair) return;
  const probs = table.of(pair);
  if (probs) paintBins(plot, probs, table.edges, open, contactAngstrom);
  const within = (value) => plot.x(Math.min(Math.max(value, 0), end));
  if (pair.distance !== null) {
    const x = within(pair.distance);
    plot.rule(x, plot.top, x, plot.bottom, "halo-line");
    plot.rule(x, plot.top, x, plot.bottom, pair.distance < contactAngstrom ? "true-line" : "false-line");
    plot.words(x, plot.top - 6, `true ${pair.distance.toFixed(1)} Å`, x > plot.right - 60 ? "end" : "start", "tiny strong");
  }
  const height = plot.top + 12;
  plot.rule(within(pair.expected - pair.spread), height, within(pair.expected + pair.spread), height, probs ? "spread" : "band");
  plot.add("circle", { class: "mean", cx: tenth(within(pair.expected)), cy: height, r: 4 });
}

/** One bar a bin, the highest filling the plot; `open` are the ends of the bar of the last bin. */
function paintBins(plot, probs, edges, open, contactAngstrom) {
  const most = Math.max(...probs);
  const room = plot.bottom - plot.top - 22;
  probs.forEach((prob, k) => {
    const isLast = k === probs.length - 1;
    const start = isLast ? open[0] : k ? edges[k - 1] : Math.max(2 * edges[0] - edges[1], 0);
    const end = isLast ? open[1] : edges[k];
    const name = end <= contactAngstrom + 1e-6 ? "bin near" : "bin far";
    const bar = plot.bar(plot.x(start) + 0.5, plot.x(end) - 0.5, plot.bottom, plot.bottom - (room * prob) / most, name);
    const range = isLast ? `≥ ${edges[k - 1]} Å` : k ? `${start}–${end} Å` : `< ${end} Å`;
    bar.append(svg("title", {}, `${range}: ${(100 * prob).toFixed(1)} %`));
  });
  plot.words(plot.left - 7, plot.bottom - room + 4, percent(most), "end", "tiny");
  plot.words(plot.left - 7, plot.bottom + 1, "0", "end", "tiny");
}
