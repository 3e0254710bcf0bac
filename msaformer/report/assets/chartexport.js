// A panel's plot as an SVG file of its own: what the style sheet says is written into it.

const KEPT_STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity", "font-size", "font-weight"];

/** A small button behind `place` that saves what `draw()` gives, an SVG element, as a file; returns it. */
function offerSvg(place, raw, name, draw) {
  const button = make("button", "save", "SVG");
  button.type = "button";
  button.title = `Save ${name} as SVG`;
  button.setAttribute("aria-label", button.title);
  button.addEventListener("click", () => {
    save(`${fileStem(raw.name)}.${name.replaceAll(" ", "-")}.svg`, new Blob([svgText(draw())], { type: "image/svg+xml" }));
  });
  place.append(button);
  return button;
}

/** A copy of the plot that needs no style sheet. */
function chartAsSvg(chart) {
  const copy = chart.root.cloneNode(true);
  const copies = [copy, ...copy.querySelectorAll("*")];
  [chart.root, ...chart.root.querySelectorAll("*")].forEach((element, k) => {
    const style = getComputedStyle(element);
    for (const name of KEPT_STYLES) copies[k].setAttribute(name, style.getPropertyValue(name));
    copies[k].removeAttribute("class");
  });
  copy.setAttribute("width", chart.width);
  copy.setAttribute("height", chart.height);
  copy.setAttribute("font-family", "system-ui, sans-serif");
  copy.prepend(svg("rect", { width: chart.width, height: chart.height, fill: colour("card") }));
  return copy;
}

/** The alignment's picture drawn once more, as vectors but for its cells. */
function coverageAsSvg(picture) {
  const { width, height } = picture.canvas.getBoundingClientRect();
  return drawnAsSvg(width, height, (context) => {
    context.fillStyle = colour("card");
    context.fillRect(0, 0, width, height);
    const copy = Object.assign(Object.create(CoveragePicture.prototype), picture, { hovered: null });
    copy.drawInto(context, width, height);
  });
}
