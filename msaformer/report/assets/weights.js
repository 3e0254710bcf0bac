// What each sequence weighs: the weights from the heaviest down, how Neff adds up, and whose the heaviest are.

const WEIGHTS_MARGIN = { left: 56, right: 18, top: 12, bottom: 38 };

PANELS.push(async (raw) => {
  const part = raw.weights;
  if (!part) return;
  const { body, tag } = halfCard("weights-card", "Sequence weights");
  tag.textContent = `half of Neff in ${part.half.toLocaleString("en")} of ${part.sequences.toLocaleString("en")} sequences`;
  const flat = new Float32Array((await inflate(part.curve)).buffer);
  const points = Array.from({ length: part.points }, (_, k) => flat.subarray(3 * k, 3 * k + 3));
  const label = `Weights of ${part.sequences} sequences, from ${points[0][1].toFixed(2)} down to ${points[points.length - 1][1].toPrecision(2)}. Half of Neff lies in the ${part.half} heaviest.`;
  const [sides, plain] = [make("div", "sides"), make("div")];
  sides.append(plain);
  body.append(sides);
  const chart = new Chart(plain, { height: 232, margin: WEIGHTS_MARGIN, label, paint: (plot) => paintWeights(plot, points, part) });
  offerSvg(tag, raw, "weights", () => chartAsSvg(chart));
  plain.append(make("p", "hint", weightWords(part)));
  if (part.heaviest.length) sides.append(heaviestTable(part.heaviest));
});

function weightWords({ sequences, neff, alone, query, weightIdentity }) {
  const relatives = Math.round(1 / query) - 1;
  const near = percent(weightIdentity);
  return `A sequence weighs 1 / (sequences at least ${near} identical to it, itself included), so that copies count once; the sum is Neff, ${decimals(neff)} of ${sequences.toLocaleString("en")}. Filled: weights, the heaviest first. Line: share of Neff reached. ${alone.toLocaleString("en")} sequences have no other so near and weigh 1; the query has ${relatives.toLocaleString("en")} and weighs ${query.toPrecision(2)}.`;
}

function paintWeights(plot, points, { sequences, half }) {
  plot.range([0, sequences], [0, 1]);
  plot.ticksY([0, 0.25, 0.5, 0.75, 1], (value) => value.toFixed(2));
  plot.ticksX(steps(0, sequences, (plot.right - plot.left) / 70).filter(Number.isInteger), (value) => value.toLocaleString("en"));
  const stairs = points.flatMap(([rank, weight], k) => {
    const start = k ? points[k - 1][0] : 0;
    return [[plot.x(start), plot.y(weight)], [plot.x(rank), plot.y(weight)]];
  });
  plot.line([[plot.x(0), plot.y(0)], ...stairs, [plot.x(sequences), plot.y(0)]], "area");
  plot.line([[plot.x(0), plot.y(0)], ...points.map(([rank, , sum]) => [plot.x(rank), plot.y(sum)])], "curve strong");
  plot.rule(plot.x(0), plot.y(0.5), plot.x(half), plot.y(0.5), "ideal");
  plot.rule(plot.x(half), plot.y(0.5), plot.x(half), plot.y(0), "ideal");
  plot.add("circle", { class: "dot", cx: tenth(plot.x(half)), cy: tenth(plot.y(0.5)), r: 4 });
  const isRight = plot.x(half) > (plot.left + plot.right) / 2;
  plot.words(plot.x(half) + (isRight ? -9 : 9), plot.y(0.5) + 17, `${half.toLocaleString("en")} carry half`, isRight ? "end" : "start", "strong");
  plot.titles("sequences, the heaviest first", "weight, share of Neff");
}

function heaviestTable(rows) {
  const table = make("table", "heaviest");
  const head = table.createTHead().insertRow();
  for (const text of ["Heaviest sequences", "Weight", "Identity", "Covers"]) head.append(make("th", "", text));
  const body = table.createTBody();
  for (const { name, weight, identity, covered } of rows) {
    const line = body.insertRow();
    const cell = make("td", "name", name || "(no name)");
    cell.title = name;
    line.append(cell, make("td", "", weight.toPrecision(2)), make("td", "", percent(identity)), make("td", "", percent(covered)));
  }
  return table;
}
