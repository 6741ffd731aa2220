"""The formats that are fuzzed: each makes an attempt that damages one input and reads it as users would.

An attempt returns where the damaged input was read, raises `CodecBenchError` where it was refused, and
anything else where the program is at fault.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from codecbench import audio, registry
from codecbench.cli import status_of
from codecbench.codec import Codec, Coded, Wave
from codecbench.container import Header, pack, unpack
from codecbench.errors import CodecBenchError
from codecbench.store.layout import MANIFEST, RECORDS
from fuzz_mutations import (
    ODD,
    damaged,
    damaged_json,
    damaged_json_lines,
    damaged_safetensors,
    damaged_text,
    hostile_archive,
)

Attempt = Callable[[Random], None]
LONGEST_MESSAGE = 4000
CONTAINED = ("opus@12", "g722", "codec2@2.4", "pcm")
AUDIO = ("WAV", "FLAC", "OGG", "MP3", "AIFF")


class Defect(Exception):
    """The command line called an error its own defect, or what came out is wrong.

    ``kind`` tells such faults apart: an error and its place, or what is wrong.
    """

    def __init__(self, kind: str, message: str = "") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Format:
    """A name, and what makes the attempt from a folder of whole inputs and a folder to write into."""

    name: str
    make: Callable[[Path, Path], Attempt]


def prepare(inputs: Path) -> None:
    """Make the whole inputs: a run with kept speech, listening tests with answers, coded files."""
    run = ("run", "--data", "demo", "--limit", "3", "--codecs", "pcm,g722", "--metrics", "si-sdr")
    command(*run, "--executor", "serial", "--audio", "2", "--out", inputs / "run")
    for kind in ("mushra", "abx"):
        command("listen", "export", inputs / "run", "--to", inputs / kind, "--kind", kind, "--trials", 2)
        _answer(kind, inputs / kind)
    command("export", inputs / "run", "--results", inputs / "results")


def formats() -> list[Format]:
    """Return all formats, with the payloads of each codec that runs here."""
    found = [
        Format(f"payload {name}", _payload(name)) for name in registry.names(registry.CODECS) if _runs(name)
    ]
    return [
        *found,
        *(Format(f"file .cbn {spec.partition('@')[0]}", _contained(spec)) for spec in CONTAINED),
        Format("run manifest.json", _run_file(MANIFEST, damaged_json)),
        Format("run records.jsonl", _run_file(RECORDS, damaged_json_lines)),
        *(
            Format(f"{kind} key.json", _listening(kind, "key.json", damaged_json))
            for kind in ("mushra", "abx")
        ),
        *(
            Format(f"{kind} answers", _listening(kind, "answers.csv", damaged_text))
            for kind in ("mushra", "abx")
        ),
        Format("results .json", _results),
        Format("data manifest.csv", _data_manifest),
        Format("recipe .toml", _recipe),
        *(Format(f"checkpoint {name}", _checkpoint(name)) for name in ("spc", "vocoder")),
        Format("archive", _archive),
        *(Format(f"audio {kind.lower()}", _audio(kind)) for kind in AUDIO),
    ]


def command(*arguments: object) -> str:
    """Run a command line in this process and return its stdout; raises `CodecBenchError` or `Defect`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = status_of([str(argument) for argument in arguments])
    said = [line for line in err.getvalue().splitlines() if line.startswith("codecbench: ")]
    for line in said:
        if found := re.search(r"a defect of this program or a plugin: ((\w+).{,200})", line):
            raise Defect(f"{found[2]} ({_place(err.getvalue())})", found[1])
        if len(line) > LONGEST_MESSAGE:
            raise Defect("a message that is too long", line[:200])
    if status:
        raise CodecBenchError(said[-1] if said else f"status {status}")
    return out.getvalue()


def _place(trace: str) -> str:
    """Return where an error was raised, of a printed traceback: the last place in this project."""
    places = re.findall(r'File "([^"]*codecbench[^"]*)", line (\d+)', trace)
    return f"{Path(places[-1][0]).name}:{places[-1][1]}" if places else "no place"


