"""Conformance tests of a codec: anybody's, by name, as ``codecbench selftest --codec NAME`` runs them.

Each check is a function of a `Subject` that raises where the codec is wrong and returns what it found; its
docstring is what the check expects.  `CHECKS` holds them all by name.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from codecbench import audio, calls, contract, registry
from codecbench.codec import Codec, Coded, DecodedFiles, OperatingPoint, Wave
from codecbench.errors import (
    BadReturn,
    CodecBenchError,
    ContractBroken,
    InvalidInput,
    InvalidPayload,
    Unavailable,
    told,
)
from codecbench.testing import signals
from codecbench.testing.results import CheckResult

KINDS = ("classical", "neural", "anchor", "files")
LENGTHS = (0, 1, 2, 159, 161, 319, 320, 321, 2_047, 4_001)
"""Samples: none, one, and around the frames of 10 and 20 ms that codecs like."""

SHORTEST_S = 0.1
"""Below this a codec may refuse a wave."""

BATCH_TOLERANCE = 1e-5
"""A third of a step of 16 bits."""

QUIET = 0.01
LOUDEST = 100.0
RATE_TOLERANCE = 0.25
"""How far the measured rate may lie from the nominal one on synthetic speech, which is simpler than real."""


class Broken(CodecBenchError):
    """A codec does not keep the contract."""


@dataclass(frozen=True)
class Subject:
    """A codec under test, opened, and how to make another like it."""

    spec: str

    @cached_property
    def codec(self) -> Codec:
        """The codec; raises `Unavailable` where it cannot run here."""
        return self.fresh()

    def fresh(self) -> Codec:
        """Return a new instance, opened, as another process would have it."""
        made = registry.codec(self.spec)
        contract.check_here(made)
        if isinstance(made, DecodedFiles):
            raise Unavailable(f"{self.spec} holds decoded files and does not code")
        calls.open_codec(made)
        return made

    @property
    def points(self) -> list[OperatingPoint]:
        """The lowest, a middle and the highest rate."""
        points = sorted(self.codec.points, key=lambda point: point.nominal_kbps)
        chosen = (points[0], points[len(points) // 2], points[-1])
        return list({point.name: point for point in chosen}.values())

    def voice(self, seconds: float) -> Wave:
        """Return speech-like sound at the codec's rate."""
        rate_hz = self.codec.info.sample_rate_hz
        speech = signals.speech_like(max(seconds, 1.0))
        return audio.resample(speech, signals.RATE_HZ, rate_hz)[: round(seconds * rate_hz)]

    def coded(self, wave: Wave, point: OperatingPoint) -> Coded:
        """Encode, and keep what reaches a decoder."""
        return replace(calls.encode(self.codec, wave, point)[0], codes=None)

    def decoded(self, coded: Coded, point: OperatingPoint) -> Wave:
        """Decode."""
        return calls.decode(self.codec, coded, point)[0]


def check_info(subject: Subject) -> str:
    """Info is complete: kind, description, version, licences, a rate of frames, https addresses."""
    info = subject.codec.info
    _require(info.kind in KINDS, f"info.kind is {info.kind!r}, not one of {', '.join(KINDS)}")
    for field in ("description", "version", "licence"):
        _require(bool(getattr(info, field)), f"info.{field} is empty")
    _require(info.kind != "neural" or bool(info.weights_licence), "info.weights_licence is empty")
    _require(info.kind == "anchor" or info.frame_rate_hz is not None, "info.frame_rate_hz is None")
    _require(not info.url or info.url.startswith("https://"), f"info.url {info.url!r} is not https")
    return f"{info.name} {info.version}, {info.sample_rate_hz} Hz, {info.licence}"


def check_points(subject: Subject) -> str:
    """Points are found by their names, one is default, an unknown name is refused with InvalidInput."""
    codec = subject.codec
    _require(any(point.default for point in codec.points), "no point is default; one at least shall be")
    for point in codec.points:
        _require(contract.point(codec, point.name) == point, f"point({point.name!r}) gives another point")
    _refuses(lambda: contract.point(codec, "no-such-point"), InvalidInput, "point('no-such-point')")
    return ", ".join(point.name for point in codec.points)


