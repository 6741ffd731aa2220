/* Shared by all parts: the data, making elements, colours, numbers.  Text enters the page as text only. */
const DATA = JSON.parse(document.getElementById("data").textContent);
const METRICS = new Map(DATA.metrics.map((metric) => [metric.name, metric]));
const PARTS = new Map();
const asked = new Map();
const SVG = "http://www.w3.org/2000/svg";

/** Take over a part of the data; the files beside the page call it with what they hold. */
function deliver(name, value) {
  PARTS.set(name, value);
}

/** Say whether a part is here; one that the page holds inside is read when it is asked for. */
function has(name) {
  const inside = PARTS.has(name) ? null : document.getElementById(`part-${name}`);
  if (inside) deliver(name, JSON.parse(inside.textContent));
  return PARTS.has(name);
}

/** Load a part from its file, once: as a script, for a page opened from a file may load no data. */
function load(name) {
  if (!asked.has(name)) {
    asked.set(name, new Promise((resolve, reject) => {
      document.head.append(make("script", { src: `data/${name}.js`, onload: resolve, onerror: reject }));
    }));
  }
  return asked.get(name);
}

/** Act once these parts are here, at once where they are; ``failed`` is called where a file is missing. */
function withParts(names, act, failed) {
  const missing = names.filter((name) => !has(name));
  if (missing.length) Promise.all(missing.map(load)).then(act, failed);
  else act();
}

/** The parts that a table of utterances with the scores of a metric needs. */
const partsOf = (metric) => ["utterances", `scores-${[...METRICS.keys()].indexOf(metric)}`];

/** Utterances, clips and failures, and a metric's scores by point and utterance, once `withParts` has them. */
const utterances = () => PARTS.get("utterances").listed;
const clipsOf = (index) => PARTS.get("utterances").audio[index];
const isFailed = (point, index) => PARTS.get("utterances").failed.includes(`${point} ${index}`);
const scoresOf = (metric) => PARTS.get(partsOf(metric)[1]);

/** Make an element with attributes and children; strings become text nodes. */
function make(tag, attributes = {}, ...children) {
  const element = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Print a score with its metric's decimals; a dash where it is missing. */
function printed(value, digits) {
  return value === null || value === undefined ? "\u2014" : value.toFixed(digits).replace(/^-(0(\.0*)?)$/, "$1").replace("-", "\u2212");
}

function interval(low, high, digits) {
  return low === null || high === null ? "" : `[${printed(low, digits)}, ${printed(high, digits)}]`;
}

/* Paper is light, whatever the screen: page.css keeps its dark colours to screens. */
const PAPER = matchMedia("print");

function isDark() {
  if (PAPER.matches) return false;
  const theme = document.documentElement.dataset.theme;
  return theme === "dark" || (theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
}

const colourOf = (item) => (isDark() ? item.dark : item.colour);
const DASHES = ["", "6 2", "1.6 2", "6 2 1.6 2"];

/** Path data of a marker of about the given radius around the origin, in the order of the printed figures. */
function markerPath(number, r) {
  const polygon = (points) => `M${points.map(([x, y]) => `${(x * r).toFixed(2)} ${(y * r).toFixed(2)}`).join("L")}Z`;
  const star = [...Array(10).keys()].map((i) => {
    const radius = i % 2 ? 0.6 : 1.5;
    return [radius * Math.sin((i * Math.PI) / 5), -radius * Math.cos((i * Math.PI) / 5)];
  });
  const shapes = [
    null,
    polygon([[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]),
    polygon([[0, -1.1], [1.1, 0.9], [-1.1, 0.9]]),
    polygon([[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]]),
    polygon([[0, 1.1], [1.1, -0.9], [-1.1, -0.9]]),
    polygon([[-0.4, -1.1], [0.4, -1.1], [0.4, -0.4], [1.1, -0.4], [1.1, 0.4], [0.4, 0.4], [0.4, 1.1], [-0.4, 1.1], [-0.4, 0.4], [-1.1, 0.4], [-1.1, -0.4], [-0.4, -0.4]]),
    polygon([[-1, -0.5], [-0.5, -1], [0, -0.5], [0.5, -1], [1, -0.5], [0.5, 0], [1, 0.5], [0.5, 1], [0, 0.5], [-0.5, 1], [-1, 0.5], [-0.5, 0]]),
    polygon([[-1.1, 0], [0.9, -1.1], [0.9, 1.1]]),
    polygon([[1.1, 0], [-0.9, -1.1], [-0.9, 1.1]]),
    polygon(star),
  ];
  return shapes[number] || `M${-r} 0A${r} ${r} 0 1 0 ${r} 0A${r} ${r} 0 1 0 ${-r} 0Z`;
}

/** Codecs in the order of the points, each with how it is drawn. */
const CODECS = [...new Map(DATA.points.map((point) => [point.codec, point])).values()];

/** Indices of one point of each codec, the nearest to a rate within a third of it; null takes all points. */
function pointsNear(rate) {
  const real = DATA.points.map((point, index) => ({ ...point, index })).filter((point) => !point.truth && point.kbps !== null);
  if (rate === null) return real.map((point) => point.index);
  const chosen = new Map();
  for (const point of real) {
    const distance = Math.abs(Math.log(point.kbps / rate));
    if (distance <= Math.log(4 / 3) && !(chosen.get(point.codec)?.distance <= distance)) chosen.set(point.codec, { ...point, distance });
  }
  return [...chosen.values()].map((point) => point.index);
}

function fillSelect(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => make("option", { value, selected: value === chosen }, text)));
}

function metricOptions() {
  return DATA.metrics.map((metric) => [metric.name, metric.label]);
}

/** Show a note near a place of the page, for pointer and keyboard alike. */
function tip(text, element) {
  const box = document.getElementById("tip");
  box.hidden = !text;
  if (!text) return;
  box.textContent = text;
  const at = element.getBoundingClientRect();
  const left = Math.min(at.right + 10, document.documentElement.clientWidth - box.offsetWidth - 8);
  box.style.left = `${Math.max(8, left) + scrollX}px`;
  box.style.top = `${Math.max(4, at.top - box.offsetHeight - 6) + scrollY}px`;
}

function withTip(element, text) {
  for (const event of ["pointerenter", "focus"]) element.addEventListener(event, () => tip(text, element));
  for (const event of ["pointerleave", "blur"]) element.addEventListener(event, () => tip("", element));
  return element;
}
