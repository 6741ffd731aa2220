"""A plugin package for tests: codecs and metrics that break their contract, as rows of tables.

A row's key names the fault, its value makes it.  ``hostile:FAULT`` is a codec whose methods misbehave,
``enters-FAULT`` one that must not enter a run, ``scores-FAULT`` a metric.
"""

from __future__ import annotations

import ctypes
import gc
import locale
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from codecbench.codec import Codec, CodecInfo, Coded, OperatingPoint, Wave
from codecbench.data.sets import Dataset, DatasetSource, Utterance
from codecbench.errors import InvalidPayload, StorageError, Unscorable
from codecbench.metric import Golden, Metric

INFO = CodecInfo("hostile", "for tests", "1", 16_000, "CC0-1.0", frame_rate_hz=8_000.0)
POINT = OperatingPoint("128", 128.0)


class Good(Codec):
    """Keeps every sample in 8 bits."""

    info = INFO
    points = (POINT,)

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        return Coded((wave * 127).astype(np.int8).tobytes(), wave.size)

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        if len(coded.payload) != coded.length:
            raise InvalidPayload(f"{len(coded.payload)} bytes for {coded.length} samples")
        return np.frombuffer(coded.payload, np.int8).astype(np.float32) / 127


class Stop(BaseException):
    """What no `except Exception` catches."""


class Mute(Exception):
    """An error whose message raises."""

    def __str__(self) -> str:
        raise RuntimeError("no message either")


def throw(error: BaseException) -> Any:
    raise error


