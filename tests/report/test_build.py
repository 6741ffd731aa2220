"""The report's folder: complete, deterministic, replaced as a whole, safe against hostile names."""

from __future__ import annotations

import hashlib
import html.parser
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from codecbench.analysis import comparisons, results, runs
from codecbench.analysis.lags import lags as lag_table
from codecbench.analysis.summary import summary
from codecbench.errors import InvalidInput
from codecbench.html import embed
from codecbench.report import figures, methods, parts, pictures
from codecbench.report.assets import Assets
from codecbench.report.build import build
from codecbench.report.clips import Clips
from codecbench.report.content import Content
from codecbench.report.style import marks
from codecbench.store.store import Run

HOSTILE = '</script><img src=x onerror="alert(1)">\'"&\u2028{{{{7*7}}}} ../../{:d}'
CHOSEN = ("stoi", "mcd", "visqol")
SMALL = ("pcm", "opus", "rvq", "spc")


@pytest.fixture(scope="module")
def small(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "run"
    return make_run(
        folder, utterances=14, speakers=7, audio=2, codecs=SMALL, points=3, seconds=0.5, metrics=CHOSEN
    )


@pytest.fixture(scope="module")
def run(small: Path) -> Run:
    return runs.load_runs([small], ["spc"])


@pytest.fixture(scope="module")
def built(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build([small], tmp_path_factory.mktemp("reports") / "r", ours=["spc"]).parent


def files_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*")) if path.is_file()
    }  # fmt: skip


def test_the_folder_is_complete(built: Path) -> None:
    assert (built / "index.html").is_file()
    assert (built / "report.md").is_file()
    tables = {path.name for path in (built / "tables").iterdir()}
    assert {
        "table.md",
        "table.csv",
        "table.tex",
        "summary.csv",
        "pairs.csv",
        "bd.csv",
        "lags.csv",
        "failures.csv",
    } <= tables
    for name in (
        "rate-quality",
        "speed-quality",
        "distribution",
        "codebook-use",
        "agreement",
        "spectrograms",
        "rate-quality-stoi",
    ):
        for kind in ("svg", "pdf", "png", "csv"):
            assert (built / "figures" / f"{name}.{kind}").stat().st_size > 100
    # The ground truth is the reference itself: two references, and each decoded clip of two utterances.
    clips = [path for path in (built / "audio").rglob("*.flac") if path.stem != "reference"]
    assert len(clips) == len(list((built / "spectrograms").rglob("*.webp"))) - 2 > 8


def test_the_markdown_explains_itself_as_the_page_does(built: Path) -> None:
    text = (built / "report.md").read_text(encoding="utf-8")
    page = (built / "index.html").read_text(encoding="utf-8")
    lead = text.split("\n\n")[1]
    assert re.fullmatch(
        r"\d+ codecs at \d+ operating points, \d+ utterances \(.* minutes\) by \d+ speakers\.", lead
    )
    assert lead in page
    terms = re.findall(r"^- \*\*(.+)\*\*: (.+)\.$", text, re.MULTILINE)
    assert {"kbit/s", "RTF", "Delay", "Codes used"} <= {term for term, _ in terms}
    assert [term for term, _ in terms if f"<dt>{term}</dt>" not in page] == []
    captions = re.findall(r"!\[(.+)\]\(figures/.+\)\n\n\*(.+)\*", text)
    assert captions
    assert all(told == shown for told, shown in captions)


def test_a_second_build_gives_the_same_bytes(small: Path, built: Path, tmp_path: Path) -> None:
    again = build([small], tmp_path / "r", ours=["spc"]).parent
    assert files_of(again) == files_of(built)


def test_an_earlier_report_is_replaced_and_nothing_else(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "write_figures", lambda *_: [])
    monkeypatch.setattr(pictures, "write_pictures", lambda *_: [])
    to = tmp_path / "r"
    build([small], to)
    (to / "stale.txt").write_text("old")
    build([small], to)
    assert not (to / "stale.txt").exists()
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.tex").write_text("mine")
    with pytest.raises(InvalidInput, match="not an earlier report"):
        build([small], other)
    assert [path.name for path in other.iterdir()] == ["chapter.tex"]
    assert {path.name for path in tmp_path.iterdir()} == {"r", "thesis"}


def test_a_failure_leaves_the_old_report(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "write_figures", lambda *_: [])
    monkeypatch.setattr(pictures, "write_pictures", lambda *_: [])
    to = build([small], tmp_path / "r").parent
    before = files_of(to)

    def full(*_: object) -> list[str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(figures, "write_figures", full)
    with pytest.raises(Exception, match="No space left on device"):
        build([small], to)
    assert files_of(to) == before
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


class Tags(html.parser.HTMLParser):
    """Collects what a browser would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_hostile_names_stay_text(
    make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "write_figures", lambda *_: [])
    monkeypatch.setattr(pictures, "write_pictures", lambda *_: [])
    folder = make_run(
        tmp_path / "run",
        utterances=6,
        audio=2,
        codecs=("pcm", "opus"),
        points=1,
        name=HOSTILE.format,
        fail_every=3,
        seconds=0.3,
    )
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["dataset"]["name"] = "<b>evil</b>"
    manifest["left_out"][0]["reason"] = "<script>alert(2)</script>"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    page = build([folder], tmp_path / "r")
    text = page.read_text(encoding="utf-8")
    assert "onerror=" not in re.sub(r"onerror=(&#34;|\\\")", "", text)
    assert "<b>evil" not in text
    assert "49" not in re.findall(r"utterance [^<]*", text)
    tags = Tags()
    tags.feed(text)
    assert [tag for tag, _ in tags.seen].count("script") == 3 + len(manifest["metrics"])
    assert all(attributes.get("src") is None for tag, attributes in tags.seen if tag == "script")
    assert not any(name.startswith("on") for _, attributes in tags.seen for name in attributes)
    names = [str(path.relative_to(page.parent)) for path in page.parent.rglob("*")]
    assert all(re.fullmatch(r"[\w./@-]+", name) for name in names)
    part = json.loads(re.search(r'id="part-utterances">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert part["listed"][0][0] == HOSTILE.format(0)


def test_a_large_page_leaves_its_scores_in_files_beside_it(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "write_figures", lambda *_: [])
    monkeypatch.setattr(pictures, "write_pictures", lambda *_: [])
    inside = build([small], tmp_path / "inside")
    monkeypatch.setattr(parts, "MOST_INSIDE", 100)
    beside = build([small], tmp_path / "beside")
    held = dict(
        re.findall(r'id="part-([\w-]+)">(.*?)</script>', inside.read_text(encoding="utf-8"), re.DOTALL)
    )
    assert set(held) == {"utterances", *(f"scores-{number}" for number in range(len(CHOSEN)))}
    assert not (inside.parent / "data").exists()
    assert 'id="part-' not in beside.read_text(encoding="utf-8")
    files = {path.stem: path.read_text(encoding="utf-8") for path in (beside.parent / "data").iterdir()}
    assert files == {name: f'deliver("{name}",{text});\n' for name, text in held.items()}
    whole = build([small], tmp_path / "whole", single_file=True)
    assert 'id="part-scores-0"' in whole.read_text(encoding="utf-8")
    assert not (whole.parent / "data").exists()


def test_the_parts_hold_the_scores_of_the_records(run: Run, tmp_path: Path) -> None:
    made = parts.parts(run, Assets(tmp_path, embed=False))
    found = json.loads(made["scores-1"])
    listed = json.loads(made["utterances"])
    ids = [row[0] for row in listed["listed"]]
    failed = set()
    for record in run.records.to_dict("records"):
        point = runs.points(run).index((record["codec"], record["point"]))
        place = ids.index(record["utterance"])
        score = found[point][place]
        assert (
            (record["mcd"] == pytest.approx(score, rel=1e-4))
            if score is not None
            else np.isnan(record["mcd"])
        )
        failed |= {f"{point} {place}"} if record["status"] == "failed" else set()
    assert set(listed["failed"]) == failed and failed


def test_nothing_points_to_the_network(built: Path) -> None:
    tags = Tags()
    tags.feed((built / "index.html").read_text(encoding="utf-8"))
    for _, attributes in tags.seen:
        for name in ("src", "href"):
            assert not str(attributes.get(name) or "").startswith(("http", "//"))


def test_links_of_the_page_lead_to_files(built: Path) -> None:
    tags = Tags()
    tags.feed((built / "index.html").read_text(encoding="utf-8"))
    targets = [attributes.get(name) or "" for _, attributes in tags.seen for name in ("src", "href")]
    local = [target for target in targets if target and not target.startswith("#")]
    assert len(local) > 20
    assert [target for target in local if not (built / target).is_file()] == []


def test_a_single_file_holds_everything_it_plays(
    make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "write_figures", lambda *_: [])
    monkeypatch.setattr(pictures, "write_pictures", lambda *_: [])
    folder = make_run(tmp_path / "run", utterances=4, audio=1, codecs=("pcm", "opus"), points=2, seconds=0.3)
    page = build([folder], tmp_path / "r", single_file=True)
    assert not (page.parent / "audio").exists()
    text = page.read_text(encoding="utf-8")
    assert text.count("data:audio/flac;base64,") == 3
    assert text.count("data:image/webp;base64,") == 3


def test_few_clips_are_the_shortest_as_opus_of_the_points_asked_for(
    small: Path, run: Run, tmp_path: Path
) -> None:
    heard = [item for item in run.manifest["utterances"] if item["audio"]]
    shortest = min(heard, key=lambda item: (item["seconds"], item["id"]))
    kept = run.records[run.records["audio"].notna() & (run.records["utterance"] == shortest["id"])]
    labels = [f"{row.codec}@{row.point}" for row in kept.itertuples() if row.codec != "pcm"][:2]
    page = build([small], tmp_path / "r", clips=Clips(1, labels))
    clips = sorted((page.parent / "audio").rglob("*.*"))
    assert [path.suffix for path in clips] == [".opus"] * 3
    wave, rate_hz = soundfile.read(next(path for path in clips if path.stem == "reference"))
    assert wave.size / rate_hz == pytest.approx(shortest["seconds"], abs=0.02)
    assert "Players for the 1 shortest utterances alone" in page.read_text()
    with pytest.raises(InvalidInput, match=rf"opus@7 not in the run; choose from .*{labels[0]}"):
        build([small], tmp_path / "s", clips=Clips(1, ("opus@7",)))


def test_figures_are_written_as_asked_for_and_as_the_page_shows_them(small: Path, tmp_path: Path) -> None:
    folder = build([small], tmp_path / "r", content=Content(formats=["pdf"])).parent / "figures"
    assert {path.suffix for path in folder.glob("rate-quality-stoi.*")} == {".pdf", ".csv"}
    assert {path.suffix for path in folder.glob("distribution.*")} == {".pdf", ".csv", ".svg", ".png"}
    assert {path.suffix for path in folder.glob("spectrograms.*")} == {".pdf", ".csv", ".png"}


def test_without_audio_the_page_is_small_and_plays_nothing(small: Path, tmp_path: Path) -> None:
    folder = build([small], tmp_path / "r", with_audio=False).parent
    assert not (folder / "audio").exists()
    assert not (folder / "spectrograms").exists()
    assert "only with audio" not in (folder / "index.html").read_text()
    assert list((folder / "figures").glob("*.svg"))


def test_json_in_the_page_is_safe_and_reads_back() -> None:
    value = {"x": "</script><!--\u2028&"}
    text = str(embed(value))
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value


def test_methods_and_bibtex_come_from_the_signatures(run: Run) -> None:
    text = " ".join(methods.paragraphs(run))
    for entry in [*run.manifest["metrics"].values(), run.manifest["codecs"]["opus"]]:
        assert entry["signature"] in text
    assert "14 utterances" in text
    assert "7 speakers" in text
    assert "synthetic" in text
    entries = methods.bibtex(run)
    assert entries.count("{") == entries.count("}")
    keys = re.findall(r"^@\w+\{([^,]+),", entries, re.MULTILINE)
    assert len(keys) == len(set(keys)) == len(CHOSEN) + 3 + 4
    assert "taal2011stoi" in keys
    assert re.search(r"@misc\{codec-opus,\n  title=\{.*opus.*\}|author=\{Doe et al\.\}", entries)


@pytest.fixture(scope="module")
def declared(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run in which opus was decoded elsewhere, as `codecbench score` writes it."""
    folder = tmp_path_factory.mktemp("declared") / "run"
    make_run(folder, utterances=14, speakers=14, audio=2, codecs=SMALL, points=3, seconds=0.5, metrics=CHOSEN)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["codecs"]["opus"]["info"]["kind"] = "files"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    unmeasured = (
        "payload_bytes", "payload_kbps", "container_bytes", "container_kbps", "encode_s", "decode_s",
        "rtf_encode", "rtf_decode",
    )  # fmt: skip
    for record in records:
        if record["codec"] == "opus":
            record.update(dict.fromkeys(unmeasured))
    (folder / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def test_declared_rates_have_a_column_a_mark_and_a_sentence(declared: Path, tmp_path: Path) -> None:
    page = build([declared], tmp_path / "r", ours=["spc"])
    table = pd.read_csv(page.parent / "tables" / "summary.csv")
    opus = table[table["codec"] == "opus"]
    assert opus["payload_kbps"].isna().all() and list(opus["declared_kbps"]) == [6, 8, 12]
    assert table[table["codec"] != "opus"]["declared_kbps"].isna().all()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)[1])  # type: ignore[index]
    points = {point["label"]: point for point in data["points"]}
    assert (points["opus@8"]["kbps"], points["opus@8"]["declared"]) == (8, True)
    assert not points["spc@7.5"]["declared"]
    drawn = pd.read_csv(page.parent / "figures" / "rate-quality.csv")
    assert set(drawn[drawn["codec"] == "opus"]["kind"]) - {"published"} == {"declared"}
    text = (page.parent / "report.md").read_text()
    assert "opus (rate declared as 6, 8 and 12 kbit/s)" in text
    assert "nobody measured it" in text and "no utterance decoded" not in text.lower()
    assert "opus" not in (page.parent / "tables" / "bd.csv").read_text()


def test_few_speakers_have_no_intervals_and_no_verdict(
    make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "write_figures", lambda *_: [])
    monkeypatch.setattr(pictures, "write_pictures", lambda *_: [])
    few = make_run(tmp_path / "run", utterances=10, speakers=5, audio=0, codecs=("pcm", "opus", "rvq"),
                   points=3, metrics=CHOSEN)  # fmt: skip
    page = build([few], tmp_path / "r")
    table = pd.read_csv(page.parent / "tables" / "summary.csv")
    assert table[[f"{metric}_low" for metric in CHOSEN]].isna().all(axis=None)
    text = page.read_text()
    assert '"fewSpeakers":true' in text.replace(" ", "") and "Bars are" not in text
    told = (page.parent / "report.md").read_text()
    assert "with 5 speakers no interval is given" in told and "bootstrap interval" not in told


def test_the_statistics_told_are_those_of_the_run(run: Run) -> None:
    text = " ".join(methods.paragraphs(run))
    family = comparisons.pairs(run).groupby("metric").size()
    assert set(family) == {21} and "all pairs on one metric (21)" in text
    least = comparisons.pairs(run)["p_holm"].min()
    told = float(re.search(r"can fall below ([\d.e-]+?)\. ", text)[1])  # type: ignore[index]
    assert told <= least * 1.05 and told == pytest.approx(min(1, 21 * 2.0 ** (1 - 7)), rel=0.1)
    assert "that resample speakers (" in text


def test_every_pair_is_compared_once_and_the_ground_truth_never(run: Run) -> None:
    pairs = comparisons.pairs(run)
    points = 3 + 3 + 1
    assert len(pairs) == points * (points - 1) / 2 * len(CHOSEN)
    assert not pairs["a"].str.startswith("pcm").any()
    assert (pairs["p_holm"].dropna() >= pairs["p_value"].dropna()).all()


def test_deltas_say_why_they_are_missing(run: Run) -> None:
    deltas = comparisons.deltas(run)
    assert set(deltas["anchor"]) == {"opus", "rvq"}
    stoi = deltas[(deltas["metric"] == "stoi") & (deltas["anchor"] == "opus")].iloc[0]
    assert stoi["rate"] < 0
    assert stoi["rate_low"] < stoi["rate"] < stoi["rate_high"]
    assert ((deltas["rate_reason"] != "") | deltas["rate"].notna()).all()


def test_failures_and_lags_are_all_told(run: Run) -> None:
    ledger = comparisons.failures(run)
    failed = ledger[ledger["metric"] == "all"]
    assert len(failed) == len(run.failures) > 0
    assert failed["reason"].str.contains("bad frame").all()
    # What a metric cannot say of the original against itself is not missing.
    coded = run.records[run.records["codec"] != "pcm"]
    missing = sum(int(coded[f"reason:{metric}"].notna().sum()) for metric in run.manifest["metrics"])
    assert len(ledger) == len(failed) + missing
    lags = lag_table(run)
    assert (lags["shifted"] == 0).all()
    assert set(lags["codec"]) == set(SMALL)


def test_figures_carry_their_data(run: Run) -> None:
    table = summary(run)
    published = results.table([])
    _, frame = figures.rate_quality(run, table, published, marks(list(SMALL)), ["stoi"])
    opus = frame[frame["codec"] == "opus"]
    assert list(opus["mean"]) == list(table[table["codec"] == "opus"]["stoi"])
    _, spread = figures.distribution(run, marks(list(SMALL)))
    assert (spread["q05"] <= spread["median"]).all()
    use = figures.codebook_table(run)
    assert (use["perplexity"] <= use["distinct"] + 1e-9).all()
    assert set(use["codec"]) == {"rvq", "spc"}


def test_every_codec_has_a_mark_of_its_own() -> None:
    names = ["pcm", *[f"codec{number}" for number in range(20)], "spc"]
    drawn = marks(names, {"pcm"}, {"spc"})
    looks = {(mark.colour, mark.marker, str(mark.dashes)) for mark in drawn.values()}
    assert len(looks) == len(names)
    assert drawn["spc"].width > drawn["codec0"].width


def test_tokens_keep_their_identity_in_the_picture() -> None:
    shown = pictures.scattered(np.array([[5, 5, 6]]))
    assert shown[0, 0] == shown[0, 1] != shown[0, 2]
    assert ((shown >= 0) & (shown < 1)).all()


def test_results_round_trip_and_bad_ones_are_refused(run: Run, tmp_path: Path) -> None:
    made = results.measured(run, summary(run))
    assert [result.codec for result in made] == list(SMALL)
    path = results.write(made[1], tmp_path / "made-up")
    assert path.name == "opus.json"
    assert results.read(path) == made[1]
    frame = results.table([made[1]])
    assert set(frame["metric"]) == set(run.manifest["metrics"])
    assert isinstance(frame, pd.DataFrame)
    for text, message in [
        ("{", "JSON"), ('{"format": 2, "kind": "measured"}', "schema"),
        ('{"format": 1, "kind": "measured"}', "'points'"),
        ('{"format": 1, "kind": "measured", "codec": "x", "meta": {}, "points": [1]}', "not a result"),
    ]:  # fmt: skip
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(InvalidInput, match=message):
            results.read(tmp_path / "bad.json")


def test_committed_published_results_follow_the_schema() -> None:
    folder = Path(__file__).resolve().parents[2] / "results"
    found = results.read_published(folder)
    assert all(result.kind == "published" and result.meta["source"] for result in found)
    assert found
