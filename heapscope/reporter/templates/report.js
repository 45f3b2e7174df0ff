// Sorting and filtering of tables; the page says the same without it.
"use strict";
const valueOf = (cell) => (cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value));
const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0);

for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const first = head.classList.contains("n") ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...body.rows];
      rows.sort((a, b) => sign * compare(valueOf(a.cells[column]), valueOf(b.cells[column])));
      body.append(...rows);
    });
  });
}

for (const table of document.querySelectorAll("table[data-filterable]")) {
  const rows = [...table.tBodies[0].rows];
  const bar = document.createElement("div");
  const label = document.createElement("label");
  const input = document.createElement("input");
  const shown = document.createElement("output");
  bar.className = "filter";
  label.textContent = "Filter";
  input.type = "search";
  input.autocomplete = "off";
  input.id = label.htmlFor = `${table.id}-filter`;
  shown.htmlFor.add(input.id);
  bar.append(label, input, shown);
  table.parentElement.before(bar);
  const apply = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      count += row.hidden ? 0 : 1;
    }
    shown.textContent = words.length ? `${count} of ${rows.length} rows` : "";
  };
  input.addEventListener("input", apply);
}

addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details:not([open])")) {
    part.open = true;
    part.dataset.reclose = "";
  }
});
addEventListener("afterprint", () => {
  for (const part of document.querySelectorAll("details[data-reclose]")) {
    part.open = false;
    delete part.dataset.reclose;
  }
});
