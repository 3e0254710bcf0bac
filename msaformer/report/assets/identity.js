// What the prediction was made by and from, to read and to copy.

const HASH = /^[0-9a-f]{32,}$/;

PANELS.push((raw) => {
  const list = byId("identity");
  const { rows, note } = raw.identity;
  list.replaceChildren(...rows.flatMap(([what, value]) => {
    const text = make("dd", HASH.test(value) ? "hash" : "", value);
    return [make("dt", "", what), text];
  }));
  if (note) list.after(make("p", "hint", `${note[0].toUpperCase()}${note.slice(1)}.`));
});