def _clip(rate_hz: int) -> Wave:
    from codecbench.data.folders import load_dataset

    wave, own_hz = audio.load(load_dataset("demo").utterances[0].path)
    return audio.resample(wave, own_hz, rate_hz)[: rate_hz // 2]


def _runs(name: str) -> bool:
    try:
        registry.codec(name).check()
    except CodecBenchError:
        return False
    return True


def _payload(name: str) -> Callable[[Path, Path], Attempt]:
    def make(inputs: Path, scratch: Path) -> Attempt:
        codec = registry.codec(name)
        codec.open("cpu")
        wave = _clip(codec.info.sample_rate_hz)
        whole = [(codec.encode(wave, point), point) for point in codec.points]

        def attempt(chance: Random) -> None:
            coded, point = chance.choice(whole)
            received = Coded(
                damaged(coded.payload, chance), coded.length, coded.container_bytes, coded.packet_bytes
            )
            if coded.packet_bytes and chance.random() < 0.5:
                received = replace(received, packet_bytes=(len(received.payload),))
            _check_wave(codec.decode(received, point), coded.length)

        return attempt

    return make


def _check_wave(wave: Wave, length: int) -> None:
    if wave.dtype != np.float32 or wave.shape != (length,) or not np.isfinite(wave).all():
        finite = bool(np.isfinite(wave).all())
        raise Defect("a wrong wave", f"{wave.dtype} {wave.shape}, finite: {finite}, not {length} samples")


def _contained(spec: str) -> Callable[[Path, Path], Attempt]:
    def make(inputs: Path, scratch: Path) -> Attempt:
        source = scratch / "clip.wav"
        audio.save(source, _clip(16_000), 16_000)
        command("encode", source, "--codec", spec, "--to", scratch / "whole")
        whole = (scratch / "whole" / "clip.cbn").read_bytes()
        header, coded = unpack(whole)
        changed = scratch / "changed.cbn"

        def attempt(chance: Random) -> None:
            changed.write_bytes(_repacked(header, coded, chance) or damaged(whole, chance))
            command("decode", changed, "--overwrite", "--to", scratch / "decoded")

        return attempt

    return make


def _repacked(header: Header, coded: Coded, chance: Random) -> bytes | None:
    """Return a file that is whole as a file, with another payload or one odd field; None for neither."""
    if chance.random() < 0.4:
        return None
    if chance.random() < 0.5:
        return pack(header, damaged(coded.payload, chance))
    name = chance.choice([field.name for field in fields(header)])
    value: Any = chance.choice((*ODD, 10**9, 16_000, 48_000, "spc", "pcm", "folder:/", (2, 3)))
    try:
        return pack(replace(header, **{name: value}), coded.payload)
    except (TypeError, ValueError, CodecBenchError):
        return None


def _run_file(name: str, damage: Callable[[str, Random], bytes]) -> Callable[[Path, Path], Attempt]:
    def make(inputs: Path, scratch: Path) -> Attempt:
        whole = inputs / "run"
        text = (whole / name).read_text()
        folder = scratch / "run"
        again = ("run", "--data", "demo", "--limit", "3", "--codecs", "pcm,g722", "--metrics", "si-sdr")
        commands = (
            (("table", folder), 8),
            (("export", folder, "--csv", scratch / "records.csv", "--results", scratch / "results"), 6),
            (("check-published", folder), 4),
            (("listen", "export", folder, "--to", scratch / "test", "--kind", "abx"), 3),
            ((*again, "--executor", "serial", "--out", folder), 3),
            (("report", folder, "--to", scratch / "report", "--no-audio"), 0.1),
        )

        def attempt(chance: Random) -> None:
            for old in (folder, scratch / "test", scratch / "report"):
                shutil.rmtree(old, ignore_errors=True)
            shutil.copytree(whole, folder)
            (folder / name).write_bytes(damage(text, chance))
            lines, weights = zip(*commands, strict=True)
            (line,) = chance.choices(lines, weights)
            command(*line)

        return attempt

    return make


def _answer(kind: str, folder: Path) -> None:
    """Write answers to a listening test beside its key."""
    told = json.loads((folder / "key.json").read_text())
    with (folder / "answers.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        if kind == "abx":
            writer.writerow(["session_test_id", "listener", "trial", "answer"])
            writer.writerows([told["test"], "me", item["trial"], "a"] for item in told["trials"])
            return
        writer.writerow(["session_test_id", "session_uuid", "trial_id", "rating_stimulus", "rating_score"])
        for item in told["trials"]:
            writer.writerows(
                [told["test"], "me", item["trial"], name, 95 - place]
                for place, name in enumerate(("reference", *told["conditions"]))
            )


def _listening(
    kind: str, name: str, damage: Callable[[str, Random], bytes]
) -> Callable[[Path, Path], Attempt]:
    def make(inputs: Path, scratch: Path) -> Attempt:
        text = (inputs / kind / name).read_text()
        for whole in ("key.json", "answers.csv"):
            shutil.copy(inputs / kind / whole, scratch / whole)

        def attempt(chance: Random) -> None:
            (scratch / name).write_bytes(damage(text, chance))
            command("listen", "read", scratch / "answers.csv", "--key", scratch / "key.json")

        return attempt

    return make


def _results(inputs: Path, scratch: Path) -> Attempt:
    from codecbench.analysis.published import repository_folder

    texts = [path.read_text() for path in sorted(repository_folder().glob("*.json"))[::4]]
    texts += [path.read_text() for path in sorted((inputs / "results").rglob("*.json"))]
    (scratch / "published").mkdir()

    def attempt(chance: Random) -> None:
        (scratch / "published" / "published-x.json").write_bytes(damaged_json(chance.choice(texts), chance))
        command("check-published", inputs / "run", "--published", scratch / "published")

    return attempt


def _data_manifest(inputs: Path, scratch: Path) -> Attempt:
    folder = scratch / "speech"
    folder.mkdir()
    for number in range(3):
        audio.save(folder / f"clip-{number}.wav", _clip(16_000), 16_000)
    text = "file,speaker\n" + "".join(f"clip-{number}.wav,speaker {number}\n" for number in range(3))

    def attempt(chance: Random) -> None:
        (folder / "manifest.csv").write_bytes(damaged_text(text, chance))
        shutil.rmtree(scratch / "run", ignore_errors=True)
        how = ("--metrics", "si-sdr", "--executor", "serial", "--audio", "none", "--out", scratch / "run")
        command("run", "--data", folder, "--codecs", "pcm", *how)

    return attempt


def _recipe(inputs: Path, scratch: Path) -> Attempt:
    from codecbench_spc.training.recipe import load_recipe, shipped_recipe

    whole = {path.name: path.read_text() for path in sorted(shipped_recipe("cpu").parent.glob("*.toml"))}

    def attempt(chance: Random) -> None:
        for name, text in whole.items():
            (scratch / name).write_text(text)
        name = chance.choice(sorted(whole))
        (scratch / name).write_bytes(damaged_text(whole[name], chance))
        load_recipe(scratch / name)

    return attempt


def _checkpoint(damaged_file: str) -> Callable[[Path, Path], Attempt]:
    def make(inputs: Path, scratch: Path) -> Attempt:
        from codecbench_spc.config import shipped_folder

        for name in ("spc", "vocoder", "spc-context"):
            shutil.copy(shipped_folder("checkpoints") / f"{name}.safetensors", scratch)
        changed = scratch / f"{damaged_file}.safetensors"
        whole = changed.read_bytes()

        def attempt(chance: Random) -> None:
            changed.write_bytes(damaged_safetensors(whole, chance))
            codec: Codec = registry.codec(f"spc:{scratch / 'spc.safetensors'}")
            codec.check()
            codec.open("cpu")
            point = codec.points[0]
            wave = np.zeros(codec.info.sample_rate_hz // 10, np.float32)
            coded = codec.encode(wave, point)
            _check_wave(codec.decode(coded, point), wave.size)

        return attempt

    return make


def _archive(inputs: Path, scratch: Path) -> Attempt:
    from codecbench.data import archive

    packed = scratch / "packed"
    archive._retrieve = lambda *_: packed  # what a download would have brought

    def attempt(chance: Random) -> None:
        shutil.rmtree(scratch / "sets", ignore_errors=True)
        packed.write_bytes(hostile_archive(chance))
        target = scratch / "sets" / "made"
        try:
            archive.install(archive.Archive((), "", 50_000), target)
        except CodecBenchError:
            if target.exists():
                raise Defect("a refused archive left a folder") from None
            raise
        finally:
            strays = [path.name for path in scratch.iterdir() if path.name not in ("packed", "sets")]
            if strays:
                raise Defect("written outside of the folder", str(strays))

    return attempt


def _audio(kind: str) -> Callable[[Path, Path], Attempt]:
    def make(inputs: Path, scratch: Path) -> Attempt:
        import soundfile

        path = scratch / f"clip.{kind.lower()}"
        soundfile.write(path, _clip(16_000), 16_000, format=kind)
        whole = path.read_bytes()

        def attempt(chance: Random) -> None:
            path.write_bytes(damaged(whole, chance))
            wave, _ = audio.load(path)
            _check_wave(wave, wave.size)

        return attempt

    return make


@contextlib.contextmanager
def scratch_folder(parent: Path, name: str) -> Iterator[Path]:
    """Give an empty folder below another and remove it afterwards."""
    folder = parent / re.sub(r"\W+", "-", name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