def check_signature(subject: Subject) -> str:
    """The signature begins with the name and is the same for every instance."""
    found, again = contract.signature(subject.codec), contract.signature(subject.fresh())
    _require(found.startswith(subject.codec.info.name), f"{found!r} does not begin with the codec's name")
    _require(found == again, f"{found!r} here and {again!r} in a fresh instance")
    return found


def check_lengths(subject: Subject) -> str:
    """Output is as long as input; only waves below 0.1 s may be refused, with InvalidInput."""
    rate_hz = subject.codec.info.sample_rate_hz
    for point in subject.points:
        for length in LENGTHS:
            wave = subject.voice(1.0)[:length]
            try:
                coded = subject.coded(wave, point)
            except InvalidInput as error:
                _require(length < SHORTEST_S * rate_hz, f"@{point.name}, {length} samples refused: {error}")
                continue
            subject.decoded(coded, point)
    return f"{len(LENGTHS)} lengths up to {LENGTHS[-1]} samples"


def check_decoding_alone(subject: Subject) -> str:
    """A payload decodes in a fresh instance, in any order, always to the same samples."""
    wave, fresh = subject.voice(0.7), subject.fresh()
    for point in subject.points:
        coded = subject.coded(wave, point)
        decoded = subject.decoded(coded, point)
        subject.decoded(subject.coded(-wave[::-1].copy(), point), point)
        again = subject.coded(wave, point)
        _require(again == coded, f"@{point.name}: encoding the same wave again gives other bytes")
        for codec, where in ((subject.codec, "again"), (fresh, "in a fresh instance")):
            same = np.array_equal(calls.decode(codec, coded, point)[0], decoded)
            _require(same, f"@{point.name}: the payload decodes to other samples {where}")
    return "the same bytes and samples"


def check_input(subject: Subject) -> str:
    """Encoding leaves its input alone, and clips samples beyond full scale."""
    loud = subject.voice(0.3) * np.float32(20)
    subject.decoded(subject.coded(loud, subject.points[0]), subject.points[0])
    return "input unchanged, output finite"


def check_silence(subject: Subject) -> str:
    """Silence stays quiet: a root mean square below 0.01."""
    loudest = 0.0
    for point in subject.points:
        wave = np.zeros(subject.codec.info.sample_rate_hz, np.float32)
        decoded = subject.decoded(subject.coded(wave, point), point)
        loudest = max(loudest, float(np.sqrt(np.mean(np.square(decoded)))))
    _require(loudest < QUIET, f"silence comes out at {loudest:.3g}")
    return f"{loudest:.2g}"


def check_tokens(subject: Subject) -> str:
    """A neural codec shows its tokens; packets add up to the payload."""
    streams = set()
    for point in subject.points:
        coded, _ = calls.encode(subject.codec, subject.voice(0.5), point)
        _require(subject.codec.info.kind != "neural" or coded.codes is not None, "Coded.codes is None")
        streams.add(0 if coded.codes is None else coded.codes.shape[0])
    return f"streams: {', '.join(map(str, sorted(streams)))}"


def check_damage(subject: Subject) -> str:
    """A payload of another size is refused with InvalidPayload: empty, cut, one byte too many."""
    point = subject.points[0]
    coded = subject.coded(subject.voice(0.5), point)
    others = {"no byte": b"", "one byte less": coded.payload[:-1], "one byte more": coded.payload + b"\0"}
    for what, payload in others.items():
        damaged = replace(coded, payload=payload)
        _refuses(partial(subject.decoded, damaged, point), InvalidPayload, f"a payload with {what}")
    return "refused"


def check_garbage(subject: Subject) -> str:
    """Random bytes are refused with InvalidPayload or decode to a bounded wave of the right length."""
    random, told_of = np.random.default_rng(1), set()
    for point in subject.points:
        coded = subject.coded(subject.voice(0.5), point)
        for payload in (random.bytes(len(coded.payload)), b"\xff" * len(coded.payload)):
            try:
                decoded = subject.decoded(replace(coded, payload=payload), point)
            except InvalidPayload:
                told_of.add("refused")
                continue
            loudest = float(np.abs(decoded).max(initial=0.0))
            _require(loudest < LOUDEST, f"@{point.name}: random bytes give samples up to {loudest:.3g}")
            told_of.add("decoded")
    return " or ".join(sorted(told_of))


