/* The table of utterances, a page at a time, and the best, median and worst clips of each codec. */
const PAGE_ROWS = 20;
const explorer = { order: [], page: 0, column: null, direction: 1, rate: null };

const LOST = "The scores of single utterances cannot be loaded: they lie in the folder data beside this page, which must stay with it. A report made with --single-file holds them inside.";

const chosenMetric = () => document.getElementById("metric").value;
const chosenPoints = () => pointsNear(explorer.rate);

/** The rates to compare at: those of the own model, and a doubling series within the range measured. */
function rateChoices() {
  const real = DATA.points.filter((point) => !point.truth && point.kbps !== null);
  if (!real.length) return [];
  const [low, high] = [Math.min(...real.map((point) => point.kbps)), Math.max(...real.map((point) => point.kbps))];
  const series = [0.75, 1.5, 3, 6, 8, 12, 16, 24, 32, 64].filter((rate) => rate >= low * 0.8 && rate <= high * 1.25);
  const own = real.filter((point) => point.own).map((point) => Math.round(point.kbps * 10) / 10);
  return [...new Set([...series, ...own])].filter((rate) => pointsNear(rate).length > 0).sort((a, b) => a - b);
}

function startExplorer() {
  const rates = rateChoices();
  const own = DATA.points.find((point) => point.own && point.kbps !== null);
  const fullest = [...rates].sort((a, b) => pointsNear(b).length - pointsNear(a).length || Math.abs(Math.log(a / 6)) - Math.abs(Math.log(b / 6)))[0];
  explorer.rate = own ? Math.round(own.kbps * 10) / 10 : fullest ?? null;
  if (DATA.points.length <= 9 || pointsNear(explorer.rate).length < 2) explorer.rate = null;
  fillSelect(document.getElementById("rate"), [["", "all points"], ...rates.map((rate) => [String(rate), `about ${rate} kbit/s`])], explorer.rate === null ? "" : String(explorer.rate));
  fillSelect(document.getElementById("metric"), metricOptions(), DATA.metrics[0].name);
  fillSelect(document.getElementById("extremes-metric"), metricOptions(), DATA.metrics[0].name);
  document.getElementById("rate").addEventListener("change", (event) => { explorer.rate = event.target.value === "" ? null : Number(event.target.value); explorer.column = null; whenScored(rearrange); });
  document.getElementById("metric").addEventListener("change", () => whenScored(rearrange));
  document.getElementById("find").addEventListener("input", () => whenScored(arrange));
  document.getElementById("audible")?.addEventListener("change", () => whenScored(arrange));
  document.getElementById("extremes-metric").addEventListener("change", drawExtremes);
  document.getElementById("extremes-audible")?.addEventListener("change", drawExtremes);
  onSight("listen", () => whenScored(showFirst));
  onSight("extremes", drawExtremes);
}

/** Act when a section comes near, at once where the page holds all that it shows. */
function onSight(id, act) {
  if (has("utterances")) { act(); return; }
  const near = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    near.disconnect();
    act();
  }, { rootMargin: "50% 0px" });
  near.observe(document.getElementById(id));
}

/** Act once the scores of the chosen metric are here, unless another was chosen meanwhile. */
function whenScored(act) {
  const metric = chosenMetric();
  const pager = document.getElementById("pager");
  if (!partsOf(metric).every(has)) pager.replaceChildren(make("span", { role: "status" }, "Loading\u2026"));
  withParts(partsOf(metric), () => { if (chosenMetric() === metric) act(); },
    () => pager.replaceChildren(make("span", { role: "alert" }, LOST)));
}

/** Show the first utterance, unless one was opened before the section came near. */
function showFirst() {
  arrange();
  if (player.utterance === null && utterances().length) showUtterance(explorer.order[0] ?? 0, chosenPoints(), null, chosenMetric());
  drawRows();
}

function rearrange() {
  arrange();
  reshow();
}

