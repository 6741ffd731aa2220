/* The table by bitrate: sorting within the bands, filtering by name, intervals. */

/** Compare two cell values as numbers where both are, missing ones last whatever the direction. */
function compareValues(a, b, direction) {
  const [x, y] = [a, b].map((value) => (value === null || value === "" || value === "nan" ? null : Number.isNaN(Number(value)) ? value : Number(value)));
  if (x === null || y === null) return (x === null) - (y === null);
  const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
  return direction * order;
}

/** Turn the sort state of a heading, first to where its best stand above; return +1 or -1. */
function turn(heading, first) {
  const before = { ascending: 1, descending: -1 }[heading.getAttribute("aria-sort")];
  const direction = before ? -before : first;
  for (const other of heading.parentElement.children) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
  return direction;
}

function startTables() {
  const table = document.getElementById("results");
  table.querySelector("thead").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-column]");
    if (!button) return;
    const direction = turn(button.closest("th"), button.dataset.best ? -1 : 1);
    const column = Number(button.dataset.column);
    for (const body of table.tBodies) {
      const rows = [...body.querySelectorAll("tr.row")];
      rows.sort((a, b) => compareValues(a.cells[column].dataset.value, b.cells[column].dataset.value, direction));
      body.append(...rows);
    }
  });
  document.getElementById("filter").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const body of table.tBodies) {
      const rows = [...body.querySelectorAll("tr.row")];
      for (const row of rows) row.hidden = words.length > 0 && !words.some((word) => row.dataset.label.toLowerCase().includes(word));
      body.hidden = rows.every((row) => row.hidden);
    }
    document.getElementById("no-hit").hidden = [...table.tBodies].some((body) => !body.hidden);
  });
  document.getElementById("limits")?.addEventListener("change", (event) => table.classList.toggle("with-limits", event.target.checked));
  table.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-open]");
    if (button) openPoint(DATA.points.findIndex((point) => point.label === button.dataset.open), DATA.metrics[0].name);
  });
}