def check_batches(subject: Subject) -> str:
    """Where a codec declares batches, these give the bytes of one at a time, and samples to within 1e-5."""
    codec = subject.codec
    if not codec.batches:
        return "not declared"
    whole, largest = subject.voice(1.0), 0.0
    waves = [whole[: int(part * whole.size)] for part in (0.81, 1.0, 0.9)] + [-whole[::-1].copy()]
    for point in subject.points:
        coded, _ = calls.encode_batch(codec, waves, point)
        single = [calls.encode(codec, wave, point)[0] for wave in waves]
        for one, other in zip(coded, single, strict=True):
            _require(replace(one, codes=None) == replace(other, codes=None), f"@{point.name}: other bytes")
            _require(np.array_equal(one.codes, other.codes), f"@{point.name}: other tokens")  # type: ignore[arg-type]
        decoded, _ = calls.decode_batch(codec, coded, point)
        for wave, one in zip(decoded, single, strict=True):
            apart = np.abs(wave - subject.decoded(one, point)).max(initial=0.0)
            largest = max(largest, float(apart))
            _require(apart <= BATCH_TOLERANCE, f"@{point.name}: samples differ by {apart:.3g}")
    return f"{len(waves)} at once, samples to within {largest:.1g}"


def check_rate(
    subject: Subject, waves: Sequence[Wave] | None = None, tolerance: float = RATE_TOLERANCE
) -> str:
    """The measured rate on speech is near the nominal one."""
    rate_hz = subject.codec.info.sample_rate_hz
    waves = [subject.voice(4.0)] if waves is None else waves
    seconds = sum(wave.size for wave in waves) / rate_hz
    told_of = []
    for point in subject.points:
        kbps = 8e-3 * sum(len(subject.coded(wave, point).payload) for wave in waves) / seconds
        told_of.append(f"{kbps:.4g} @{point.name}")
        near = math.isclose(kbps, point.nominal_kbps, rel_tol=tolerance)
        _require(near, f"@{point.name}: {kbps:.4g} kbit/s measured, {point.nominal_kbps:g} nominal")
    return "kbit/s: " + ", ".join(told_of)


CHECKS: dict[str, Callable[[Subject], str]] = {
    "info": check_info,
    "points": check_points,
    "signature": check_signature,
    "lengths": check_lengths,
    "decodes alone": check_decoding_alone,
    "input": check_input,
    "silence": check_silence,
    "tokens": check_tokens,
    "damage": check_damage,
    "garbage": check_garbage,
    "batches": check_batches,
    "rate": check_rate,
}


def check_codec(spec: str) -> Iterator[CheckResult]:
    """Run every check on the codec ``NAME`` or ``NAME:ARGUMENT``.

    Raises
    ------
    InvalidInput
        If there is no codec of that name.
    """
    subject, begin = Subject(spec), time.perf_counter()
    try:
        contract_name = subject.codec.info.name
    except InvalidInput:
        raise
    except ContractBroken as error:
        yield CheckResult(spec, "contract", "can enter a run", str(error), None, False, _since(begin))
        return
    except Unavailable as error:
        yield CheckResult(spec, "available", "can run here", str(error), None, None, _since(begin))
        return
    except Exception as error:
        yield CheckResult(spec, "open", "opens", told(error), None, False, _since(begin))
        return
    for name, check in CHECKS.items():
        begin = time.perf_counter()
        try:
            measured, passed = check(subject), True
        except Exception as error:
            measured, passed = told(error), False
        yield CheckResult(contract_name, name, _expectation(check), measured, None, passed, _since(begin))


def _expectation(check: Callable[..., str]) -> str:
    return (check.__doc__ or "").partition("\n")[0].rstrip(".")


def _require(right: bool, otherwise: str) -> None:
    if not right:
        raise Broken(otherwise)


def _refuses(work: Callable[[], object], error: type[Exception], what: str) -> None:
    try:
        work()
    except error:
        return
    except BadReturn:
        pass  # it was taken for good, and what came of it is wrong
    except Exception as other:
        raise Broken(f"{what} gives {told(other)}, not {error.__name__}") from other
    raise Broken(f"{what} is taken for good, not refused with {error.__name__}")


def _since(begin: float) -> float:
    return time.perf_counter() - begin
