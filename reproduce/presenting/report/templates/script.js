"use strict";
// A click on a heading sorts its table by that column; a second one turns the order round. Empty cells stay last.
document.querySelectorAll("th button").forEach((button) => button.addEventListener("click", () => {
  const th = button.parentElement, table = th.closest("table"), body = table.tBodies[0], column = th.cellIndex;
  const down = th.getAttribute("aria-sort") === "ascending";
  const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const rows = Array.from(body.rows, (row) => [key(row), row]);
  rows.sort(([a], [b]) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    const order = Number.isNaN(Number(a)) || Number.isNaN(Number(b)) ? compare(a, b) : a - b;
    return down ? -order : order;
  });
  body.append(...rows.map(([, row]) => row));
  table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
  th.setAttribute("aria-sort", down ? "descending" : "ascending");
}));
