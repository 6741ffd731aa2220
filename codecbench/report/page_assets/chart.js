/* Charts of each metric over the bitrate; points open the player. */
const CHART = { width: 380, height: 250, left: 40, right: 12, top: 12, bottom: 34 };
const RATE_TICKS = [0.25, 0.5, 1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256];
const hiddenCodecs = new Set();

function niceTicks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) ticks.push(Number(tick.toPrecision(12)));
  return ticks;
}

function drawLegend() {
  const literature = [...new Map(DATA.published.map((item) => [item.codec, item])).values()].filter((item) => !CODECS.some((codec) => codec.codec === item.codec));
  document.getElementById("legend").replaceChildren(
    ...[...CODECS, ...literature].map((item) => {
      const colour = colourOf(item);
      const hollow = item.label === undefined;
      const sample = make("svg:svg", { viewBox: "0 0 34 14", "aria-hidden": "true" },
        hollow ? "" : make("svg:line", { x1: 1, x2: 33, y1: 7, y2: 7, stroke: colour, "stroke-width": item.own ? 3 : 1.8, "stroke-dasharray": item.truth ? "1.6 2" : DASHES[item.dashes] }),
        item.truth ? "" : make("svg:path", { d: markerPath(item.marker, 4.5), transform: "translate(17 7)", fill: hollow ? "none" : colour, stroke: colour, "stroke-width": 1.4 }));
      return make("button", {
        type: "button", "aria-pressed": String(!hiddenCodecs.has(item.codec)),
        onclick: (event) => {
          hiddenCodecs[hiddenCodecs.has(item.codec) ? "delete" : "add"](item.codec);
          event.currentTarget.setAttribute("aria-pressed", String(!hiddenCodecs.has(item.codec)));
          drawCharts();
        },
      }, sample, item.codec);
    }));
}

function drawCharts() {
  document.getElementById("charts").replaceChildren(...DATA.metrics.map(drawChart));
}

/** The points of one metric that are shown: measured ones with limits, then published ones. */
function chartItems(metric) {
  const rows = DATA.summary[metric.name];
  const own = DATA.points.map((point, index) => ({ ...point, index, row: rows[index] }))
    .filter((item) => item.row[0] !== null && !hiddenCodecs.has(item.codec));
  const published = DATA.published.filter((item) => item.metric === metric.name && !hiddenCodecs.has(item.codec));
  return { truth: own.filter((item) => item.truth), measured: own.filter((item) => !item.truth && item.kbps !== null), published };
}

