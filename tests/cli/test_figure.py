"""``codecbench figure``: a file of one figure."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.parametrize(("suffix", "head"), [(".pdf", b"%PDF"), (".svg", b"<?xml"), (".png", b"\x89PNG")])
def test_the_suffix_names_the_format(cli, run_folder: Path, tmp_path: Path, suffix: str, head: bytes) -> None:
    made = []
    for name in ("a", "b"):
        to = tmp_path / f"{name}{suffix}"
        answer = cli("figure", run_folder, "--metrics", "mcd", "--codecs", "opus,spc", "--to", to)
        assert (answer.status, answer.out.strip()) == (0, str(to))
        assert "3.50 by" in answer.err
        made.append(to.read_bytes())
    assert made[0] == made[1]
    assert made[0].startswith(head)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("--to", "x.jpg"), 2, "must end in .pdf, .svg, .png"),
        (("--kind", "pie"), 2, "'pie' is not one of"),
        (("--metrics", "stio"), 1, "did you mean 'stoi'"),
        (("--to", "missing/x.pdf"), 1, "cannot write missing/x.pdf"),
    ],
)
def test_figure_refuses_what_it_cannot_draw(cli, run_folder: Path, options, status, message) -> None:
    answer = cli("figure", run_folder, "--codecs", "opus", *options)
    assert (answer.status, answer.out) == (status, "")
    assert message in answer.err