/** Filter and sort the utterances, then draw the first page. */
function arrange() {
  const words = document.getElementById("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const audible = document.getElementById("audible")?.checked;
  explorer.order = [...utterances().keys()].filter((index) => {
    const [id, speaker] = utterances()[index];
    const text = `${id} ${speaker}`.toLowerCase();
    return (!audible || clipsOf(index)) && words.every((word) => text.includes(word));
  });
  const value = columnValue(explorer.column);
  if (value) explorer.order.sort((a, b) => compareValues(value(a), value(b), explorer.direction));
  explorer.page = 0;
  drawRows();
}

function columnValue(column) {
  if (column === null) return null;
  if (typeof column === "string") {
    const place = { id: 0, speaker: 1, seconds: 2 }[column];
    return (index) => utterances()[index][place];
  }
  return (index) => scoresOf(chosenMetric())[column][index] ?? null;
}

function drawRows() {
  const metric = METRICS.get(chosenMetric());
  const shown = chosenPoints();
  const first = explorer.page * PAGE_ROWS;
  const rows = explorer.order.slice(first, first + PAGE_ROWS);
  const heading = (column, text, kind) => make("th", { scope: "col", class: kind, "aria-sort": explorer.column === column ? (explorer.direction > 0 ? "ascending" : "descending") : null },
    make("button", { type: "button", onclick: () => sortBy(column) }, text));
  const head = make("thead", {}, make("tr", {}, heading("id", "Utterance", "name"), heading("speaker", "Speaker", ""), heading("seconds", "Seconds", "number"),
    ...shown.map((index) => heading(index, DATA.points[index].label, "number"))));
  const body = make("tbody", {}, ...rows.map((index) => {
    const [id, speaker, seconds] = utterances()[index];
    return make("tr", { class: index === player.utterance ? "row current" : "row" },
      make("th", { scope: "row", class: "name" }, make("button", { type: "button", class: "open", onclick: () => openUtterance(index, null) }, `${clipsOf(index) ? "\u25B6\uFE0E " : ""}${id}`)),
      make("td", {}, speaker), make("td", { class: "number" }, seconds.toFixed(1)),
      ...shown.map((point) => {
        const value = scoresOf(metric.name)[point][index];
        return make("td", { class: value === null || value === undefined ? "number missing" : "number" }, printed(value, metric.digits));
      }));
  }));
  document.getElementById("utterances").replaceChildren(head, body);
  drawPager(first, rows.length);
}

function sortBy(column) {
  const best = typeof column === "number" && METRICS.get(chosenMetric()).higher ? -1 : 1;
  explorer.direction = explorer.column === column ? -explorer.direction : best;
  explorer.column = column;
  whenScored(arrange);
}

function drawPager(first, count) {
  const total = explorer.order.length;
  const go = (step) => () => { explorer.page += step; drawRows(); };
  document.getElementById("pager").replaceChildren(
    make("span", {}, total ? `${first + 1}\u2013${first + count} of ${total}` : "no utterance matches"),
    make("button", { type: "button", disabled: explorer.page === 0, onclick: go(-1) }, "Previous"),
    make("button", { type: "button", disabled: first + count >= total, onclick: go(1) }, "Next"));
}

/** Play an utterance; show the page of the table it stands on. */
function openUtterance(index, point) {
  const place = explorer.order.indexOf(index);
  if (place >= 0) explorer.page = Math.floor(place / PAGE_ROWS);
  showUtterance(index, chosenPoints(), point, chosenMetric());
  drawRows();
  document.getElementById("listen").scrollIntoView({ block: "start" });
  document.querySelector("#player .track[aria-checked=true]")?.focus({ preventScroll: true });
}

function reshow() {
  if (player.utterance !== null) showUtterance(player.utterance, chosenPoints(), player.tracks[player.active]?.index ?? null, chosenMetric());
}

function stepUtterance(step) {
  const place = explorer.order.indexOf(player.utterance);
  const next = explorer.order[place + step];
  if (next !== undefined) openUtterance(next, player.tracks[player.active]?.index ?? null);
}

/** Utterances in the order of a point's scores, worst first; only audible ones where asked. */
function ranking(point, metric, audible) {
  const entry = METRICS.get(metric);
  return scoresOf(metric)[point].map((value, index) => [value, index]).filter(([value, index]) => value !== null && (!audible || clipsOf(index)?.at[point]))
    .sort((a, b) => (entry.higher ? a[0] - b[0] : b[0] - a[0])).map(([, index]) => index);
}

/** Open a point of a chart: its median clip among those that can be heard. */
function openPoint(point, metric) {
  document.getElementById("metric").value = metric;
  if (!DATA.points[point].truth && !chosenPoints().includes(point)) {
    const near = rateChoices().filter((rate) => pointsNear(rate).includes(point));
    explorer.rate = near.length ? near[0] : null;
    document.getElementById("rate").value = explorer.rate === null ? "" : String(explorer.rate);
    explorer.column = null;
  }
  whenScored(() => {
    const audible = ranking(point, metric, true);
    const order = audible.length ? audible : ranking(point, metric, false);
    arrange();
    openUtterance(order[Math.floor(order.length / 2)] ?? explorer.order[0] ?? 0, DATA.points[point].truth ? null : point);
  });
}

function drawExtremes() {
  const table = document.getElementById("extremes-table");
  const chosen = document.getElementById("extremes-metric").value;
  withParts(partsOf(chosen), () => { if (document.getElementById("extremes-metric").value === chosen) table.replaceChildren(...extremesOf(METRICS.get(chosen))); },
    () => table.replaceChildren(make("tbody", {}, make("tr", {}, make("td", {}, LOST)))));
}

/** Head and body of the table of the best, median and worst clips. */
function extremesOf(metric) {
  const audible = Boolean(document.getElementById("extremes-audible")?.checked);
  const cell = (point, index) => {
    if (index === undefined) return make("td", { class: "missing" }, "\u2014");
    const value = scoresOf(metric.name)[point][index];
    return make("td", {}, make("button", { type: "button", class: "open", onclick: () => { document.getElementById("metric").value = metric.name; arrange(); openUtterance(index, point); } },
      `${printed(value, metric.digits)}  ${utterances()[index][0]}`));
  };
  const head = make("thead", {}, make("tr", {}, ...["Codec", "Best", "Median", "Worst", "Second worst"].map((text, place) => make("th", { scope: "col", class: place ? "" : "name" }, text))));
  const body = make("tbody", {}, ...DATA.points.map((point, number) => {
    if (point.truth) return null;
    const order = ranking(number, metric.name, audible);
    return make("tr", { class: point.own ? "row own" : "row" }, make("th", { scope: "row", class: "name" }, point.label),
      cell(number, order.at(-1)), cell(number, order[Math.floor(order.length / 2)]), cell(number, order[0]), cell(number, order.length > 3 ? order[1] : undefined));
  }).filter(Boolean));
  return [head, body];
}
