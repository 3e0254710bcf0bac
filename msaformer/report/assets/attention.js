// Attention maps of single heads: thumbnails, of which one lies on the main map.

const THUMBNAIL = 88; // pixels of a thumbnail's side on screen

PANELS.push(async (raw, protein) => {
  const part = raw.attention;
  if (!part || !part.maps.length) return;
  const { body, tag } = page.card("attention-card", "Attention between residues", { wide: true });
  const left = part.total - part.maps.length;
  tag.textContent = `${part.total} heads${left ? `, the first ${part.maps.length} on this page` : ""}`;
  const list = make("div", "heads");
  const heads = await Promise.all(part.maps.map(async (map) => ({ ...map, bytes: await inflate(map.data) })));
  const buttons = heads.map((head) => headButton(head, part.side));
  let shown = null;
  const show = (index) => {
    shown = index === shown ? null : index;
    buttons.forEach(({ button }, k) => button.setAttribute("aria-pressed", String(k === shown)));
    page.showLayer(shown === null ? null : layerOf(heads[shown], part, protein.length));
  };
  buttons.forEach(({ button }, k) => button.addEventListener("click", () => show(k)));
  list.append(...buttons.map(({ button }) => button));
  body.append(list, make("p", "hint", attentionWords(part, left)));
  page.listen("recolour", () => {
    buttons.forEach(({ paint }) => paint());
    if (shown !== null) page.showLayer(layerOf(heads[shown], part, protein.length));
  });
  page.listen("layer", (layer) => {
    if (layer !== null || shown === null) return;
    shown = null;
    buttons.forEach(({ button }) => button.setAttribute("aria-pressed", "false"));
  });
});

function attentionWords({ pool, maps, total }, left) {
  const cut = left ? ` ${left} of ${total} heads would make the page too large and are left out; the prediction's file holds them all.` : "";
  const pooled = pool > 1 ? ` A pixel stands for ${pool} × ${pool} pairs and shows their largest.` : "";
  return `Row attention of heads of the network (blocks and heads counted from 0), the mean over the sequences it was given: how much residue i (row) takes from residue j (column). Colours are square roots, each map's own: from 0 to its largest off the diagonal (${maps[0].scale} in the first). Choose a head to lay it on the contact map, again to take it off. Attention shows what was read, not why.${pooled}${cut}`;
}

function headButton(head, side) {
  const button = make("button", "attention-head");
  button.type = "button";
  button.setAttribute("aria-pressed", "false");
  const canvas = document.createElement("canvas");
  const name = `block ${head.block} · head ${head.head}`;
  button.append(canvas, make("span", "", name));
  button.title = `${name}, largest ${head.scale}`;
  const paint = () => paintThumbnail(canvas, head.bytes, side);
  paint();
  return { button, paint };
}

/** The map, or of a larger one the strongest of each pixel's pairs. */
function paintThumbnail(canvas, bytes, side) {
  const pool = Math.max(Math.ceil(side / (2 * THUMBNAIL)), 1);
  const small = Math.ceil(side / pool);
  const strongest = new Uint8Array(small * small);
  for (let i = 0; i < side; i++) {
    const row = Math.floor(i / pool) * small;
    for (let j = 0; j < side; j++) {
      const place = row + Math.floor(j / pool);
      const value = bytes[i * side + j];
      if (value > strongest[place]) strongest[place] = value;
    }
  }
  const blue = ramp(blues());
  const palette = paletteWords((k) => blue(k / 255));
  canvas.width = canvas.height = small;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(small, small);
  const words = new Uint32Array(picture.data.buffer);
  strongest.forEach((value, place) => { words[place] = palette[value]; });
  context.putImageData(picture, 0, 0);
}

/** A head as a layer of the main map: one byte a pair, whatever it was pooled to. */
function layerOf(head, { side, pool }, length) {
  const bytes = new Uint8Array(length * length);
  for (let i = 0; i < length; i++) {
    const row = Math.floor(i / pool) * side;
    for (let j = 0; j < length; j++) bytes[i * length + j] = head.bytes[row + Math.floor(j / pool)];
  }
  const name = `Attention, block ${head.block}, head ${head.head}`;
  return { name, bytes, ramp: blues(), legend: `${name}: row attends to column, 0 to ${head.scale} by square root` };
}
