/* Start everything; theme, copying, the current section. */
function startTheme() {
  const select = document.getElementById("theme");
  const redraw = () => { drawLegend(); drawCharts(); };
  select.addEventListener("change", () => { document.documentElement.dataset.theme = select.value; redraw(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  PAPER.addEventListener("change", redraw);
}

function startCopying() {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const told = button.textContent;
    button.addEventListener("click", () => {
      const source = document.getElementById(button.dataset.copy);
      const range = document.createRange();
      range.selectNodeContents(source);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected; press Ctrl+C";
      setTimeout(() => { button.textContent = told; }, 2000);
    });
  }
}

function startNavigation() {
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const id of links.keys()) seen.observe(document.getElementById(id));
}

startTheme();
drawLegend();
drawCharts();
startTables();
startExplorer();
startCompare();
startKeys();
startCopying();
startNavigation();
document.documentElement.dataset.ready = String(Math.round(performance.now()));