def in_place(wave: Wave) -> Any:
    wave[wave.size // 2 :] = 0


def forked(coded: Coded) -> Coded:
    """Return twice, as where a program that cannot be started is called in a copy of the process."""
    os.fork()
    return coded


def by_address(wave: Wave) -> Any:
    ctypes.memset(wave.ctypes.data, 0, wave.nbytes // 2)


def by_torch(wave: Wave) -> Any:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.from_numpy(wave).zero_()


def unlocked(wave: Wave) -> Any:
    wave.flags.writeable = True
    wave[:100] = 0


class SlyBytes(bytes):
    """Bytes that say they are none."""

    def __len__(self) -> int:
        return 0


# What an encoder gives in place of its result, which it may use, and how the record says so.
ENCODES: dict[str, tuple[Callable[[Coded, Wave], Any], str]] = {
    "none": (lambda c, w: None, "the encoder gave NoneType, not Coded"),
    "generator": (lambda c, w: (c for _ in "1"), "the encoder gave generator, not Coded"),
    "dict": (lambda c, w: {"payload": c.payload, "length": c.length}, "the encoder gave dict, not Coded"),
    "bytes": (lambda c, w: c.payload, "the encoder gave bytes, not Coded"),
    "text payload": (lambda c, w: replace(c, payload="text"), "payload of type str"),
    "array payload": (lambda c, w: replace(c, payload=w), "payload of type an array float32 [9600]"),
    "length": (lambda c, w: replace(c, length=c.length + 1), "says 9601 samples, 9600 went in"),
    "length nan": (lambda c, w: replace(c, length=np.nan), "says nan samples"),
    "container nan": (lambda c, w: replace(c, container_bytes=float("nan")), "container_bytes is nan, not a whole"),
    "container negative": (lambda c, w: replace(c, container_bytes=-1), "container_bytes is -1, not between 0 and"),
    "container float": (lambda c, w: replace(c, container_bytes=-1e9), "container_bytes is -1000000000.0, not a whole"),
    "container huge": (lambda c, w: replace(c, container_bytes=10**40), "not between 0 and"),
    "container text": (lambda c, w: replace(c, container_bytes="12"), "container_bytes is '12', not a whole"),
    "container true": (lambda c, w: replace(c, container_bytes=True), "container_bytes is True, not a whole"),
    "packets": (lambda c, w: replace(c, packet_bytes=(1, 2)), "packets of 3 bytes in all do not make up"),
    "packets negative": (lambda c, w: replace(c, packet_bytes=(-1, 9601)), "packet_bytes is -1"),
    "packets endless": (lambda c, w: replace(c, packet_bytes=iter(int, 1)), "packet_bytes is callable_iterator"),
    "packets many": (lambda c, w: replace(c, packet_bytes=range(10**9)), "1000000000 packets in a payload of 9600"),
    "codes negative": (lambda c, w: replace(c, codes=np.full((1, 9), -1)), "codes run from -1 to -1"),
    "codes float": (lambda c, w: replace(c, codes=np.full((1, 9), 1.5)), "codes are an array float64 [1, 9]"),
    "codes large": (lambda c, w: replace(c, codes=np.full((1, 9), 1 << 40)), "codes run from 1099511627776"),
    "codes unsigned": (lambda c, w: replace(c, codes=np.full((1, 9), 1 << 63, np.uint64)), "codes run from 9223"),
    "codes flat": (lambda c, w: replace(c, codes=np.arange(9)), "codes are an array int64 [9]"),
    "codes deep": (lambda c, w: replace(c, codes=np.zeros((1, 2, 3), int)), "codes are an array int64 [1, 2, 3]"),
    "codes objects": (lambda c, w: replace(c, codes=np.full((1, 9), 1, object)), "codes are an array object"),
    "codes true": (lambda c, w: replace(c, codes=np.ones((1, 9), bool)), "codes are an array bool"),
    "codes list": (lambda c, w: replace(c, codes=[[1, 2]]), "codes are list of 1"),
    "codes huge": (lambda c, w: replace(c, codes=np.broadcast_to(1, (10**6, 10**6))), "codes hold 1000000000000"),
    "raise": (lambda c, w: throw(ValueError("two\nlines")), "ValueError: two lines"),
    "exit": (lambda c, w: sys.exit(3), "SystemExit: 3 (raised by the plugin)"),
    "quit": (lambda c, w: sys.exit(0), "SystemExit: 0 (raised by the plugin)"),
    "stop": (lambda c, w: throw(Stop("now")), "Stop: now (raised by the plugin)"),
    "generator exit": (lambda c, w: throw(GeneratorExit()), "GeneratorExit (raised by the plugin)"),
    "stop iteration": (lambda c, w: next(iter(())), "StopIteration"),
    "storage": (lambda c, w: throw(StorageError("the disk is full")), "the disk is full"),
    "mute": (lambda c, w: throw(Mute()), "Mute"),
    "surrogate": (lambda c, w: throw(ValueError("bad \udc80 name")), r"ValueError: bad \udc80 name"),
    "escape": (lambda c, w: throw(ValueError("\x1b[2J\x07\u202egone")), r"ValueError: \x1b[2J\x07\u202egone"),
    "long": (lambda c, w: throw(ValueError("x" * 5_000_000)), "(49"),
    "in place": (lambda c, w: in_place(w), "ValueError: assignment destination is read-only"),
    "by address": (lambda c, w: by_address(w) or c, "the encoder was given a read-only wave and changed it"),
    "by torch": (lambda c, w: by_torch(w) or c, "the encoder was given a read-only wave and changed it"),
    "unlocked": (lambda c, w: unlocked(w) or c, "the encoder was given a read-only wave and changed it"),
}  # fmt: skip

DECODES: dict[str, tuple[Callable[[Wave], Any], str]] = {
    "wave none": (lambda w: None, "the decoder gave NoneType, not a mono wave"),
    "wave list": (lambda w: w.tolist(), "the decoder gave list of 9600, not a mono wave"),
    "wave whole": (lambda w: (w * 100).astype(np.int16), "the decoder gave an array int16 [9600]"),
    "wave complex": (lambda w: w.astype(np.complex64), "the decoder gave an array complex64"),
    "wave stereo": (lambda w: np.stack([w, w]), "the decoder gave an array float32 [2, 9600]"),
    "wave column": (lambda w: w[:, None], "the decoder gave an array float32 [9600, 1]"),
    "wave short": (lambda w: w[:-1], "the decoder gave 9599 samples, 9600 went in"),
    "wave huge": (lambda w: np.broadcast_to(np.float32(0), 1 << 40), "the decoder gave 1099511627776 samples"),
    "wave nan": (lambda w: w * np.float32(np.nan), "the decoder gave NaN or infinite samples"),
    "wave too loud": (lambda w: np.full(w.size, 1e300), "the decoder gave NaN or infinite samples"),
    "wave exit": (lambda w: sys.exit("bye"), "SystemExit: bye (raised by the plugin)"),
}  # fmt: skip

DELAYS: dict[str, Any] = {"delay nan": np.nan, "delay text": "5", "delay negative": -1.0, "delay true": True}

# What is right, though of other types than the contract names: cast, and how it then stands in the record.
CASTS: dict[str, tuple[Callable[[Coded, Wave], Any], dict[str, Any]]] = {
    "numpy numbers": (
        lambda c, w: replace(c, length=np.int64(c.length), container_bytes=np.int64(7), packet_bytes=[np.int32(9600)]),
        {"container_bytes": 7, "payload_bytes": 9600},
    ),
    "bytearray": (lambda c, w: replace(c, payload=bytearray(c.payload)), {"payload_bytes": 9600}),
    "memoryview": (lambda c, w: replace(c, payload=memoryview(c.payload)), {"payload_bytes": 9600}),
    "sly bytes": (lambda c, w: replace(c, payload=SlyBytes(c.payload)), {"payload_bytes": 9600}),
    "small codes": (lambda c, w: replace(c, codes=np.ones((1, 9), np.uint8)), {"payload_bytes": 9600}),
    "double": (lambda c, w: c, {"payload_bytes": 9600}),
    "delay numpy": (lambda c, w: c, {"delay_ms": 2.5}),
    "print": (lambda c, w: print("NOISE") or (os.write(1, b"NOISE\n") and c), {"payload_bytes": 9600}),  # noqa: T201
    "closed": (lambda c, w: sys.stdout.close() or c, {"payload_bytes": 9600}),
    "forked": (lambda c, w: forked(c), {"payload_bytes": 9600}),
}  # fmt: skip


def turn_everything() -> None:
    """Change what a process shares: folder, environment, random states, settings of libraries, signals."""
    import torch

    os.chdir("/")
    os.environ["OMP_NUM_THREADS"] = "64"
    os.environ["HOSTILE"] = "1"
    os.environ["CODECBENCH_WEIGHTS"] = "/nowhere"
    os.environ.pop("HOME", None)
    random.seed(1)
    np.random.seed(1)
    np.seterr(all="raise")
    warnings.simplefilter("error")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    torch.set_num_threads(torch.get_num_threads() + 1)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(1)
    torch.set_default_device("meta")
    torch.set_float32_matmul_precision("medium")
    torch.use_deterministic_algorithms(True)
    torch.set_flush_denormal(True)
    torch.backends.mkldnn.enabled = False
    torch.backends.cudnn.benchmark = True
    np.seterrcall(lambda *_: None)
    np.setbufsize(1024)
    gc.disable()
    locale.setlocale(locale.LC_ALL, "C")
    sys.path.insert(0, "/hostile")
    sys.setprofile(lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 3600)
    sys.stdout = None


class Hostile(Good):
    """Misbehaves on loud waves in the way that its argument names."""

    def __init__(self, fault: str = "none") -> None:
        self.fault = fault
        self.info = replace(INFO, version=fault)

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        coded = super().encode(wave, point)
        if np.abs(wave).max(initial=0) < 0.9:
            return coded
        if self.fault == "turn":
            turn_everything()
        if self.fault == "interrupt":
            raise KeyboardInterrupt
        table = ENCODES | CASTS
        return table[self.fault][0](coded, wave) if self.fault in table else coded

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        if self.fault == "careless":
            coded = replace(coded, length=len(coded.payload))
        wave = super().decode(coded, point)
        if self.fault == "double":
            return wave.astype(np.float64)
        if np.abs(wave).max(initial=0) < 0.9 or self.fault not in DECODES:
            return wave
        return DECODES[self.fault][0](wave)

    def delay_ms(self, point: OperatingPoint) -> Any:
        return np.float32(2.5) if self.fault == "delay numpy" else DELAYS.get(self.fault)


class Raising(Good):
    @property
    def points(self) -> Any:
        raise RuntimeError("no points today")


class Nameless(Codec):
    points = (POINT,)
    encode, decode = Good.encode, Good.decode


def made(
    entry: str, *, points: Any = (POINT,), whole: Any = None, packages: Any = (), **info: Any
) -> Callable[[], Codec]:
    """Return what makes a codec of that name with other info or points."""

    def make() -> Codec:
        codec = Good()
        codec.info = replace(INFO, **{"name": f"enters-{entry}", **info}) if whole is None else whole
        codec.points = points
        codec.distributions = packages
        return codec

    return make


# Codecs that must not enter a run, by entry point, and what their author is told.
ENTERS: dict[str, tuple[Any, str]] = {
    "other-name": (made("x", name="opus"), "info.name is 'opus', but the entry point is 'enters-other-name'"),
    "slash": (made("x", name="../x"), "info.name is '../x', but the entry point is 'enters-slash'"),
    "packages": (made("packages", packages=["av"]), "distributions is list of 1, not a tuple"),
    "no-packages": (made("no-packages", packages=None), "distributions is None, not a tuple"),
    "control": (made("x", name="a\x1b[2Jb"), r"info.name is 'a\x1b[2Jb', but"),
    "no-info": (Nameless, "info is missing (a CodecInfo"),
    "info-dict": (made("x", whole={"name": "x"}), "info is dict, not a CodecInfo"),
    "rate-text": (made("rate-text", sample_rate_hz="16000"), "info.sample_rate_hz is '16000', not a whole number"),
    "rate-zero": (made("rate-zero", sample_rate_hz=0), "info.sample_rate_hz is 0, not a whole number from"),
    "delay-nan": (made("delay-nan", algorithmic_delay_ms=np.nan), "info.algorithmic_delay_ms is nan, not a finite"),
    "delay-text": (made("delay-text", algorithmic_delay_ms="5 ms"), "info.algorithmic_delay_ms is '5 ms', not"),
    "surrogate": (made("surrogate", description="a\udc80b"), "info.description is "),
    "lines": (made("lines", licence="a\nb"), "info.licence is "),
    "causal": (made("causal", causal="yes"), "info.causal is 'yes', not True or False"),
    "twice": (made("twice", points=(POINT, POINT)), "points has '128' twice"),
    "no-rate": (made("no-rate", points=(OperatingPoint("1", np.nan),)), "point '1' has nominal_kbps nan"),
    "rate-below": (made("rate-below", points=(OperatingPoint("1", -1),)), "point '1' has nominal_kbps -1"),
    "point-path": (made("point-path", points=(OperatingPoint("../1", 1),)), "a point is named '../1'; a name is"),
    "point-text": (made("point-text", points=("6", "12")), "points holds str, not an OperatingPoint"),
    "points-many": (made("points-many", points=iter(())), "points is tuple_iterator, not a tuple"),
    "points-empty": (made("points-empty", points=()), "points is empty"),
    "setting": (made("setting", points=(OperatingPoint("1", 1, {"a": [1]}),)), "setting 'a' is list of 1"),
    "points-raise": (type("Named", (Raising,), {"info": replace(INFO, name="enters-points-raise")}),
                     "points cannot be read (RuntimeError: no points today)"),
    "check-raise": (type("Checked", (Good,), {"info": replace(INFO, name="enters-check-raise"),
                         "check": lambda self: throw(ValueError("?"))}), "check() failed (ValueError: ?)"),
    "check-exit": (type("Exits", (Good,), {"info": replace(INFO, name="enters-check-exit"),
                        "check": lambda self: sys.exit(1)}), "check() failed (SystemExit: 1 (raised by the plugin))"),
    "signature": (type("Signed", (Good,), {"info": replace(INFO, name="enters-signature"),
                       "signature": lambda self: 7}), "signature() is int, not text"),
    "signatures": (type("Unsteady", (Good,), {"info": replace(INFO, name="enters-signatures"),
                        "signature": lambda self: os.urandom(4).hex()}), "it must not change"),
    "abstract": (Codec, "cannot be made (TypeError: Can't instantiate abstract class Codec"),
    "raises": (lambda: throw(ValueError("no")), "cannot be made (ValueError: no)"),
    "exits": (lambda: sys.exit(4), "cannot be made (SystemExit: 4 (raised by the plugin))"),
    "markup": (made("markup", description="[/x] [bold", points=()), "points is empty"),
    "no-codec": (dict, "the entry point made dict, not a codecbench.Codec"),
    "constant": (5, "is no class or function"),
}  # fmt: skip


@dataclass(frozen=True)
class Level(Metric):
    """The mean magnitude of the decoded speech."""

    name: ClassVar[str] = "level"
    label: ClassVar[str] = "Level"
    unit: ClassVar[str] = ""
    higher_is_better: ClassVar[bool] = True
    sample_rate_hz: ClassVar[int] = 16_000
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def score(self, ref: Wave, deg: Wave) -> Any:
        return float(np.abs(deg).mean())


def metric(name: str, score: Any = Level.score, **fields: Any) -> type[Metric]:
    """Return a metric class of that name that scores in another way or has other class fields."""
    made = dataclass(frozen=True)(type(name, (Level,), {"name": name, "score": score, **fields}))
    made.__module__, made.__qualname__ = __name__, name
    globals()[name] = made
    return made


def scoring(fault: str, work: Callable[[Wave, Wave], Any]) -> type[Metric]:
    return metric(f"scores-{fault}", lambda self, ref, deg: work(ref, deg))


# What a metric gives, and the reason in the record; None where the score is right after a cast.
SCORES: dict[str, tuple[Callable[[Wave, Wave], Any], str | None]] = {
    "tuple": (lambda r, d: (1.0, 2.0), "gave tuple of 2, not a number"),
    "text": (lambda r, d: "1.5", "gave str, not a number"),
    "none": (lambda r, d: None, "gave NoneType, not a number"),
    "true": (lambda r, d: True, "gave bool, not a number"),
    "complex": (lambda r, d: 1j, "gave complex, not a number"),
    "decimal": (lambda r, d: Decimal("1"), "gave Decimal, not a number"),
    "array": (lambda r, d: np.ones(1), "gave an array float64 [1], not a number"),
    "generator": (lambda r, d: (x for x in "1"), "gave generator, not a number"),
    "nan": (lambda r, d: np.nan, "gave nan"),
    "infinite": (lambda r, d: -np.inf, "gave -inf"),
    "enormous": (lambda r, d: 10**400, "gave 1000000"),
    "exit": (lambda r, d: sys.exit(3), "SystemExit: 3 (raised by the plugin)"),
    "stop": (lambda r, d: throw(Stop()), "Stop (raised by the plugin)"),
    "escape": (lambda r, d: throw(Unscorable("\x1b[31m\udcff")), r"\x1b[31m\udcff"),
    "long": (lambda r, d: throw(Unscorable("y" * 3_000_000)), "(2998"),
    "in-place": (lambda r, d: in_place(r), "ValueError: assignment destination is read-only"),
    "by-address": (lambda r, d: by_address(d) or 1.0, "was given a read-only wave and changed it in place"),
    "float32": (lambda r, d: np.float32(0.5), None),
    "int64": (lambda r, d: np.int64(1), None),
    "scalar": (lambda r, d: np.array(0.5), None),
    "print": (lambda r, d: print("NOISE") or 0.5, None),  # noqa: T201
}  # fmt: skip


def _unpicklable(self: Any) -> Any:
    raise TypeError("holds a lock")


# Metrics that must not enter a run, by entry point, and what their author is told.
METRICS: dict[str, tuple[Any, str]] = {
    "measures-stoi": (metric("stoi"), "name is 'stoi', but the entry point is 'measures-stoi'"),
    "measures-rate": (metric("measures-rate", sample_rate_hz="16k"), "sample_rate_hz is '16k'"),
    "measures-range": (metric("measures-range", value_range=(1.0, 0.0)), "does not go from low to high"),
    "measures-span": (metric("measures-span", value_range=None), "value_range is NoneType"),
    "measures-label": (metric("measures-label", label=""), "label is empty"),
    "measures-unit": (metric("measures-unit", unit="a\x00"), "unit is "),
    "measures-packages": (metric("measures-packages", distributions="av"), "distributions is 'av', not a tuple"),
    "measures-better": (metric("measures-better", higher_is_better="yes"), "higher_is_better is 'yes'"),
    "measures-golden": (metric("measures-golden", golden={"identity": 1}), "golden is dict"),
    "measures-bibtex": (metric("measures-bibtex", bibtex="Doe 2020"), "bibtex begins with 'Doe 2020'"),
    "measures-pickle": (metric("measures-pickle", __reduce__=_unpicklable), "cannot be sent to a worker (TypeError"),
    "measures-dict": (dict, "the entry point made dict, not a codecbench.Metric"),
    "utterance": (metric("utterance"), "a column of every record has this name"),
}  # fmt: skip
CITED = metric(
    "cited",
    bibtex="@misc{doe2020,\n  title={Level}}",
    golden=Golden(0.0566, 0.0580, 0.0544, 0.01, False, (0.04, 0.07)),
    value_range=(np.float32(0), np.float32(1)),
    version=np.int64(2),
)


def _set(**fields: Any) -> Dataset:
    items = tuple(Utterance(ident, Path(__file__), "s", 1.0) for ident in fields.pop("ids", ("a", "b")))
    return Dataset(**({"name": "n", "utterances": items, "revision": "r"} | fields))


def source(
    name: str, load: Callable[[], Any], fetch: Callable[[], Any] = lambda: None
) -> type[DatasetSource]:
    """Return a source of a set, under ``name``, that fetches and loads so."""

    def make(self: Any) -> None:
        DatasetSource.__init__(self, name, "a set", "CC0-1.0")

    methods = {"check": lambda self: None, "load": lambda self: load(), "fetch": lambda self, _: fetch()}
    return type(name, (DatasetSource,), {"__init__": make, **methods})


# Datasets that cannot be used, by entry point, and what their author is told.
SETS: dict[str, tuple[Any, str]] = {
    "set-raises": (source("set-raises", lambda: {}["x"]), "cannot be loaded (KeyError: 'x')"),
    "set-fetch": (source("set-fetch", _set, lambda: 1 / 0), "cannot be loaded (ZeroDivisionError"),
    "set-exits": (source("set-exits", lambda: sys.exit(3)), "cannot be loaded (SystemExit: 3"),
    "set-name": (source("another", _set), "its name is 'another'"),
    "set-dict": (source("set-dict", dict), "load() gave dict, not a Dataset"),
    "set-none": (dict, "the entry point made dict, not a DatasetSource"),
    "set-empty": (source("set-empty", lambda: _set(ids=())), "utterances is tuple of 0"),
    "set-list": (source("set-list", lambda: _set(utterances=[1])), "utterances is list of 1"),
    "set-twice": (source("set-twice", lambda: _set(ids=("a", "a"))), "two utterances have one id"),
    "set-climbs": (source("set-climbs", lambda: _set(ids=("../a",))), "the id '../a' is no file name"),
    "set-text": (source("set-text", lambda: _set(licence=None)), "licence is None, not one line of text"),
    "set-lines": (source("set-lines", lambda: _set(name="a\nb")), "name is 'a\\nb', not one line of text"),
}  # fmt: skip
_LOADED = {name.replace("-", "_"): row[0] for name, row in SETS.items()}
_MADE = {f"enters-{name}".replace("-", "_"): row[0] for name, row in ENTERS.items()}
_SCORING = {f"scores-{name}": scoring(name, row[0]) for name, row in SCORES.items()}
_MEASURING = {name.replace("-", "_"): row[0] for name, row in METRICS.items()}
globals().update(
    _MADE | _LOADED | {name.replace("-", "_"): made for name, made in _SCORING.items()} | _MEASURING
)


def install(folder: Path) -> None:
    """Write the metadata of a package whose entry points are the rows of the tables, and some more."""
    codecs = {name.replace("_", "-"): f"hostile:{name}" for name in _MADE} | {
        "hostile": "hostile:Hostile",
        "bad name/": "hostile:Good",
        "imports-raise": "hostile_at_import:raises",
        "imports-exit": "hostile_at_import_exit:exits",
        "imports-print": "hostile_at_import_print:Printing",
        "imports-nothing": "hostile_missing:Nothing",
        "pcm": "hostile:Good",
    }
    metrics = {name: f"hostile:{name.replace('-', '_')}" for name in (*_SCORING, *METRICS)} | {
        "cited": "hostile:CITED"
    }
    info = folder / "codecbench_hostile-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: codecbench-hostile\nVersion: 1\n")
    sets = {name: f"hostile:{name.replace('-', '_')}" for name in SETS}
    groups = {"codecbench.codecs": codecs, "codecbench.metrics": metrics, "codecbench.datasets": sets}
    lines = [
        line
        for group, points in groups.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (folder / "hostile_at_import.py").write_text("raise RuntimeError('not\\ntoday')\n")
    (folder / "hostile_at_import_exit.py").write_text("import sys\nsys.exit(5)\n")
    (folder / "hostile_at_import_print.py").write_text(
        "import os\nprint('NOISE')\nos.write(1, b'NOISE')\nos.chdir('/')\n"
        "from hostile import Good, INFO, replace\n"
        "class Printing(Good):\n    info = replace(INFO, name='imports-print')\n"
    )
