"""Records are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from codecbench.errors import InvalidInput, StorageError
from codecbench.files import write_atomically
from codecbench.store.records import MEASURED, decode_codes, encode_codes
from codecbench.store.store import Store, load_run


def record(key: str, **fields) -> dict:
    return {
        "key": key,
        "utterance": "u1",
        "speaker": "s",
        "seconds": 1.5,
        "codec": "opus",
        "point": "8",
        "nominal_kbps": 8.0,
        "status": "ok",
        "error": None,
        **dict.fromkeys(MEASURED, 1.0),
        "scores": {"stoi": 0.9},
        "raw_scores": {"stoi": 0.8},
        "reasons": {},
        "codes": None,
        "audio": None,
        **fields,
    }


def manifest(**fields) -> dict:
    from made_up_runs import manifest_of  # a process of its own, see below, has this module alone

    listed = [{"id": ident, "speaker": "s", "seconds": 1.5, "audio": None} for ident in ("u2", "u1")]
    made = manifest_of(listed, ("pcm", "opus"), 2)
    made["metrics"] = {name: made["metrics"][name] for name in ("stoi", "mcd")}
    return {**made, **fields}


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    written = [record("a"), record("b", status="failed", error="why: ünïcode\n2nd")]
    with Store(tmp_path / "new" / "run") as store:
        for item in written:
            store.append(item)
        assert list(store.records()) == written
        assert "a" in store
        assert "c" not in store
        assert store.get("b") == {"status": "failed", "audio": None, "reasons": {}, "scored": {"stoi"}}
        assert store.last(["b"]) == {"b": written[1]}
    with Store(tmp_path / "new" / "run") as store:
        assert len(store) == 2
        assert store.repaired_bytes == 0


def test_every_torn_end_is_cut_and_only_that(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(record("a"))
        store.append(record("b"))
    whole = (tmp_path / "records.jsonl").read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(len(whole) + 1):
        (tmp_path / "records.jsonl").write_bytes(whole[:length])
        kept = 0 if length < first else first if length < len(whole) else length
        with Store(tmp_path) as store:
            assert store.repaired_bytes == length - kept
            assert [item["key"] for item in store.records()] == ["a", "b"][: (kept > 0) + (kept > first)]
        assert (tmp_path / "records.jsonl").read_bytes() == whole[:kept]


def test_a_long_torn_line_is_cut(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(record("a"))
    with (tmp_path / "records.jsonl").open("ab") as file:
        file.write(b"x" * 200_000)
    with Store(tmp_path) as store:
        assert store.repaired_bytes == 200_000
        assert len(store) == 1


@pytest.mark.parametrize("line", ["{}", "[1]", "null", '"text"', "not json", '{"key":"a"}', ""])
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "records.jsonl").write_text(json.dumps(record("a")) + "\n" + line + "\n")
    with pytest.raises(InvalidInput, match="line 2 is not a record; delete that line"):
        Store(tmp_path)
    # The refusal must not keep the folder locked.
    (tmp_path / "records.jsonl").unlink()
    Store(tmp_path).close()


def test_nan_is_never_written(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        with pytest.raises(ValueError, match="JSON compliant"):
            store.append(record("a", seconds=float("nan")))
        assert list(store.records()) == []


def test_a_full_disk_leaves_whole_records_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def half(descriptor: int, data: memoryview) -> int:
        if len(data) < 40:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[: len(data) // 2])

    with Store(tmp_path) as store:
        store.append(record("a"))
        before = (tmp_path / "records.jsonl").read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr("codecbench.files.os.write", half)
            with pytest.raises(StorageError) as caught:
                store.append(record("b"))
        assert str(caught.value) == (
            f"cannot write {tmp_path / 'records.jsonl'}: No space left on device; free space or choose "
            "another folder (1 records are stored; the same command continues)"
        )
        assert (tmp_path / "records.jsonl").read_bytes() == before
        assert "b" not in store
        store.append(record("b"))
        assert [item["key"] for item in store.records()] == ["a", "b"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX file size limit")
def test_the_system_refusing_a_write_is_one_clear_error(tmp_path: Path) -> None:
    program = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_store import record
from codecbench.errors import StorageError
from codecbench.store.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Store(Path(sys.argv[1])) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    try:
        for number in range(99):
            store.append(record(str(number)))
    except StorageError as error:
        print(len(store), error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(Path(__file__).parent)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    stored, _, message = done.stdout.partition(" ")
    assert "File too large; free space" in message
    with Store(tmp_path) as store:
        assert store.repaired_bytes == 0
        assert len(store) == int(stored) > 0


def test_atomic_writing_keeps_the_old_file_when_it_fails(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "manifest.json"
    write_atomically(path, "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("codecbench.files.os.fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["manifest.json"]


def test_one_writer_at_a_time_and_a_killed_one_frees_the_folder(tmp_path: Path) -> None:
    program = "import sys, time; from pathlib import Path; from codecbench.store.store import Store\n"
    program += "store = Store(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InvalidInput) as caught:
            Store(tmp_path)
        assert f"another run (process {other.pid}) is writing here; wait for it" in str(caught.value)
        other.send_signal(signal.SIGKILL)
        other.wait()
        Store(tmp_path).close()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*file.run"):
        Store(tmp_path / "file" / "run")


def test_load_run(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.write_manifest(manifest())
        store.append(record("a", point="8", scores={"stoi": 0.1, "mcd": None}, reasons={"mcd": "silent"}))
        store.append(record("b", point="6", utterance="u1"))
        store.append(
            record("c", point="6", utterance="u2", status="failed", error="E", scores={}, raw_scores={})
        )
        store.append(
            record("d", codec="pcm", point="256", codes=encode_codes(np.array([[1, 2], [3, 70_000]])))
        )
        store.append(record("a", point="8", scores={"stoi": 0.2, "mcd": None}, reasons={"mcd": "silent"}))
    run = load_run(tmp_path)
    # In the manifest's order of codecs, points and utterances; the last record of a cell counts.
    rows = list(run.records[["codec", "point", "utterance"]].itertuples(index=False, name=None))
    assert rows == [("pcm", "256", "u1"), ("opus", "6", "u2"), ("opus", "6", "u1"), ("opus", "8", "u1")]
    assert run.metrics == ["stoi", "mcd"]
    assert list(run.records["stoi"])[2:] == [0.9, 0.2]
    assert np.isnan(run.records["stoi"].iloc[1])
    assert run.records["mcd"].isna().all()
    assert run.records["raw:stoi"].iloc[3] == 0.8
    assert run.records["reason:mcd"].iloc[3] == "silent"
    assert list(run.failures["error"]) == ["E"]
    (codes,) = run.codes("pcm", "256")
    np.testing.assert_array_equal(codes, [[1, 2], [3, 70_000]])
    assert run.codes("opus", "8") == []


def test_an_empty_run_has_all_columns(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.write_manifest(manifest())
    run = load_run(tmp_path)
    assert run.records.empty
    assert {"codec", "payload_kbps", "stoi", "raw:mcd", "reason:mcd", "codes"} <= set(run.records.columns)
    assert run.failures.empty


def test_a_run_still_being_written_can_be_read(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.write_manifest(manifest())
        store.append(record("a"))
        with (tmp_path / "records.jsonl").open("ab") as file:
            file.write(b'{"key":"tor')
        assert len(load_run(tmp_path).records) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no run here"),
        ("{", "cannot be read as JSON"),
        ("[]", "not a manifest of format 2"),
        ('{"format": 2}', "not a manifest of format 2"),
    ],
)
def test_folders_without_a_run_are_named(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InvalidInput, match=message):
        load_run(tmp_path)


@given(arrays(np.int64, array_shapes(min_dims=2, max_dims=2, min_side=0), elements=st.integers(0, 2**32 - 1)))
def test_codes_survive_storage(codes: np.ndarray) -> None:
    stored = json.loads(json.dumps(encode_codes(codes)))
    again = decode_codes(stored)
    assert again.dtype == np.int64
    np.testing.assert_array_equal(again, codes)
    assert stored["dtype"] == ("uint16" if codes.size == 0 or codes.max() < 65_536 else "uint32")
