/* One utterance, the reference and the codecs side by side: switching keeps the place while playing. */
const player = { utterance: null, tracks: [], active: 0, looping: false, switching: 0 };

/** Show an utterance at the given points; ``wanted`` is the point to make active, or null for the reference. */
function showUtterance(utterance, indices, wanted, metric) {
  stopAll();
  const clips = clipsOf(utterance);
  const shown = wanted !== null && !indices.includes(wanted) ? [wanted, ...indices] : indices;
  player.utterance = utterance;
  player.tracks = [
    { label: "reference", value: "", source: clips?.ref },
    ...shown.map((index) => ({ label: DATA.points[index].label, index, source: clips?.at[index], value: trackValue(index, utterance, metric) })),
  ];
  for (const track of player.tracks) {
    if (!track.source) continue;
    track.audio = new Audio();
    track.audio.preload = "auto";
    track.audio.src = track.source[0];
    track.audio.addEventListener("ended", onEnded);
  }
  const place = player.tracks.findIndex((track) => track.index === wanted && track.audio);
  player.active = Math.max(0, place);
  drawPlayer();
}

function trackValue(index, utterance, metric) {
  const entry = METRICS.get(metric);
  return `${entry.label} ${printed(scoresOf(metric)[index][utterance], entry.digits)}`;
}

function drawPlayer() {
  const box = document.getElementById("player");
  const [id, speaker, seconds] = utterances()[player.utterance];
  const audible = player.tracks.some((track) => track.audio);
  const tracks = make("div", { class: "tracks", role: "radiogroup", "aria-label": "Versions" }, ...player.tracks.map(drawTrack));
  box.replaceChildren(
    make("h3", { id: "playing" }, id),
    make("p", { class: "hint" }, `speaker ${speaker}, ${seconds} s`),
    audible ? transport() : make("p", { class: "hint" }, "No audio was kept of this utterance; run with --audio all to keep every clip."),
    tracks,
    audible ? make("p", { class: "keys" }, "Keys: space plays and pauses, 1\u20139 switch, arrow keys move by a second, N and P go to the next and previous utterance.") : "");
  follow();
}

function drawTrack(track, number) {
  const button = make("button", {
    type: "button", class: "track", role: "radio", "aria-checked": String(number === player.active), disabled: !track.audio, "data-track": track.label,
    onclick: () => choose(number),
  }, make("span", { class: "head" }, make("span", { class: "title" }, track.label), make("span", { class: "value" }, track.value), number < 9 ? make("kbd", {}, String(number + 1)) : ""));
  if (track.source) {
    track.cursor = make("i");
    button.append(make("span", { class: "spectrum" }, make("img", { src: track.source[1], alt: `Spectrogram of ${track.label}`, decoding: "async" }), track.cursor));
    track.cursor.hidden = true;
  } else button.append(make("span", { class: "value" }, isFailed(track.index, player.utterance) ? "not decoded, see failures" : "no audio kept"));
  return button;
}

function transport() {
  return make("div", { class: "transport" },
    make("button", { type: "button", class: "play", id: "play", onclick: toggle }, "Play"),
    make("input", { type: "range", id: "seek", min: 0, max: 1, step: 0.001, value: 0, "aria-label": "Position", oninput: (event) => seek(Number(event.target.value) * length()) }),
    make("output", { id: "clock" }, "0.0 / 0.0 s"),
    make("label", { class: "check" }, make("input", { type: "checkbox", checked: player.looping, onchange: (event) => { player.looping = event.target.checked; } }), " repeat"));
}

const current = () => player.tracks[player.active]?.audio;
const isPlaying = () => Boolean(current() && !current().paused);

function length() {
  const known = current()?.duration;
  return Number.isFinite(known) ? known : utterances()[player.utterance][2];
}

function seek(seconds) {
  if (current()) current().currentTime = Math.min(Math.max(0, seconds), length());
  follow();
}

function play() {
  const audio = current();
  if (!audio) return;
  if (audio.ended) audio.currentTime = 0;
  audio.muted = false;
  audio.play().then(follow, () => note("This clip cannot be played here; is the audio folder beside the page?"));
}

function toggle() {
  if (isPlaying()) { current().pause(); follow(); } else play();
}

/** Switch to another version at the same place; the old one is heard until the new one runs. */
function choose(number) {
  const [old, next] = [current(), player.tracks[number]?.audio];
  if (!next || number === player.active) return;
  const turn = ++player.switching;
  const running = old && !old.paused && !old.ended;
  next.currentTime = old ? old.currentTime : 0;
  player.active = number;
  for (const [index, button] of [...document.querySelectorAll("#player .track")].entries()) button.setAttribute("aria-checked", String(index === number));
  if (!running) { follow(); return; }
  next.muted = true;
  next.play().then(() => {
    if (turn !== player.switching) { next.pause(); return; }
    if (Math.abs(next.currentTime - old.currentTime) > 0.02) next.currentTime = old.currentTime;
    next.muted = false;
    for (const track of player.tracks) if (track.audio && track.audio !== next) track.audio.pause();
    follow();
  }, () => note("This clip cannot be played here; is the audio folder beside the page?"));
}

function onEnded(event) {
  if (event.target !== current()) return;
  if (player.looping) { event.target.currentTime = 0; play(); } else follow();
}

function stopAll() {
  player.switching += 1;
  for (const track of player.tracks) if (track.audio) { track.audio.pause(); track.audio.removeAttribute("src"); }
}

function note(text) {
  document.getElementById("clock").textContent = text;
}

/** Keep button, clock and cursors with the sound; runs by itself while playing. */
function follow() {
  const audio = current();
  const button = document.getElementById("play");
  if (!audio || !button) return;
  const share = Math.min(1, audio.currentTime / length());
  button.textContent = isPlaying() ? "Pause" : "Play";
  document.getElementById("seek").value = share;
  document.getElementById("clock").textContent = `${audio.currentTime.toFixed(1)} / ${length().toFixed(1)} s`;
  for (const [index, track] of player.tracks.entries()) {
    if (!track.cursor) continue;
    track.cursor.hidden = index !== player.active;
    track.cursor.style.left = `calc(${share * 100}% - 1px)`;
  }
  if (isPlaying() && !player.waiting) {
    player.waiting = true;
    requestAnimationFrame(() => { player.waiting = false; follow(); });
  }
}

function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=range]):not([type=checkbox]), select, textarea, .point")) return;
    const onButton = event.target.closest("button:not(.track), a, summary");
    if (event.key === " " && !onButton) toggle();
    else if (/^[1-9]$/.test(event.key)) choose(Number(event.key) - 1);
    else if (event.key === "ArrowLeft" && event.target.id !== "seek") seek((current()?.currentTime ?? 0) - 1);
    else if (event.key === "ArrowRight" && event.target.id !== "seek") seek((current()?.currentTime ?? 0) + 1);
    else if (event.key === "n" || event.key === "p") stepUtterance(event.key === "n" ? 1 : -1);
    else return;
    event.preventDefault();
  });
}
