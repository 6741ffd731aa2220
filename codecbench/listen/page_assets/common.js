const data = JSON.parse(document.getElementById("data").textContent);
const uuid = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const byId = (id) => document.getElementById(id);
const listener = () => byId("listener").value.trim();
const rows = [data.header];
let trials = [];
let place = 0;
let begun = 0;
let saved = true;

function make(kind, properties, ...children) {
  const element = Object.assign(document.createElement(kind), properties);
  element.append(...children);
  return element;
}

function shuffled(list) {
  const order = [...list];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

/** The clips of one trial: one plays at a time, and changing keeps the place in time. */
const player = {
  clips: {},
  heard: new Set(),
  changed: () => {},
  load(sources) {
    const heard = new Set();
    this.heard = heard;
    this.stop();
    this.clips = Object.fromEntries(Object.entries(sources).map(([name, source]) => {
      const audio = new Audio(source);
      audio.preload = "auto";
      audio.loop = true;
      audio.addEventListener("error", () => { byId("progress").textContent = `${source} cannot be played; please tell whoever asked you.`; });
      audio.addEventListener("playing", () => { heard.add(name); this.show(name); });
      return [name, audio];
    }));
  },
  play(name) {
    const from = Object.values(this.clips).find((audio) => !audio.paused);
    const next = this.clips[name];
    if (from === next) return;
    next.currentTime = from ? from.currentTime : 0;
    if (from) from.pause();
    next.play();
  },
  stop() {
    for (const audio of Object.values(this.clips)) audio.pause();
    this.show(null);
  },
  show(name) {
    for (const button of document.querySelectorAll("[data-clip]")) {
      button.setAttribute("aria-pressed", String(button.dataset.clip === name));
      button.classList.toggle("heard", this.heard.has(button.dataset.clip));
    }
    this.changed();
  },
};

function playButton(name, text) {
  const button = make("button", { type: "button", textContent: text });
  button.dataset.clip = name;
  button.addEventListener("click", () => player.play(name));
  return button;
}

function show(id) {
  for (const name of ["start", "test", "end"]) byId(name).hidden = name !== id;
}

function next() {
  player.stop();
  if (place === trials.length) { show("end"); return; }
  byId("progress").textContent = place === 0 ? "Training: get used to the sounds and the controls. This one does not count." : `${place} of ${trials.length - 1}`;
  render(trials[place]);
  begun = performance.now();
}

/** Keep the answers to this trial, each an array of cells, and go on. */
function answered(...answers) {
  const time = Math.round(performance.now() - begun);
  for (const cells of answers) rows.push([data.test, listener(), uuid, trials[place].trial, ...cells, time]);
  saved = false;
  place += 1;
  next();
}

byId("listener").addEventListener("input", () => { byId("begin").disabled = listener() === ""; });
byId("begin").addEventListener("click", () => {
  trials = [data.training, ...shuffled(data.trials)];
  show("test");
  next();
});
byId("save").addEventListener("click", () => {
  const quoted = (text) => `"${String(text).replaceAll('"', '""')}"`;
  const name = `${data.test}-${uuid.slice(0, 8)}.csv`;
  const text = rows.map((row) => row.map(quoted).join(",")).join("\n");
  make("a", { href: `data:text/csv;charset=utf-8,${encodeURIComponent(`${text}\n`)}`, download: name }).click();
  saved = true;
  byId("saved").textContent = `Saved as ${name} among your downloads.`;
});
window.addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });
document.addEventListener("keydown", (event) => {
  if (byId("test").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  const button = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (button && player.clips[button.dataset.clip]) player.play(button.dataset.clip);
  else if (key === " " && !event.target.closest("button")) player.stop();
  else return;
  event.preventDefault();
});
