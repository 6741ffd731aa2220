/* The significance matrix and the table of Bjontegaard deltas. */
const BANDS = [["", "all points"], ["own", "one a codec near the own model"], ...DATA.bands];

function pointsIn(band) {
  const own = DATA.points.find((point) => point.own && point.kbps !== null);
  if (band === "own") return own ? pointsNear(own.kbps) : [];
  return [...DATA.points.keys()].filter((index) => {
    const point = DATA.points[index];
    return !point.truth && point.kbps !== null && (!band || point.band === band);
  });
}

function startCompare() {
  fillSelect(document.getElementById("pairs-metric"), metricOptions(), DATA.metrics[0].name);
  fillSelect(document.getElementById("deltas-metric"), metricOptions(), DATA.metrics[0].name);
  const bands = BANDS.filter(([band]) => pointsIn(band).length > 1);
  fillSelect(document.getElementById("pairs-band"), bands, pointsIn("").length > 14 && bands.length > 1 ? bands[1][0] : "");
  const anchors = [...new Set(DATA.deltas.map((row) => row.anchor))];
  fillSelect(document.getElementById("deltas-anchor"), anchors.map((name) => [name, name]), anchors[0]);
  for (const id of ["pairs-metric", "pairs-band"]) document.getElementById(id).addEventListener("change", drawPairs);
  for (const id of ["deltas-metric", "deltas-anchor"]) document.getElementById(id).addEventListener("change", drawDeltas);
  drawPairs();
  drawDeltas();
}

function drawPairs() {
  const metric = METRICS.get(document.getElementById("pairs-metric").value);
  const shown = pointsIn(document.getElementById("pairs-band").value);
  const pairs = (DATA.pairs[metric.name] ?? []).filter(([a, b]) => shown.includes(a) && shown.includes(b))
    .map(([a, b, difference, low, high, n, p]) => ({ a, b, difference, low, high, n, p, corrected: null }));
  const family = holm(pairs);
  document.getElementById("family").textContent = `Holm-corrected over the ${family} pairs shown`;
  const weak = document.getElementById("weak");
  weak.hidden = !(family > 0 && (DATA.fewSpeakers || DATA.smallestP * family > 0.05));
  weak.textContent = DATA.fewSpeakers ? "Under six speakers nothing is said about significance." : `With this few speakers no p-value can fall below ${DATA.smallestP.toPrecision(2)}; after correction over ${family} pairs no difference can be significant. Show fewer points, or use more speakers.`;
  const found = new Map();
  for (const pair of pairs) {
    found.set(`${pair.a} ${pair.b}`, pair);
    const turned = (value) => (value === null ? null : -value);
    found.set(`${pair.b} ${pair.a}`, { ...pair, difference: turned(pair.difference), low: turned(pair.high), high: turned(pair.low) });
  }
  const head = make("thead", {}, make("tr", {}, make("th", { class: "name" }, ""), ...shown.map((index) => make("th", { scope: "col" }, DATA.points[index].label))));
  const body = make("tbody", {}, ...shown.map((row) => make("tr", { class: "row" }, make("th", { scope: "row", class: "name" }, DATA.points[row].label),
    ...shown.map((column) => pairCell(row, column, found.get(`${row} ${column}`), metric)))));
  document.getElementById("pairs").replaceChildren(...(shown.length > 1 ? [head, body] : [make("tbody", {}, make("tr", {}, make("td", {}, "Fewer than two points to compare.")))]));
}

