const WORDS = ["Bad", "Poor", "Fair", "Good", "Excellent"];

function rating(name, number, ready) {
  const slider = make("input", { type: "range", min: 0, max: 100, value: 50, className: "unset" });
  slider.dataset.stimulus = name;
  slider.setAttribute("aria-label", `Score of version ${number}`);
  const output = make("output", { textContent: "\u2013" });
  const set = () => { slider.className = ""; output.textContent = slider.value; ready(); };
  for (const event of ["input", "change", "pointerup"]) slider.addEventListener(event, set);
  const button = playButton(name, String(number));
  button.dataset.key = String(number);
  return { slider, row: make("div", { className: "rating" }, button, slider, output) };
}

function render(trial) {
  const go = make("button", { type: "button", id: "next", textContent: "Next", disabled: true });
  const missing = make("p", { className: "hint", role: "status" });
  const reference = playButton("open", "Reference");
  reference.dataset.key = "r";
  const ready = () => {
    const unheard = ratings.filter((item) => !player.heard.has(item.slider.dataset.stimulus)).length;
    const unset = ratings.filter((item) => item.slider.className === "unset").length;
    go.disabled = unheard + unset > 0;
    missing.textContent = go.disabled ? `Still to hear: ${unheard}, to rate: ${unset}.` : "";
  };
  const ratings = shuffled(Object.keys(trial.clips)).map((name, index) => rating(name, index + 1, ready));
  go.addEventListener("click", () => answered(...ratings.map((item) => [item.slider.dataset.stimulus, item.slider.value])));
  byId("trial").replaceChildren(
    make("div", { className: "row" }, reference, make("span", { className: "hint", textContent: "Keys: R and the numbers switch; space stops." })),
    make("div", { className: "rating" }, make("div", { className: "scale" }, ...WORDS.map((text) => make("span", { textContent: text })))),
    ...ratings.map((item) => item.row),
    missing,
    make("div", { className: "row" }, go),
  );
  player.changed = ready;
  player.load({ open: trial.reference, ...trial.clips });
  ready();
}
