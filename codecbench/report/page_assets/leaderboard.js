/* A leaderboard's page: sorting by any column, filtering by name, the theme. */

/** Compare two cells' values; missing ones come last either way. */
function compare(a, b, direction) {
  const [x, y] = [Number(a), Number(b)];
  if (Number.isNaN(x) && Number.isNaN(y)) return direction * a.localeCompare(b, undefined, { numeric: true });
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
  return direction * (x - y);
}

for (const table of document.querySelectorAll("table.board")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = heading.querySelector("button");
    button.addEventListener("click", () => {
      const before = heading.getAttribute("aria-sort");
      const best = Number(button.dataset.best);
      const direction = before === null ? best : before === "ascending" ? -1 : 1;
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => compare(a.cells[column].dataset.value, b.cells[column].dataset.value, direction));
      table.tBodies[0].append(...rows);
    });
  });
}

const filter = document.getElementById("filter");
filter.addEventListener("input", () => {
  const wanted = filter.value.trim().toLowerCase();
  let shown = 0;
  for (const row of document.querySelectorAll("tr.row")) {
    row.hidden = !row.dataset.label.toLowerCase().includes(wanted);
    shown += row.hidden ? 0 : 1;
  }
  document.getElementById("found").textContent = shown === 0 ? "no codec of that name" : "";
});

document.getElementById("theme").addEventListener("change", (event) => {
  document.documentElement.dataset.theme = event.target.value;
});