function pairCell(row, column, pair, metric) {
  if (row === column) return make("td", { class: "self" });
  if (!pair || pair.corrected === null) return make("td", { class: "same" }, "\u2014");
  if (DATA.fewSpeakers) return withTip(make("td", { class: "same", tabindex: "0" }, "?"), `${DATA.points[row].label} less ${DATA.points[column].label}: ${metric.label} ${printed(pair.difference, metric.digits + 1)}\ntoo few speakers for a test, n = ${pair.n}`);
  const significant = pair.corrected <= 0.05;
  const better = pair.difference > 0 === metric.higher;
  const [kind, sign] = significant ? (better ? ["better", "\u25B2"] : ["worse", "\u25BC"]) : ["same", "n.s."];
  const text = `${DATA.points[row].label} less ${DATA.points[column].label}: ${metric.label} ${printed(pair.difference, metric.digits + 1)} ${interval(pair.low, pair.high, metric.digits + 1)}\np = ${pair.corrected < 0.001 ? pair.corrected.toExponential(1) : pair.corrected.toFixed(3)} after Holm, n = ${pair.n}`;
  return withTip(make("td", { class: kind, tabindex: "0", "aria-label": `${text} (${kind})` }, sign), text);
}

function drawDeltas() {
  const metric = METRICS.get(document.getElementById("deltas-metric").value);
  const anchor = document.getElementById("deltas-anchor").value;
  const rows = DATA.deltas.filter((row) => row.metric === metric.name && row.anchor === anchor);
  const table = document.getElementById("deltas");
  if (!rows.length) {
    table.replaceChildren(make("tbody", {}, make("tr", {}, make("td", { class: "reason" }, "No two codecs have three operating points each, which a rate-quality curve needs."))));
    return;
  }
  const heads = ["Codec", "BD-rate, pooled", "95 % interval", "BD-rate, mean of clips", "Clips", `Over ${metric.label}`, `BD-${metric.label}`, "95 % interval", "Over kbit/s", "Note"];
  const head = make("thead", {}, make("tr", {}, ...heads.map((text, place) => make("th", { scope: "col", class: place === 0 ? "name" : place < 9 ? "number" : "" }, text))));
  const percent = (value) => (value === null ? "\u2014" : `${value > 0 ? "+" : ""}${printed(value, 1)} %`);
  const body = make("tbody", {}, ...rows.map((row) => make("tr", { class: "row" },
    make("th", { scope: "row", class: "name" }, row.test),
    make("td", { class: `number ${sign(row.rate_low, row.rate_high, false)}` }, percent(row.rate)),
    make("td", { class: "number" }, row.rate_low === null ? "" : `[${percent(row.rate_low)}, ${percent(row.rate_high)}]`),
    make("td", { class: "number" }, percent(row.clip_rate)),
    make("td", { class: "number" }, `${row.rate_clips} of ${row.clips}`),
    make("td", { class: "number" }, span(row.rate_over_low, row.rate_over_high, metric.digits)),
    make("td", { class: `number ${sign(row.quality_low, row.quality_high, metric.higher)}` }, printed(row.quality, metric.digits)),
    make("td", { class: "number" }, interval(row.quality_low, row.quality_high, metric.digits)),
    make("td", { class: "number" }, span(row.quality_over_low, row.quality_over_high, 1)),
    make("td", { class: "reason" }, [...new Set([row.rate_reason && `rate: ${row.rate_reason}`, row.quality_reason && `quality: ${row.quality_reason}`].filter(Boolean))].join("; ")))));
  table.replaceChildren(head, body);
}

/** Print the range that a delta was integrated over; empty where there is none. */
function span(low, high, digits) {
  return low === null || high === null ? "" : `${printed(low, digits)}\u2013${printed(high, digits)}`;
}

/** Holm's step-down correction over the pairs shown; missing p-values take no part. */
function holm(pairs) {
  const known = pairs.filter((pair) => pair.p !== null).sort((a, b) => a.p - b.p);
  let largest = 0;
  known.forEach((pair, place) => {
    largest = Math.max(largest, Math.min(1, (known.length - place) * pair.p));
    pair.corrected = largest;
  });
  return known.length;
}

/** Colour only what the interval supports. */
function sign(low, high, higherIsBetter) {
  if (low === null || high === null || (low <= 0 && high >= 0)) return "";
  return low > 0 === higherIsBetter ? "better" : "worse";
}
