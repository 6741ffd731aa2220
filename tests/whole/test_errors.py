"""Every bad input gets one clear line, at the real command line."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from codecbench.codec import Coded
from codecbench.container import Header, pack, unpack
from codecbench.errors import InvalidPayload
from codecbench.store.store import load_run
from suite_fixtures import Answer

QUICK = ("--metrics", "fake-snr", "--executor", "serial")
TONE = (0.3 * np.sin(np.arange(16_000) / 5)).astype(np.float32)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def nan_samples(path: Path) -> None:
    wave = TONE.copy()
    wave[100] = np.nan
    soundfile.write(path, wave, 16_000, format="WAV", subtype="FLOAT")


def integers_as_floats(path: Path) -> None:
    soundfile.write(path, (TONE * 32_768).astype(np.float32), 16_000, format="WAV", subtype="FLOAT")


def no_samples(path: Path) -> None:
    soundfile.write(path, np.zeros(0), 16_000, format="WAV")


def truncated_flac(path: Path) -> None:
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 64_000), 16_000, format="FLAC")
    path.write_bytes(path.read_bytes()[:60_000])


def text(path: Path) -> None:
    path.write_text("this is no audio")


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("bad.wav", empty, "bad.wav: the file is empty"),
        ("bad.wav", nan_samples, "bad.wav: contains NaN or infinite samples"),
        ("bad.wav", integers_as_floats, "where 1 is full scale; divide them, those of 16-bit integers by"),
        ("bad.wav", no_samples, "bad.wav: contains no samples"),
        ("bad.flac", truncated_flac, "bad.flac: "),
        ("bad.wav", text, "bad.wav: not readable audio"),
    ],
)
def test_a_bad_file_costs_its_cells_only(
    cli, folder: Path, tmp_path: Path, *, name: str, make: Callable[[Path], None], message: str
) -> None:
    (folder / "manifest.csv").unlink()
    make(folder / name)
    answer = cli("run", "--codecs", "fake@64", "--data", folder, "--out", tmp_path / "o", *QUICK)
    assert answer.status == 0
    (line,) = [line for line in answer.err.splitlines() if "failed with" in line]
    assert line.startswith("codecbench: 1 failed with fake: ")
    assert message in line
    failures = load_run(tmp_path / "o").failures
    assert list(failures["utterance"]) == ["bad"]
    alone = cli("encode", folder / name, "--codec", "fake")
    assert alone.status == 1
    assert message in alone.err
    assert alone.err.count("\n") == 1


def test_unusual_files_are_fine(cli, folder: Path, tmp_path: Path) -> None:
    (folder / "manifest.csv").unlink()
    soundfile.write(folder / "stereo.flac", np.stack([TONE, TONE], axis=1), 44_100)
    soundfile.write(folder / "one-sample.wav", TONE[1:2], 16_000)
    answer = cli(
        "run", "--codecs", "fake@64", "--data", folder, "--out", tmp_path, "--metrics", "fake-snr,fake-level",
        "--executor", "serial",
    )  # fmt: skip
    assert answer.status == 0
    records = load_run(tmp_path).records.set_index("utterance")
    assert records["status"].eq("ok").all()
    assert records.loc["one-sample", "reason:fake-level"] == "shorter than 0.2 s"
    assert records.loc["stereo", "fake-level"] > 0


COMMANDS = [
    ("run --codecs fakee", 2, "unknown codec 'fakee'; did you mean 'fake'?"),
    ("run --codecs fake@7", 1, "codec 'fake' has no operating point '7'; it has: 64, 32"),
    ("run --codecs fake:x", 2, "codec 'fake' takes no argument, but 'fake:x' gives 'x'"),
    ("run --codecs fake,,fake", 2, "has an empty part; write e.g. opus,codec2@2400+3200"),
    ("run --codecs fake,fake@64", 2, "codec 'fake' is listed twice"),
    ("run --codecs fake --metrics stoy", 2, "unknown metric 'stoy'; did you mean 'stoi'?"),
    ("run --codecs fake --metrics ,", 1, "no metric given"),
    ("run --codecs fake --kbps six", 2, "rate 'six' is not usable; give kbit/s above 0"),
    ("run --codecs fake --kbps 64 --tolerance much", 2, "tolerance 'much' is not usable"),
    (
        "run --codecs fake --kbps 1",
        1,
        "nothing to run: fake is left out: no point near 1 kbit/s, its nearest has 16; name that one",
    ),
    (
        "run --codecs fake-absent",
        1,
        "nothing to run: fake-absent is left out: its library is not here; run: install it",
    ),
    ("run --codecs fake --audio some", 2, "--audio 'some' is not usable; give a number, all or none"),
    ("run --codecs fake --data nosuchset", 1, "unknown dataset 'nosuchset'"),
    ("run --codecs fake --data ./no/such/folder", 1, "no such folder; check the path"),
    ("run --codecs fake --executor dask", 2, "--executor dask needs --scheduler ADDRESS"),
    ("run --codecs fake --executor serial --timeout 5", 2, "--timeout needs --executor processes"),
    ("run", 2, "Missing option '--codecs'"),
    ("run --codecs fake --limit 0", 2, "Invalid value for '--limit'"),
    ("run --codecs fake --workers none", 2, "Invalid value for '-j' / '--workers'"),
    ("run --codecs fake --nonsense", 2, "No such option '--nonsense'"),
    ("score --ref ./none --deg ./none", 1, "no such folder; check the path"),
    ("score --ref DATA --deg ./none", 1, "none is not a folder; check the path"),
    ("score --ref DATA --deg DATA --kbps -1", 2, "Invalid value for '--kbps'"),
    ("table ./none", 1, "no run here (manifest.json is missing)"),
    ("report ./none", 1, "no run here (manifest.json is missing)"),
    ("export ./none --csv x.csv", 1, "no run here"),
    ("encode ./none.wav --codec fake", 1, "none.wav: no such file; check the path"),
    ("encode DATA --codec fake", 1, "is a folder, an audio file is needed"),
    ("decode ./none.cbn", 1, "none.cbn: cannot be read (No such file or directory); check the path"),
    ("decode DATA/quiet-0.wav --to x", 1, "quiet-0.wav: not a file of codecbench encode"),
    ("weights fetch nosuchcodec", 2, "unknown codec or model 'nosuchcodec'"),
    ("weights fetch fake", 1, "codec 'fake' has no model files to fetch"),
    ("selftest nosuchmetric", 2, "unknown metric 'nosuchmetric'"),
    ("nosuchcommand", 2, "unknown command 'nosuchcommand'"),
]


@pytest.mark.parametrize(("command", "status", "message"), COMMANDS)
def test_one_clear_line(cli, folder: Path, tmp_path: Path, monkeypatch, *, command, status, message) -> None:
    monkeypatch.chdir(tmp_path)
    words = command.replace("DATA", str(folder)).split()
    if words[0] == "run":
        words += [] if "--metrics" in words else ["--metrics", "fake-snr"]
        words += [] if "--executor" in words else ["--executor", "serial"]
        words += [] if "--data" in words else ["--data", str(folder)]
    answer = cli(*words)
    assert answer.status == status, answer.err
    assert message in answer.err.splitlines()[-1]
    assert answer.out == ""
    assert "Traceback" not in answer.err
    if status == 1:
        said = [line for line in answer.err.splitlines() if line.split()[2:5] != ["is", "left", "out:"]]
        assert len(said) == 1


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the super-user may read everything"
)
def test_an_unreadable_folder(cli, folder: Path, tmp_path: Path) -> None:
    folder.chmod(0)
    answer = cli("run", "--codecs", "fake@64", "--data", folder, "--out", tmp_path / "o", *QUICK)
    folder.chmod(0o755)
    assert answer.status == 1
    assert answer.err.count("\n") == 1
    assert "cannot be read" in answer.err


def test_a_folder_the_system_refuses_to_list(cli, folder: Path, tmp_path: Path, monkeypatch) -> None:
    (folder / "manifest.csv").unlink()
    scandir = os.scandir

    def refuse(path=".") -> object:
        if Path(path) == folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    answer = cli("run", "--codecs", "fake@64", "--data", folder, "--out", tmp_path / "o", *QUICK)
    assert answer.status == 1
    assert "folder cannot be read (Permission denied); check permissions" in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("where", ["records", "audio", "table"])
def test_a_full_disk_is_one_line_and_the_same_command_continues(
    cli, folder: Path, tmp_path: Path, monkeypatch, where: str
) -> None:
    out = tmp_path / "o"
    command = ("run", "--codecs", "fake", "--data", folder, "--out", out, "--audio", "all", *QUICK)
    written = 0

    def fail_after(count: int, real: Callable) -> Callable:
        def write(*arguments: object, **options: object) -> object:
            nonlocal written
            written += 1
            if written > count:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **options)

        return write

    with monkeypatch.context() as patch:
        if where == "records":
            patch.setattr("codecbench.files.os.write", fail_after(3, os.write))
        elif where == "audio":
            patch.setattr("codecbench.files.os.fsync", fail_after(4, os.fsync))
        else:
            patch.setattr("codecbench.files.os.fsync", fail_after(12, os.fsync))
        answer = cli(*command)
    assert answer.status == 1
    (line,) = [line for line in answer.err.splitlines() if "cannot write" in line]
    assert "No space left on device; free space or choose another" in line
    assert "Traceback" not in answer.err
    assert not list(out.rglob("*.part"))
    kept = len(load_run(out).records)
    answer = cli(*command)
    assert answer.status == 0
    assert f"{10 - kept} cells to compute" in answer.err
    assert len(load_run(out).records) == 10
    assert len(list(out.rglob("*.flac"))) == 15


HEADER = Header("fake", "fake|v:1", "32", 100, 16_000, 50, 8_000, 4, (3, 2))


FULL = "codecbench: cannot write the output (No space left on device); free space or write it elsewhere\n"


@pytest.mark.parametrize(
    ("redirection", "status", "said"), [("> /dev/full", 1, FULL), (">&-", 0, ""), (">&- 2>&- <&-", 0, "")]
)
def test_standard_output_that_is_full_or_closed(redirection: str, status: int, said: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    command = f"{sys.executable} -m codecbench list datasets {redirection}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (status, said)


def test_what_is_closed_is_not_given_to_the_files_of_a_run(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = f"run --codecs pcm --metrics si-sdr --data {folder} --out {out} --executor serial"
    subprocess.run(["sh", "-c", f"{sys.executable} -m codecbench {run} >&- 2>&-"], check=True, timeout=120)
    assert load_run(out).failures.empty


def test_a_file_of_coded_speech_is_read_back() -> None:
    header, coded = unpack(pack(HEADER, b"12345"))
    assert header == HEADER
    assert coded == Coded(b"12345", 100, 4, (3, 2))


@settings(max_examples=300)
@given(st.integers(0, 400), st.integers(0, 255))
def test_one_changed_byte_never_passes_unnoticed_or_crashes(place: int, value: int) -> None:
    data = bytearray(pack(HEADER, b"12345"))
    place %= len(data)
    changed = data[place] != value
    data[place] = value
    try:
        unpack(bytes(data))
    except InvalidPayload:
        assert changed
        return
    assert not changed


@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidPayload):
        unpack(data)
    with pytest.raises(InvalidPayload):
        unpack(b"CBN1" + data)
    with pytest.raises(InvalidPayload):
        unpack(b"CBN2" + data)


def _signed(**fields: object) -> bytes:
    """Return a file whose checksum is right, with other fields than were written."""
    whole = {**asdict(HEADER), "payload_bytes": 5, **fields}
    text = json.dumps(whole).encode()
    size = len(text).to_bytes(4, "little")
    return b"CBN2" + size + zlib.crc32(size + text + b"12345").to_bytes(4, "little") + text + b"12345"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"length": 60_000_000_000, "source_length": 30_000_000_000}, "0000 s where 5 bytes|3.75e"),
        ({"length": 16_000 * 20, "source_length": 8_000 * 20}, "20 s where 5 bytes follow"),
        ({"source_hz": 9_000}, "s of coded speech and"),
        ({"source_length": 55}, "s of coded speech and"),
        ({"rate_hz": 0}, "'rate_hz' is 0"),
        ({"payload_bytes": 6}, "payload is not what was written"),
        ({"packet_bytes": [9, 9]}, "packets do not make up"),
        ({"own_format": 1}, "'own_format' is 1, not true or false"),
    ],
)
def test_claims_that_cannot_be_are_refused_though_signed(fields: dict, message: str) -> None:
    unpack(_signed())
    with pytest.raises(InvalidPayload, match=message):
        unpack(_signed(**fields))


def test_files_of_version_1_are_still_read() -> None:
    fields = {**asdict(HEADER), "payload_bytes": 5, "crc32": zlib.crc32(b"12345")}
    text = json.dumps(fields, separators=(",", ":")).encode()
    old = b"CBN1" + len(text).to_bytes(4, "little") + text + b"12345"
    assert unpack(old) == unpack(pack(HEADER, b"12345"))
    with pytest.raises(InvalidPayload, match="payload is not what"):
        unpack(old[:-1] + b"6")


def test_a_file_cannot_name_a_path_as_its_codec(cli: Callable[..., Answer], tmp_path: Path) -> None:
    evil = replace(HEADER, codec="spc:/etc/passwd")
    (tmp_path / "x.cbn").write_bytes(pack(evil, b"12345"))
    answer = cli("decode", tmp_path / "x.cbn")
    assert answer.status == 1
    assert "say which one to use: --codec" in answer.err


@pytest.mark.parametrize("length", range(0, 200, 7))
def test_truncation_is_refused(length: int) -> None:
    data = pack(HEADER, b"12345")
    with pytest.raises(InvalidPayload):
        unpack(data[: min(length, len(data) - 1)])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"length":100', b'"length":1e9'),
        (b'"length":100', b'"length":-99'),
        (b'"length":100', b'"length":tru'),
        (b'"rate_hz":16000', b'"rate_hz":00000'),
        (b'"source_hz":8000', b'"source_hz":0   '),
        (b'"packet_bytes":[3,2]', b'"packet_bytes":[9,9]'),
        (b'"packet_bytes":[3,2]', b'"packet_bytes":[3,"]'),
        (b'"codec":"fake"', b'"codec":[1,2] '),
    ],
)
def test_impossible_fields_are_refused(old: bytes, new: bytes) -> None:
    data = pack(HEADER, b"12345")
    assert old in data
    assert len(old) == len(new)
    with pytest.raises(InvalidPayload, match="damaged"):
        unpack(data.replace(old, new))
