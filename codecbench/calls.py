"""Calls of plugins: their code guarded, waves lent read-only, and what they return checked and cast.

Everybody who runs a codec or a metric does it through these functions: the runner, ``encode`` and ``decode``
of the command line, the self-test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from codecbench import returned
from codecbench.codec import Codec, Coded, OperatingPoint, Wave
from codecbench.errors import BadReturn, CodecBenchError, InvalidPayload, told
from codecbench.guard import guarded
from codecbench.metric import Metric
from codecbench.plain import kind

Timed = Callable[[Callable[[], Any]], tuple[Any, float]]
"""Calls a function and returns its result and the seconds it took."""


def untimed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Call a function, without looking at a clock."""
    return work(), 0.0


def open_codec(codec: Codec, device: str = "cpu") -> None:
    """Load what a codec needs; see `Codec.open`."""
    with guarded(loading=True):
        codec.open(device)


def encode(codec: Codec, wave: Wave, point: OperatingPoint, timed: Timed = untimed) -> tuple[Coded, float]:
    """Code one utterance; return what came of it as plain types, and the seconds it took.

    Raises
    ------
    BadReturn
        If the codec returned something else, or changed the wave.
    """
    lent = returned.lend(wave)
    with guarded():
        given, seconds = timed(lambda: codec.encode(lent, point))
    returned.check_unchanged(lent, wave, "the encoder")
    return returned.coded(given, wave.size), seconds


def decode(codec: Codec, coded: Coded, point: OperatingPoint, timed: Timed = untimed) -> tuple[Wave, float]:
    """Decode from payload and framing alone; return float32 [coded.length], read-only, and the seconds.

    Raises
    ------
    BadReturn
        If the codec returned something else.
    """
    received = Coded(coded.payload, coded.length, coded.container_bytes, coded.packet_bytes)
    with guarded():
        given, seconds = timed(lambda: codec.decode(received, point))
    return returned.wave(given, coded.length), seconds


def encode_batch(
    codec: Codec, waves: Sequence[Wave], point: OperatingPoint, timed: Timed = untimed
) -> tuple[list[Coded], float]:
    """Code utterances at once; return what came of each, and the seconds all took; see `encode`."""
    lent = [returned.lend(wave) for wave in waves]
    with guarded():
        given, seconds = timed(lambda: codec.encode_batch(lent, point))
    for mine, wave in zip(lent, waves, strict=True):
        returned.check_unchanged(mine, wave, "the encoder")
    each = returned.several(given, len(waves), "encode_batch")
    return [returned.coded(one, wave.size) for one, wave in zip(each, waves, strict=True)], seconds


def decode_batch(
    codec: Codec, coded: Sequence[Coded], point: OperatingPoint, timed: Timed = untimed
) -> tuple[list[Wave], float]:
    """Decode utterances at once; return the wave of each, and the seconds all took; see `decode`."""
    received = [Coded(it.payload, it.length, it.container_bytes, it.packet_bytes) for it in coded]
    with guarded():
        given, seconds = timed(lambda: codec.decode_batch(received, point))
    each = returned.several(given, len(coded), "decode_batch")
    return [returned.wave(one, it.length) for one, it in zip(each, coded, strict=True)], seconds


def score(metric: Metric, ref: Wave, deg: Wave) -> float:
    """Score one pair; return a finite number.

    Raises
    ------
    Unscorable
        If the pair has no score.
    BadReturn
        If the metric returned no number, or changed a wave.
    """
    lent = returned.lend(ref), returned.lend(deg)
    with guarded():
        given = metric(*lent)
    for mine, whole in zip(lent, (ref, deg), strict=True):
        returned.check_unchanged(mine, whole, metric.name)
    return returned.score(given, metric.name)


def knowing(metric: Metric, about: Mapping[str, str]) -> Metric:
    """Return a metric as it scores the utterance of which a set says ``about``; see `Metric.knowing`."""
    with guarded():
        found = metric.knowing(about)
    if not isinstance(found, Metric) or found.name != metric.name:
        raise BadReturn(f"knowing() of {metric.name} gave {kind(found)}, not the same metric")
    return found


def weight(metric: Metric, ref: Wave) -> float:
    """Return what an utterance counts in means; raises `BadReturn` if that is no finite number above 0."""
    lent = returned.lend(ref)
    with guarded():
        given = metric.weight(lent)
    return returned.weight(given, metric.name)


def pack(codec: Codec, coded: Coded, point: OperatingPoint) -> bytes | None:
    """Return a file in the codec's own format, or None; see `Codec.pack`."""
    with guarded():
        made = codec.pack(coded, point)
    if made is not None and not isinstance(made, bytes):
        raise BadReturn(f"pack() gave {type(made).__name__}, not bytes or None")
    return made


def unpack(codec: Codec, data: bytes) -> tuple[Coded, OperatingPoint]:
    """Return coded speech and point of a file in the codec's own format; see `Codec.unpack`."""
    try:
        with guarded():
            coded, point = codec.unpack(data)
    except CodecBenchError:
        raise
    except Exception as error:
        raise InvalidPayload(f"codec {codec.info.name!r} cannot read it ({told(error)})") from error
    if not isinstance(coded, Coded) or not isinstance(point, OperatingPoint):
        raise BadReturn(f"unpack() of {codec.info.name!r} gave no (Coded, OperatingPoint)")
    return coded, point
