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

const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;
const BLUES = ["#ffffff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08519c", "#08306b"];
const BLUES_DARK = ["#161c25", "#0f2c4d", "#0d3f73", "#12579a", "#2b7bba", "#559fd0", "#86c1e2", "#b9ddf0", "#f2faff"];
const VIRIDIS = [
  "#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725",
];
const blues = () => (isDark() ? BLUES_DARK : BLUES);
const gradient = (stops) => `linear-gradient(90deg, ${stops.join(", ")})`;
const RAMP_ANGSTROM = [2, 22]; // ends of the distance colours
