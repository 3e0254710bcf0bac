// Whether probabilities mean what they say: a reliability plot against the structure, by range of separation.

const RANGE_WORDS = { all: "All", medium: "Medium", long: "Long" };
const CALIBRATION_MARGIN = { left: 46, right: 14, top: 10, bottom: 84 };
const COUNT_STRIP = 34; // pixels of the bars of counts below the plot
const Z95 = 1.96; // standard deviations that hold 95 % of a normal distribution

PANELS.push((raw) => {
  const part = raw.calibration;
  if (!part || !part.ranges.some((range) => range.pairs)) return;
  const { body, tag } = halfCard("calibration-card", "Calibration");
  const count = make("span");
  tag.append(count);
  const control = make("div", "segments small");
  control.setAttribute("role", "radiogroup");
  control.setAttribute("aria-label", "Separation |i − j|");
  let shown = part.ranges[0];
  const words = make("p", "hint");
  body.append(control);
  const chart = new Chart(body, { height: 372, margin: CALIBRATION_MARGIN, label: "", paint: (plot) => paintCalibration(plot, shown) });
  body.append(words);
  offerSvg(tag, raw, "calibration", () => chartAsSvg(chart));
  const show = (name) => {
    shown = part.ranges.find((range) => range.name === name);
    const error = shown.error === null ? "–" : shown.error.toFixed(3);
    count.textContent = `${shown.pairs.toLocaleString("en")} pairs · ECE ${error}`;
    words.textContent = calibrationWords(shown);
    chart.label = `${shown.pairs} pairs, expected calibration error ${error}. ${binWords(shown)}`;
    chart.redraw();
  };
  segments(control, "calibration-range", part.ranges.filter((range) => range.pairs).map(({ name }) => [name, RANGE_WORDS[name]]), shown.name, show);
  show(shown.name);
});

function calibrationWords({ pairs, contacts, error }) {
  return `Of the pairs predicted with a probability near p, a share p should be contacts: points on the dashed line. Whiskers: 95 % interval of a share of so few pairs (Wilson). ECE ${error.toFixed(3)}: mean distance from the line, weighted by the pairs of each step. One protein holds few pairs (${contacts.toLocaleString("en")} contacts of ${pairs.toLocaleString("en")}), which are not independent: it can show a gross error, not a fine one.`;
}

function binWords({ said, true: shares, counts }) {
  const bins = said.flatMap((value, k) => (counts[k] ? [`${value.toFixed(2)} came true in ${percent(shares[k])} of ${counts[k]}`] : []));
  return `Probability ${bins.join(", ")}.`;
}

/** Interval that holds the true share with 95 % when `hits` of `count` were seen (Wilson 1927). */
function wilson(share, count) {
  const square = Z95 ** 2;
  const middle = (share + square / (2 * count)) / (1 + square / count);
  const half = (Z95 / (1 + square / count)) * Math.sqrt((share * (1 - share)) / count + square / (4 * count ** 2));
  return [Math.max(middle - half, 0), Math.min(middle + half, 1)];
}

function paintCalibration(plot, { said, true: shares, counts, edges }) {
  const shareOf = (value) => value.toFixed(1);
  plot.range([0, 1], [0, 1]);
  plot.ticksY([0, 0.2, 0.4, 0.6, 0.8, 1], shareOf);
  plot.rule(plot.x(0), plot.y(0), plot.x(1), plot.y(1), "ideal");
  const points = said.flatMap((value, k) => (counts[k] ? [[plot.x(value), plot.y(shares[k]), k]] : []));
  plot.line(points, "curve");
  for (const [x, y, k] of points) {
    const [low, high] = wilson(shares[k], counts[k]);
    plot.rule(x, plot.y(low), x, plot.y(high), "whisker");
    const dot = plot.add("circle", { class: "dot", cx: tenth(x), cy: tenth(y), r: 4.2 });
    dot.append(svg("title", {}, `said ${said[k].toFixed(3)}, true ${shares[k].toFixed(3)} (${low.toFixed(2)}–${high.toFixed(2)}), ${counts[k]} pairs`));
  }
  paintCounts(plot, counts, edges);
  plot.titles("predicted probability", "share of contacts");
}

/** Pairs in each step of probability, below the plot; heights are logarithms, the numbers stand beside. */
function paintCounts(plot, counts, edges) {
  const base = plot.bottom + 12 + COUNT_STRIP;
  const most = Math.log10(1 + Math.max(...counts));
  counts.forEach((count, k) => {
    const [x0, x1] = [plot.x(edges[k]) + 1.5, plot.x(edges[k + 1]) - 1.5];
    const top = base - ((COUNT_STRIP - 12) * Math.log10(1 + count)) / most;
    plot.bar(x0, x1, base, top, "count");
    plot.words((x0 + x1) / 2, top - 3, compact(count), "middle", "tiny");
  });
  plot.words(plot.left - 7, base - 4, "pairs", "end", "tiny");
  for (const value of [0, 0.2, 0.4, 0.6, 0.8, 1]) plot.words(plot.x(value), base + 15, value.toFixed(1));
}
