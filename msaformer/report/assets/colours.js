// Colours: of the style sheet, and of ramps.

const colours = new Map();

/** Read a colour of the style sheet; kept until the scheme changes (colours.clear()). */
function colour(name) {
  if (!colours.has(name)) {
    colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  }
  return colours.get(name);
}

/** Colours of a ramp at t in [0, 1], as [r, g, b]. */
function ramp(stops) {
  const rgb = stops.map((hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)));
  return (t) => {
    const place = Math.min(Math.max(t, 0), 1) * (rgb.length - 1);
    const low = Math.min(Math.floor(place), rgb.length - 2);
    return [0, 1, 2].map((k) => Math.round(rgb[low][k] + (place - low) * (rgb[low + 1][k] - rgb[low][k])));
  };
}

/** 256 colours as opaque RGBA words in the byte order of ImageData. */
function paletteWords(rgbOf) {
  const bytes = new Uint8ClampedArray(4 * 256);
  for (let k = 0; k < 256; k++) bytes.set([...rgbOf(k), 255], 4 * k);
  return new Uint32Array(bytes.buffer);
}

/** Dark as the reader's system is, but never on paper. */
const isDark = () => matchMedia("screen and (prefers-color-scheme: dark)").matches && !document.documentElement.classList.contains("printing");
const BLUES = ["#ffffff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08519c", "#08306b"];
const BLUES_DARK = ["#161c25", "#0f2c4d", "#0d3f73", "#12579a", "#2b7bba", "#559fd0", "#86c1e2", "#b9ddf0", "#f2faff"];
const PURPLES = ["#fcfbfd", "#dadaeb", "#bcbddc", "#9e9ac8", "#807dba", "#6a51a3", "#54278f", "#3f007d"];
const PURPLES_DARK = ["#1b1726", "#2f2353", "#46327e", "#5f4aa0", "#7d6cba", "#9f92d0", "#c6bfe6", "#f0edfb"];
const BROWNS = ["#fffff2", "#fff3bf", "#fee391", "#fec44f", "#fe9929", "#ec7014", "#cc4c02", "#8c2d04"];
const BROWNS_DARK = ["#1d1a14", "#47290d", "#7a3a0b", "#b05212", "#dc7822", "#f4a24a", "#fccb86", "#fff3dc"];
const VIRIDIS = [
  "#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725",
];
const PUOR = ["#2d004b", "#542788", "#8073ac", "#b2abd2", "#f2f0f5", "#fdb863", "#e08214", "#b35806", "#7f3b08"];
const PUOR_DARK = ["#d9cdf6", "#a994dd", "#7d67b8", "#4c3f78", "#1a1f29", "#6b431a", "#b36a1e", "#ee9a3a", "#ffd79c"];
const blues = () => (isDark() ? BLUES_DARK : BLUES);
const gradient = (stops) => `linear-gradient(90deg, ${stops.join(", ")})`;

/** What each layer's colours mean: `range` in its own unit, the ends of the ramp. */
const LAYER_RAMPS = {
  prob: { stops: blues, range: [0, 1], words: () => "predicted probability, 0 to 1" },
  distance: { stops: () => VIRIDIS, range: [2, 22], words: () => "expected distance, 2 to 22 Å" },
  spread: { stops: () => (isDark() ? PURPLES_DARK : PURPLES), range: [0, 6], words: () => "standard deviation of the distance, 0 to 6 Å" },
  error: { stops: () => (isDark() ? BROWNS_DARK : BROWNS), range: [0, 10], words: () => "error |expected − true|, 0 to 10 Å" },
  difference: {
    stops: () => (isDark() ? PUOR_DARK : PUOR),
    range: [-1, 1],
    words: ({ compare }) => `${compare.areProbabilities ? "probability" : "rank"} here higher (brown) or in ${compare.method} (violet)`,
  },
};
