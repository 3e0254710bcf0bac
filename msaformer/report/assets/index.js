"use strict";
// Sort the table by a column and show the rows whose name contains a text; without this program it is a plain table.
(() => {
  const table = document.getElementById("targets");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const live = document.getElementById("live");
  const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  const nameOf = (row) => row.cells[1].textContent;

  /** What a cell is sorted by; an empty value, shown as a dash, has no number. */
  function valueOf(row, column) {
    const value = row.cells[column].dataset.value;
    return value === "" ? null : Number(value);
  }

  function compare(column, isText, sign) {
    return (one, other) => {
      if (isText) return sign * order.compare(nameOf(one), nameOf(other));
      const [a, b] = [valueOf(one, column), valueOf(other, column)];
      if (a === null || b === null) return (a === null) - (b === null); // always last
      return sign * (a - b);
    };
  }

  function sortBy(head) {
    const isText = head.dataset.kind === "text";
    const first = isText ? "ascending" : "descending"; // the largest numbers are looked for
    const second = isText ? "descending" : "ascending";
    const direction = head.getAttribute("aria-sort") === first ? second : first;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
    rows.sort(compare(head.cellIndex, isText, direction === "ascending" ? 1 : -1));
    body.append(...rows);
    live.textContent = `Sorted by ${head.textContent}, ${direction}`;
  }

  function filter(text) {
    const wanted = text.trim().toLowerCase();
    for (const row of rows) row.hidden = !nameOf(row).toLowerCase().includes(wanted);
    const count = rows.filter((row) => !row.hidden).length;
    document.getElementById("nothing").hidden = count > 0;
    live.textContent = `${count} of ${rows.length} targets`;
  }

  for (const head of table.tHead.querySelectorAll("th")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortBy(head));
    head.replaceChildren(button);
  }
  document.getElementById("find").hidden = false;
  const box = document.getElementById("filter");
  box.addEventListener("input", () => filter(box.value));
  filter(box.value); // a browser that goes back keeps what was typed
  live.textContent = "";
  document.documentElement.dataset.ready = "1";
})();