function drawChart(metric) {
  const { truth, measured, published } = chartItems(metric);
  const box = make("div", { class: "chart" });
  box.append(make("h3", {}, metric.label, make("small", {}, `${metric.unit ? `${metric.unit}, ` : ""}${metric.higher ? "higher" : "lower"} is better`)));
  const rates = [...measured, ...published].map((item) => item.kbps);
  const values = [...measured.flatMap((item) => item.row.slice(0, 3)), ...truth.map((item) => item.row[0]), ...published.map((item) => item.mean)].filter((value) => value !== null);
  const svg = make("svg:svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, role: "group", "aria-label": `${metric.label} over bitrate` });
  box.append(svg);
  if (!values.length) {
    svg.append(make("svg:text", { x: CHART.width / 2, y: CHART.height / 2, "text-anchor": "middle" }, "no score"));
    return box;
  }
  const scale = scales(rates, values);
  svg.append(...axes(scale, rates));
  for (const item of truth) svg.append(make("svg:line", { x1: CHART.left, x2: CHART.width - CHART.right, y1: scale.y(item.row[0]), y2: scale.y(item.row[0]), stroke: colourOf(item), "stroke-dasharray": "1.6 3", "stroke-width": 1.4 }));
  for (const codec of CODECS) {
    const curve = measured.filter((item) => item.codec === codec.codec).sort((a, b) => a.kbps - b.kbps);
    if (curve.length > 1) svg.append(make("svg:polyline", { points: curve.map((item) => `${scale.x(item.kbps)},${scale.y(item.row[0])}`).join(" "), fill: "none", stroke: colourOf(codec), "stroke-width": codec.own ? 2.6 : 1.6, "stroke-dasharray": DASHES[codec.dashes] }));
  }
  for (const item of published) svg.append(publishedPoint(item, metric, scale));
  const points = measured.map((item) => measuredPoint(item, metric, scale));
  if (points.length) points[0].setAttribute("tabindex", "0");
  svg.append(...points);
  svg.addEventListener("keydown", (event) => moveFocus(event, points));
  return box;
}

function scales(rates, values) {
  const [least, most] = rates.length ? [Math.min(...rates) / 1.25, Math.max(...rates) * 1.25] : [1, 32];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = (high - low || 1) * 0.06;
  const [from, to] = [low - margin, high + margin];
  return {
    least, most, from, to,
    x: (kbps) => CHART.left + (Math.log(kbps / least) / Math.log(most / least)) * (CHART.width - CHART.left - CHART.right),
    y: (value) => CHART.height - CHART.bottom - ((value - from) / (to - from)) * (CHART.height - CHART.top - CHART.bottom),
  };
}

function axes(scale) {
  const parts = [];
  for (const tick of niceTicks(scale.from, scale.to, 5)) {
    parts.push(make("svg:line", { class: "gridline", x1: CHART.left, x2: CHART.width - CHART.right, y1: scale.y(tick), y2: scale.y(tick) }));
    parts.push(make("svg:text", { x: CHART.left - 6, y: scale.y(tick) + 4, "text-anchor": "end" }, String(tick).replace("-", "\u2212")));
  }
  for (const tick of RATE_TICKS.filter((rate) => rate >= scale.least && rate <= scale.most)) {
    parts.push(make("svg:line", { class: "gridline", x1: scale.x(tick), x2: scale.x(tick), y1: CHART.height - CHART.bottom, y2: CHART.height - CHART.bottom + 4 }));
    parts.push(make("svg:text", { x: scale.x(tick), y: CHART.height - CHART.bottom + 16, "text-anchor": "middle" }, String(tick)));
  }
  parts.push(make("svg:text", { x: CHART.width - CHART.right, y: CHART.height - 4, "text-anchor": "end" }, "kbit/s"));
  return parts;
}

function measuredPoint(item, metric, scale) {
  const [mean, low, high, n] = item.row;
  const colour = colourOf(item);
  const text = `${item.label}: ${metric.label} ${printed(mean, metric.digits)} ${interval(low, high, metric.digits)}\n${item.kbps.toFixed(2)} kbit/s${item.declared ? " declared, not measured" : ""}, n = ${n}${item.failures ? `, ${item.failures} failed` : ""}`;
  const open = () => openPoint(item.index, metric.name);
  const group = make("svg:g", {
    class: "point", role: "button", tabindex: "-1", "aria-label": text, "data-point": item.label, transform: `translate(${scale.x(item.kbps)} 0)`, style: { color: colour },
    onclick: open,
    onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(); } },
  });
  if (low !== null && high !== null) {
    group.append(make("svg:path", { d: `M0 ${scale.y(low)}V${scale.y(high)}M-2.5 ${scale.y(low)}h5M-2.5 ${scale.y(high)}h5`, stroke: colour, "stroke-width": 1.2, fill: "none" }));
  }
  const at = `translate(0 ${scale.y(mean)})`;
  group.append(
    make("svg:circle", { class: "hit", r: 11, transform: at }),
    make("svg:circle", { class: "halo", r: 10, transform: at }),
    item.declared ? make("svg:circle", { r: 8, transform: at, fill: "none", stroke: colour, "stroke-width": 1.2 }) : "",
    make("svg:path", { d: markerPath(item.marker, item.own ? 5.5 : 4), transform: at, fill: colour, stroke: "var(--ground)", "stroke-width": 1 }));
  return withTip(group, text);
}

function publishedPoint(item, metric, scale) {
  const colour = colourOf(item);
  const mark = make("svg:path", { d: markerPath(item.marker, 4), transform: `translate(${scale.x(item.kbps)} ${scale.y(item.mean)})`, fill: "var(--ground)", stroke: colour, "stroke-width": 1.4, "pointer-events": "all" });
  return withTip(mark, `${item.codec}, published: ${metric.label} ${printed(item.mean, metric.digits)}\n${item.kbps.toFixed(2)} kbit/s, ${item.source}\n${item.dataset}`);
}

function moveFocus(event, points) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const at = points.indexOf(event.target.closest(".point"));
  if (!step || at < 0) return;
  event.preventDefault();
  const next = points[(at + step + points.length) % points.length];
  for (const point of points) point.setAttribute("tabindex", point === next ? "0" : "-1");
  next.focus({ preventScroll: true });
}
