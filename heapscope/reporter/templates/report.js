// Sorting and filtering of tables, contents that follow; the page says the same without it.
"use strict";
const valueOf = (cell) => (cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value));
const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0);
const MATCHES = 200; // rows that a filter shows at most
const counted = (number) => number.toLocaleString("en-US");

// A row that the page carries as data, in the shape of the rows that it shows.
function rowOf(cells, pattern) {
  const row = pattern.cloneNode(true);
  cells.forEach((given, place) => {
    const cell = row.cells[place];
    const [value, text] = Array.isArray(given) ? given : [given, typeof given === "number" ? counted(given) : given];
    if (cell.dataset.value !== undefined) cell.dataset.value = value;
    if (cell.title) cell.title = `${counted(value)} bytes`;
    const target = cell.querySelector(".name") || cell;
    target.replaceChildren();
    for (const part of place ? [text] : text.split(/(?<=[.$/:;,=&_])/)) {
      target.append(part, ...(place ? [] : [document.createElement("wbr")]));
    }
  });
  return row;
}

function packageOf(row) {
  const name = row.cells[0].textContent.trim().split(/\/|\$\$/)[0].replace(/[\[\]]+$/, "");
  return name.slice(0, Math.max(name.lastIndexOf("."), 0));
}

// Packages with how many classes they have, and those above them that have several packages.
function packagesOf(rows) {
  const sizes = new Map();
  const below = new Map();
  for (const row of rows) {
    const whole = packageOf(row);
    sizes.set(whole, (sizes.get(whole) || 0) + 1);
  }
  for (const [whole, size] of sizes) {
    const parts = whole.split(".");
    for (let length = 1; length < parts.length; length += 1) {
      const upper = parts.slice(0, length).join(".");
      const [packages, classes] = below.get(upper) || [0, sizes.get(upper) || 0];
      below.set(upper, [packages + 1, classes + size]);
    }
  }
  const found = [...sizes].map(([name, size]) => [name, `${name || "(no package)"} (${counted(size)})`, `=${name}`]);
  for (const [name, [packages, classes]] of below) {
    if (packages > 1) found.push([`${name}.`, `${name}.* (${counted(classes)})`, `<${name}`]);
  }
  return found.sort((a, b) => compare(a[0], b[0]));
}

for (const table of document.querySelectorAll("table[data-sortable], table[data-filterable]")) {
  const body = table.tBodies[0];
  const limit = body.rows.length;
  const data = document.getElementById(`${table.id}-more`);
  let rows = [...body.rows];
  let isWhole = !data;
  let isOpen = !data;
  let apply = () => body.append(...rows);
  const whole = () => {
    if (isWhole) return;
    isWhole = true;
    rows = rows.concat(JSON.parse(data.textContent).map((cells) => rowOf(cells, rows[0])));
  };

  if (table.dataset.sortable !== undefined) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        whole();
        const first = head.classList.contains("n") ? "descending" : "ascending";
        const other = first === "ascending" ? "descending" : "ascending";
        const order = head.getAttribute("aria-sort") === first ? other : first;
        heads.forEach((each) => each.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        rows.sort((a, b) => sign * compare(valueOf(a.cells[column]), valueOf(b.cells[column])));
        apply();
      });
    });
  }
  if (table.dataset.filterable === undefined) continue;

  const bar = document.createElement("div");
  const label = document.createElement("label");
  const input = document.createElement("input");
  const select = document.createElement("select");
  const button = document.createElement("button");
  const shown = document.createElement("output");
  bar.className = "filter";
  label.textContent = "Filter";
  input.type = "search";
  input.autocomplete = "off";
  input.id = label.htmlFor = `${table.id}-filter`;
  shown.htmlFor.add(input.id);
  bar.append(label, input);
  if (table.dataset.packages !== undefined) {
    select.setAttribute("aria-label", "Package");
    select.add(new Option("all packages", ""));
    // Options are made when somebody looks: a large heap has a thousand.
    const fill = () => {
      if (select.options.length > 1) return;
      whole();
      for (const [, text, value] of packagesOf(rows)) select.add(new Option(text, value));
    };
    for (const event of ["pointerdown", "focus", "keydown"]) select.addEventListener(event, fill);
    bar.append(select);
  }
  bar.append(shown);
  if (data) {
    button.type = "button";
    button.textContent = "Show all rows";
    button.addEventListener("click", () => {
      isOpen = true;
      button.remove();
      apply();
    });
    bar.append(button);
  }
  table.parentElement.before(bar);
  apply = () => {
    whole();
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const [kind, wanted] = [select.value[0], select.value.slice(1)];
    const inPackage = (row) => {
      const own = packageOf(row);
      return !kind || own === wanted || (kind === "<" && own.startsWith(`${wanted}.`));
    };
    const found = rows.filter((row) => {
      const text = row.textContent.toLowerCase();
      return words.every((word) => text.includes(word)) && inPackage(row);
    });
    const isFiltered = words.length > 0 || Boolean(kind);
    const visible = isOpen ? found : found.slice(0, isFiltered ? MATCHES : limit);
    body.replaceChildren(...visible);
    const more = visible.length < found.length && isFiltered ? `, the first ${counted(visible.length)} shown` : "";
    shown.textContent = isFiltered ? `${counted(found.length)} of ${counted(rows.length)} rows${more}` : "";
  };
  input.addEventListener("input", () => apply());
  select.addEventListener("change", () => apply());
}

// Contents: what is read now is marked, and what is folded opens when it is asked for.
const links = [...document.querySelectorAll(".contents a")];
const placeOf = (link) => document.getElementById(decodeURIComponent(link.hash.slice(1)));
if (links.length) {
  const heads = links.map((link) => {
    const target = placeOf(link);
    return target && (target.closest("details.fold") || target);
  });
  let isAsked = false;
  const follow = () => {
    isAsked = false;
    let now = 0;
    heads.forEach((head, place) => {
      if (head && head.getBoundingClientRect().top <= innerHeight / 4) now = place;
    });
    if (innerHeight + scrollY >= document.documentElement.scrollHeight - 2 && scrollY > 0) now = links.length - 1;
    links.forEach((link, place) => {
      if (place === now) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  };
  const ask = () => {
    if (!isAsked) requestAnimationFrame(follow);
    isAsked = true;
  };
  addEventListener("scroll", ask, { passive: true });
  addEventListener("resize", ask);
  for (const link of links) {
    link.addEventListener("click", () => {
      const folded = placeOf(link)?.closest("details.fold");
      if (folded) folded.open = true;
    });
  }
  follow();
}

addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details[data-print]:not([open])")) {
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
