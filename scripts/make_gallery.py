"""Make docs/gallery.md and its pictures: every kind of figure, each under the command that draws it.

``python scripts/make_gallery.py RUN`` draws them from a run, `RUN_COMMAND` says of which.  A picture on
the page is what its command gives, but for the run's folder.
"""

from __future__ import annotations

from pathlib import Path

import click

from codecbench.cli import status_of

DOCS = Path(__file__).resolve().parents[1] / "docs"
RUN_COMMAND = "codecbench run --data demo --codecs pcm,spc,rvq,lyra,opus,codec2 -o RUN"
FIGURES = {
    "rate-quality": (
        "Quality over the measured bitrate, at the width of a paper's column.",
        "--metrics pesq-wb --ours spc",
    ),
    "rate-quality-page": (
        "The same for four metrics over both columns.",
        "--metrics stoi,pesq-wb,mcd,visqol --width 7.16 --ours spc",
    ),
    "speed-quality": (
        "Quality over the real-time factor of encoding plus decoding.",
        "--kind speed-quality --metrics pesq-wb --ours spc",
    ),
    "distribution": (
        "Spread over utterances: 5 to 95 %, the middle half, and the median.",
        "--kind distribution --metrics stoi --ours spc",
    ),
    "spectrograms": (
        "One utterance through each codec: spectrogram and mel spectrogram.",
        "--kind spectrograms --points opus@6,spc@7.5 --ours spc",
    ),
    "agreement": (
        "Rank correlation of every two metrics, over codecs and over utterances.",
        "--kind agreement",
    ),
    "codebook-use": (
        "Codewords that each stream uses at all, and effectively (two to the entropy).",
        "--kind codebook-use --points spc@7.5 --ours spc",
    ),
    "tokens": (
        "Tokens as a picture: streams upwards, time to the right; equal tokens have equal colours.",
        "--kind tokens --codecs spc",
    ),
}
"""File of each picture, what it shows, and the options of `codecbench figure`."""


def command(name: str) -> str:
    """Return the command line of a picture."""
    return f"codecbench figure RUN {FIGURES[name][1]} --to {name}.png"


def page() -> str:
    """Return the text of the gallery."""
    parts = [
        "# Figures\n\n<!-- Written by scripts/make_gallery.py; do not edit. -->\n",
        "What `codecbench figure` draws, each below its command; `--to NAME.pdf` and `.svg` give the same "
        "for print. They are of\nthe run that `make bench` makes:\n",
        f"```\n{RUN_COMMAND}\n```\n",
    ]
    for name, (shows, _) in FIGURES.items():
        parts.append(f"## {shows}\n\n```\n{command(name)}\n```\n\n![{shows}](gallery/{name}.png)\n")
    return "\n".join(parts)


@click.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(run: Path) -> None:
    """Draw the gallery from RUN into docs/gallery and write docs/gallery.md."""
    (DOCS / "gallery").mkdir(exist_ok=True)
    for name in FIGURES:
        words = command(name).split()[1:]
        words[words.index("RUN")] = str(run)
        words[-1] = str(DOCS / "gallery" / words[-1])
        if status_of(words):
            raise click.ClickException(f"{' '.join(words)} failed; see above")
    (DOCS / "gallery.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
