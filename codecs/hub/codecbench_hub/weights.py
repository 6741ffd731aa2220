"""Weights of hub models: where they lie, how they are fetched, and the hash that identifies them.

Nothing here touches the network but `fetch`, which runs only when the user asks for it.  Only safetensors
files are ever read: pickled weights (``.bin``, ``.ckpt``, ``.pt``, ``.pth``, ``.th``) can run code when
loaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codecbench.errors import CodecBenchError, InvalidInput, Unavailable
from codecbench.files import sha256_remembered, write_atomically
from codecbench.scratch import put, scratch
from codecbench.weights import cache_folder, folders
from codecbench_hub.table import HubModel

if TYPE_CHECKING:
    from codecbench.transfer import Progress

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
PROVENANCE = "codecbench.json"
FETCHED = (CONFIG, "*.safetensors", INDEX)
PICKLED = frozenset({".bin", ".ckpt", ".pt", ".pth", ".th", ".pkl"})


@dataclass(frozen=True)
class Found:
    """A folder with weights, and the commit it holds where that is known."""

    folder: Path
    revision: str | None


def places(model: HubModel) -> Iterator[Found]:
    """Yield the folders that are looked into, in order: the user's, the suite's cache, the hub's cache."""
    for folder in folders(model.name):
        yield Found(folder, _recorded_revision(folder))
    hub = _hub_snapshot(model)
    if hub is not None:
        yield hub


def find(model: HubModel, folder: Path | None = None) -> Found:
    """Return where the weights lie, without the network.

    Parameters
    ----------
    folder : Path or None
        The only place to look, given by hand; None looks into `places`.

    Raises
    ------
    InvalidInput
        If the folder given by hand holds no model.
    Unavailable
        If no place holds the model; says where it was looked for and how to get it.
    """
    if folder is not None:
        if not holds_model(folder):
            raise InvalidInput(f"{folder}: {_lack(folder)}; give a folder saved with save_pretrained")
        return Found(folder, _recorded_revision(folder))
    looked = list(places(model))
    for found in looked:
        if holds_model(found.folder):
            return found
    reasons = ", ".join(f"{found.folder} ({_lack(found.folder)})" for found in looked)
    raise Unavailable(
        f"no weights of {model.repository} in {reasons}", f"run: codecbench weights fetch {model.name}"
    )


def holds_model(folder: Path) -> bool:
    """Return whether a folder has a configuration and all its safetensors files."""
    try:
        return (folder / CONFIG).is_file() and all(path.is_file() for path in files(folder))
    except CodecBenchError:
        return False


def files(folder: Path) -> list[Path]:
    """Return the safetensors files of a folder: the single one, or the shards that the index names.

    Raises
    ------
    InvalidInput
        If the index cannot be read or names a file outside the folder.
    """
    index = folder / INDEX
    if (folder / WEIGHTS).is_file() or not index.is_file():
        return [folder / WEIGHTS]
    try:
        names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        raise InvalidInput(f"{index}: not an index of safetensors files; fetch the model again") from None
    if not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise InvalidInput(f"{index}: names files outside its folder; fetch the model again")
    return [folder / name for name in names]


def sha256(folder: Path) -> str:
    """Return the hash of the weights in hexadecimal; of the shards' hashes where there are several."""
    digests = [sha256_remembered(path) for path in files(folder)]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def fetch(model: HubModel, progress: Progress | None = None) -> Path:
    """Download a model's configuration and safetensors files at its pinned commit, and return their folder.

    The hub's client shows its own progress; ``progress`` is told of the whole when it is there.

    Raises
    ------
    Unavailable
        If the client is not installed, the hub does not answer, or the model is published as pickles only.
    CodecBenchError
        If the file's hash is not the recorded one.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise Unavailable("huggingface_hub is not installed", f"run: pip install 'codecbench[{model.extra}]'")
    target = cache_folder(model.name)
    partial = target.with_name(target.name + ".partial")
    partial.mkdir(parents=True, exist_ok=True)
    revision = _download(model, partial)
    if not holds_model(partial):
        reason = _lack(partial)
        shutil.rmtree(partial)
        raise Unavailable(
            f"{model.repository} at {revision}: {reason}",
            f"convert the model to safetensors yourself and put it into {target}",
        )
    digest = sha256(partial)
    if model.sha256 is not None and digest != model.sha256:
        shutil.rmtree(partial)
        raise CodecBenchError(
            f"{model.repository} at {revision}: weights have sha256 {digest}, {model.sha256} was recorded; "
            "do not use them, report this"
        )
    shutil.rmtree(partial / ".cache", ignore_errors=True)
    record = {"repository": model.repository, "revision": revision, "sha256": digest}
    write_atomically(partial / PROVENANCE, json.dumps(record, indent=1) + "\n")
    with scratch(target) as work:
        put(partial, target, work)
    if progress is not None:
        size = sum(path.stat().st_size for path in files(target))
        progress(WEIGHTS, size, size)
    return target


def verify(model: HubModel) -> str:
    """Return the hash of the weights found.

    Raises
    ------
    CodecBenchError
        If it differs from the one in the table, or from the one recorded when they were fetched.
    """
    found = find(model)
    digest = sha256(found.folder)
    expected = model.sha256 or _provenance(found.folder).get("sha256")
    if expected is not None and digest != expected:
        raise CodecBenchError(
            f"{found.folder}: weights of {model.name} have sha256 {digest}, expected {expected}; "
            f"remove the folder and run: codecbench weights fetch {model.name}"
        )
    return digest


def _download(model: HubModel, folder: Path) -> str:
    """Download into a folder and return the commit."""
    from huggingface_hub import HfApi, snapshot_download

    try:
        revision = model.revision or HfApi().model_info(model.repository, revision=model.ref).sha
        snapshot_download(model.repository, revision=revision, local_dir=folder, allow_patterns=list(FETCHED))
    except Exception as error:  # the client passes on whatever its HTTP library raises
        if not any(path.stat().st_size for path in folder.rglob("*") if path.is_file()):
            shutil.rmtree(folder)  # else it stays, and the next fetch goes on from there
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise Unavailable(
            f"cannot fetch {model.url} at {model.revision or model.ref}: {reason}",
            f"check the connection, or put {CONFIG} and {WEIGHTS} into {cache_folder(model.name)}",
        ) from None
    return str(revision)


def _hub_snapshot(model: HubModel) -> Found | None:
    """Return the model's place in the hub's own cache, None where the client is not installed."""
    if importlib.util.find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub.constants import HF_HUB_CACHE

    stored = Path(HF_HUB_CACHE) / f"models--{model.repository.replace('/', '--')}"
    revision = model.revision or _text(stored / "refs" / model.ref)
    return Found(stored / "snapshots" / (revision or model.ref.replace("/", "--")), revision)


def _recorded_revision(folder: Path) -> str | None:
    revision = _provenance(folder).get("revision")
    return revision if isinstance(revision, str) else None


def _provenance(folder: Path) -> dict[str, object]:
    """Return what `fetch` recorded beside the files, nothing where they were put there by hand."""
    try:
        record = json.loads((folder / PROVENANCE).read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _lack(folder: Path) -> str:
    """Say what a folder lacks."""
    if not folder.is_dir():
        return "no such folder"
    if any(path.suffix in PICKLED for path in folder.iterdir()) and not any(folder.glob("*.safetensors")):
        return "only pickled weights, which are never loaded"
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    return f"no {' and no '.join(missing)}" if missing else "incomplete"


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None
