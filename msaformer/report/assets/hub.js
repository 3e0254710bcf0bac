// Where the parts of the page meet. A part tells `page` what happened, and hears of it from `page`; no part calls another.
//
//   page.listen(event, fn) / page.emit(event, …)   events, and what their listeners are given:
//     "pick"        (pair | null)     a pair was picked, or none is any more; page.picked
//     "pickResidue" (index | null)    the same of one residue, counted from 0; page.residue
//     "show"        (pairs)           other pairs are shown, the best first, hidden kinds left out; page.shown. Those of
//                                     hidden kinds too are in page.selected. A pair with isExact false was not in the
//                                     list: its prob is known to half a step, its distances to half a step of theirs.
//     "recolour"    ()                light or dark changed: draw again with colour(…)
//     "print"       ()                about to be printed: draw what is hidden or not yet drawn
//   page.pick(pair | null), page.pickResidue(index | null), page.clear()   do what a click does; protein.pairAt(i, j) makes a pair
//   page.showLayer({ name, bytes, ramp, legend })   put a picture of L×L bytes (row i, column j; not symmetric) on the
//     map: `ramp` is a list of "#rrggbb", `legend` a text. null takes it off.
//   page.card(id, title, { wide, tag })   make a card of the page, and get { card, body, tag }, tag being its small text
//   PANELS.push((raw, protein) => …)   start a part when the data is there, async if need be. One that throws shows a
//     message in the card it made last, and the page goes on.

const PANELS = [];

const page = {
  picked: null,
  residue: null,
  shown: [],
  selected: [],
  listeners: new Map(),
  startingCard: null,

  listen(event, fn) {
    if (!this.listeners.has(event)) this.listeners.set(event, []);
    this.listeners.get(event).push(fn);
  },

  emit(event, ...values) {
    for (const fn of this.listeners.get(event) || []) fn(...values);
  },

  pick(pair) {
    this.picked = pair;
    if (this.residue !== null) this.dropResidue();
    this.emit("pick", pair);
  },

  pickResidue(index) {
    this.residue = index;
    if (this.picked) {
      this.picked = null;
      this.emit("pick", null);
    }
    this.emit("pickResidue", index);
  },

  dropResidue() {
    this.residue = null;
    this.emit("pickResidue", null);
  },

  clear() {
    if (this.picked) this.pick(null);
    if (this.residue !== null) this.dropResidue();
  },

  showLayer(layer) {
    this.emit("layer", layer);
  },

  card(id, title, { wide = false, tag = "" } = {}) {
    const card = make("section", `card${wide ? " wide" : ""}`);
    card.id = id;
    const head = make("header");
    const name = make("h2", "", title);
    name.id = `${id}-title`;
    card.setAttribute("aria-labelledby", name.id);
    const note = make("span", "tag", tag);
    const body = make("div", "body");
    head.append(name, note);
    card.append(head, body);
    document.querySelector("main").insertBefore(card, document.querySelector("main > .foot"));
    this.startingCard = body;
    return { card, body, tag: note };
  },
};

/** Start every panel, one after the other, so that cards stand in the order of the programs. */
async function startPanels(raw, protein) {
  for (const start of PANELS) {
    page.startingCard = null;
    try {
      await start(raw, protein);
    } catch (error) {
      const place = page.startingCard || page.card("panel-failure", "A part is missing").body;
      place.append(make("p", "message", `This part cannot be shown: ${error.message}`));
    }
  }
}
