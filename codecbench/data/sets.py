"""Speech sets: their utterances, a speaker-balanced sample of them, and the sets that packages register."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from codecbench import registry
from codecbench.errors import ContractBroken, InvalidInput, Unavailable, told
from codecbench.guard import guarded
from codecbench.plain import kind, shown
from codecbench.text import one_line

if TYPE_CHECKING:
    from codecbench.transfer import Progress


@dataclass(frozen=True)
class Utterance:
    """One file of a set.

    Parameters
    ----------
    id : str
        Unique in the set and usable as a file name, see `codecbench.names.utterance_ids`.
    path : Path
        The audio file.
    speaker : str
        Who speaks: from the manifest, else from a known way to name files, else the file's folder.
    seconds : float or None
        Duration by the file's header; None where that is unreadable.
    name : str
        Path below the set's folder without suffix, by which decoded files are found; the id by default.
    stem_is_unique : bool
        Whether the set has no other file of that stem, so that decoded files may be found by it alone.
    about : Mapping[str, str]
        What else the manifest says of it, by column: language, gender, ...; ``text`` is what was said.
    """

    id: str
    path: Path
    speaker: str
    seconds: float | None
    name: str = ""
    stem_is_unique: bool = True
    about: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)


@dataclass(frozen=True)
class Dataset:
    """A speech set, its utterances sorted by id.

    ``revision`` is the SHA-256 over every utterance's id, speaker and file content of the whole set; a sample
    keeps it, since set, ``limit`` (None for the whole set) and ``seed`` say which utterances were taken.
    """

    name: str
    utterances: tuple[Utterance, ...]
    revision: str
    licence: str = ""
    description: str = ""
    synthetic: bool = False
    speakers_from: str = ""
    """How the speakers were told apart, in words."""
    notes: tuple[str, ...] = ()
    """What was left out of the folder, a line each."""
    limit: int | None = None
    seed: int = 0

    def sample(self, limit: int | None, seed: int = 0) -> Dataset:
        """Return at most ``limit`` utterances, as evenly over the speakers as their numbers allow.

        One utterance of every speaker is taken before a second of any.  The choice hangs on the seed, the ids
        and the speakers alone, and a smaller sample of the same seed is part of a larger one.

        Raises
        ------
        InvalidInput
            If the limit is not positive.
        """
        if limit is None:
            return replace(self, seed=seed)
        if limit < 1:
            raise InvalidInput(f"cannot take {limit} utterances; give a limit of 1 or more")
        turns: list[tuple[int, str, Utterance]] = []
        for speaker, spoken in _by_speaker(self.utterances).items():
            shuffled = sorted(spoken, key=lambda item: _draw(seed, item.id))
            turns += [(turn, _draw(seed, speaker), item) for turn, item in enumerate(shuffled)]
        taken = sorted(turns, key=lambda entry: entry[:2])[:limit]
        chosen = tuple(sorted((item for *_, item in taken), key=lambda item: item.id))
        return replace(self, utterances=chosen, limit=limit, seed=seed)

    def only(self, utterances: Collection[Utterance]) -> Dataset:
        """Return the set with no others than these; like a sample it keeps the revision."""
        return replace(self, utterances=tuple(item for item in self.utterances if item in utterances))


@dataclass(frozen=True)
class DatasetSource(ABC):
    """A registered set: what it is and how to get it; entry points of ``codecbench.datasets`` return one.

    ``size_bytes`` is what has to be downloaded from one of the ``urls``, 0 where the set needs no download.
    """

    name: str
    description: str
    licence: str
    size_bytes: int = 0
    urls: tuple[str, ...] = ()

    @abstractmethod
    def check(self) -> None:
        """Return quietly if the set is on this machine; never touches the network.

        Raises
        ------
        Unavailable
            If it is not; the remedy is the command that downloads it.
        """

    def fetch(self, progress: Progress | None = None) -> None:
        """Download the set where it is not on this machine, telling ``progress`` of each piece.

        By default nothing: a set that is part of a package has nothing to download.

        Raises
        ------
        Unavailable
            If it cannot be downloaded.
        """

    @abstractmethod
    def load(self) -> Dataset:
        """Return the set, which `fetch` has brought."""


def registered(name: str, progress: Progress | None = None) -> Dataset:
    """Return a registered set, fetched and checked: it may be anybody's.

    Raises
    ------
    InvalidInput, Unavailable
        As its source says; `ContractBroken` where that fails in another way, or gives no set.
    """
    source = registry.dataset(name)
    whose = f"dataset {name!r}"
    if not isinstance(source, DatasetSource):
        raise ContractBroken(f"{whose}: the entry point made {kind(source)}, not a DatasetSource")
    if source.name != name:
        raise ContractBroken(f"{whose}: its name is {shown(source.name)}; give both one name")
    try:
        with guarded(loading=True):
            source.fetch(progress)
            found = source.load()
    except (InvalidInput, Unavailable):
        raise
    except Exception as error:
        raise ContractBroken(f"{whose} cannot be loaded ({told(error)})") from error
    if not isinstance(found, Dataset):
        raise ContractBroken(f"{whose}: load() gave {kind(found)}, not a Dataset")
    if wrong := _wrong(found):
        raise ContractBroken(f"{whose}: {wrong}")
    return found


def _wrong(found: Dataset) -> str:
    """Say what of a set that some plugin made cannot enter a run; empty where nothing is."""
    items = found.utterances
    if not isinstance(items, tuple) or not items or not all(isinstance(item, Utterance) for item in items):
        return f"utterances is {kind(items)}, not a tuple of at least one Utterance"
    texts = ("name", "revision", "licence", "description")
    for owner, names in ((found, texts), *((item, ("id", "speaker", "name")) for item in items)):
        for name in names:
            value = getattr(owner, name)
            if not isinstance(value, str) or one_line(value) != value:
                return f"{name} is {shown(value)}, not one line of text"
    for item in items:
        if not item.id or item.id.startswith(".") or re.search(r"[/\\]", item.id):
            return f"the id {shown(item.id)} is no file name"
        if not isinstance(item.path, Path):
            return f"the path of {shown(item.id)} is {kind(item.path)}, not a Path"
    return "two utterances have one id" if len({item.id for item in items}) < len(items) else ""


def _by_speaker(utterances: Sequence[Utterance]) -> dict[str, list[Utterance]]:
    groups: dict[str, list[Utterance]] = defaultdict(list)
    for item in utterances:
        groups[item.speaker].append(item)
    return groups


def _draw(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()
