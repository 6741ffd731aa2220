function render(trial) {
  const answers = ["a", "b"].map((choice) => {
    const button = make("button", { type: "button", textContent: choice.toUpperCase(), disabled: true });
    button.dataset.answer = choice;
    button.addEventListener("click", () => answered([choice]));
    return button;
  });
  const players = ["a", "b", "x"].map((name) => {
    const button = playButton(name, name.toUpperCase());
    button.dataset.key = name;
    return button;
  });
  byId("trial").replaceChildren(
    make("div", { className: "row" }, ...players),
    make("p", { textContent: "X is the same as" }),
    make("div", { className: "row" }, ...answers),
    make("p", { className: "hint", textContent: "Hear all three before you answer. Keys: A, B, X switch; space stops." }),
  );
  player.changed = () => { for (const button of answers) button.disabled = player.heard.size < 3; };
  player.load(trial.clips);
}
