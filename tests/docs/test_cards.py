"""Figures of the cards of classical codecs, Lyra and the hub: held against the code, or marked records."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from codecbench import registry
from codecbench.codec import Codec, OperatingPoint
from codecbench_classical import opus, silk, speex
from codecbench_classical.codec2 import FILE_HEADER_BYTES, Codec2
from codecbench_hub.table import MODELS
from codecbench_lyra import codec as lyra
from parity import REQUIREMENTS
from released import RELEASED
from told import Told, missing, read, records, unheld


def told(text: str, figures: Callable[[], Any] = tuple) -> Told:
    return Told(text, figures)


@cache
def codec(name: str) -> Codec:
    return registry.codec(name)


def default(name: str) -> list[OperatingPoint]:
    return [point for point in codec(name).points if point.default]


def rates(name: str) -> str:
    """Return the default rates of a codec, each once, as a card lists them."""
    return ", ".join(dict.fromkeys(f"{point.nominal_kbps:g}" for point in default(name)))


def asked(points: list[OperatingPoint]) -> list[str]:
    return [f"{point.settings['bit_rate'] / 1000:g}" for point in points]


def steady() -> list[OperatingPoint]:
    """Return Opus' default points of 20 ms frames."""
    return [point for point in default("opus") if point.settings["frame_ms"] == 20]


def as_stored(kbps: float, frame_ms: int, extra_bytes: int = 0) -> float:
    """Return the rate of frames of whole bytes that hold a rate."""
    return (-(-round(kbps * frame_ms) // 8) + extra_bytes) * 8 / frame_ms


def others(name: str) -> tuple[float, float, float]:
    """Return the step between all points of a codec, and the lowest and highest that are not default."""
    every = sorted(point.nominal_kbps for point in codec(name).points)
    named = sorted(point.nominal_kbps for point in codec(name).points if not point.default)
    (step,) = {round(b - a, 9) for a, b in itertools.pairwise(every)}
    return step, named[0], named[-1]


CLASSICAL = [
    told("opus` | libopus in PyAV | {} | {}; more by name | {:g} | {:g} (60 ms frames: {:g})", lambda: (
        codec("opus").info.licence, ", ".join(p.name for p in steady()), opus.RATE_HZ / 1000,
        *(codec("opus").delay_ms(point) for point in default("opus") if point.name in ("6", "6-60ms")),
    )),
    told("codec2` | libcodec2 in pycodec2 | LGPL-2.1 | {} | {:g} | {:.0f} to {:.0f} by mode", lambda: (
        rates("codec2"), Codec2.info.sample_rate_hz / 1000,
        *(edge(Codec2().delay_ms(point) for point in Codec2.points) for edge in (min, max)),
    )),
    told("amr-nb` | OpenCORE in PyAV | {} | {} | {:g} | {:g} |", lambda: plain("amr-nb")),
    told("g722` | FFmpeg in PyAV | LGPL-2.1+ | {} | {:g} | {:g} |", lambda: plain("g722")[1:]),
    told("silk` | SILK SDK in silk-python | {} | {} | {:g} | {:g} |", lambda: plain("silk")),
    told("lc3` | liblc3 in lc3py | {} | {} | {:g} | {:g} |", lambda: plain("lc3")),
    told("speex` | the system's libspeex | {} | {} ... {} | {:g} | {:g} |", lambda: ends("speex")),
    told("OpenCORE in PyAV | {} | {} ... {} | {:g} | {:g} |", lambda: ends("amr-wb")),
    told("brings the first six"),
    told("the {}-byte identification header", lambda: len(opus.HEADER)),
    told("({} byte below 252), {:.1f} kbit/s at 20 ms", lambda: (
        opus._container_bytes((251,), True) - opus._container_bytes((), True), 8 / 20)),
    told("the SDK's file format, {} bytes and {} for each packet", lambda: (
        len(silk.MAGIC), silk.LENGTH_BYTES)),
    told("(5.9 kbit/s becomes {:g} there)", lambda: as_stored(5.9, 20, 1)),
    told("the library fills 1.3 up to {:g} and 0.7 up to {:g} kbit/s", lambda: (
        as_stored(1.3, 40), as_stored(0.7, 40))),
    told("the {}-byte header of a `.c2` file", lambda: FILE_HEADER_BYTES),
    told("the {}-byte header and the filler", lambda: speex.OGG_HEADER_BYTES),
    told("{} for 6, {} for 8, {} for 12, {} for 16, {} for 24, {} for 32;", lambda: tuple(asked(steady()))),
    told("SILK {}, {}, {}, {}, {}.", lambda: tuple(asked(default("silk")))),
    told("`6-60ms` trades {:g} ms of delay for better speech at 6 kbit/s", lambda: 60 - 20),
    told("**Opus is given {:g} kHz**, so that it never spends bits on a band that {:g} kHz speech", lambda: (
        opus.RATE_HZ / 1000, opus.RATE_HZ / 1000)),
    told("output at {:g} kHz is resampled", lambda: opus.DECODER_HZ / 1000),
    told("SILK's output is taken at {:g} kHz", lambda: silk.DECODER_HZ / 1000),
    told("{:g} kHz codecs are scored at {:g} kHz", lambda: (
        Codec2.info.sample_rate_hz / 1000, registry.metric("pesq-wb").sample_rate_hz / 1000)),
]  # fmt: skip


def plain(name: str) -> tuple[Any, ...]:
    """Return licence, rates, kHz and delay of a codec."""
    info = codec(name).info
    return info.licence, rates(name), info.sample_rate_hz / 1000, info.algorithmic_delay_ms


def ends(name: str) -> tuple[Any, ...]:
    """Return the same with the lowest and the highest rate alone."""
    licence, every, khz, delay = plain(name)
    listed = every.split(", ")
    return licence, listed[0], listed[-1], khz, delay


LYRA = [
    told("up to {} residual quantizers of {} bits", lambda: (
        lyra.MAX_QUANTIZERS, (lyra.CODEBOOK_SIZE - 1).bit_length())),
    told("Google's speech codec of 2022"),
    told("https://github.com/google/lyra, version 1.3"),
    told("| {:.1f}, {:.1f}, {:.1f} kbit/s ({}, {}, {} quantizers)", lambda: (
        *(point.nominal_kbps for point in default("lyra")),
        *(point.settings["quantizers"] for point in default("lyra")))),
    told("every other step of {:g} from {:g} to {:g} by name", lambda: others("lyra")),
    told("{:g} kHz, {} samples, {:g} a second", lambda: (
        lyra.RATE_HZ / 1000, lyra.HOP, codec("lyra").info.frame_rate_hz)),
    told("one frame, {:g} ms; measured lag 0", lambda: codec("lyra").info.algorithmic_delay_ms),
    told("three files, {:.1f} MB", lambda: lyra.SOURCE.size / 1e6),
    told("the payload is the {}-bit indices", (lyra.CODEBOOK_SIZE - 1).bit_length),
    told("a frame is whole bytes ({:g}, {:g}, {:g})", lambda: tuple(
        point.nominal_kbps * 1000 / 50 / 8 for point in default("lyra"))),
    told("Only {:.1f}, {:.1f} and {:.1f} were trained for", lambda: tuple(
        point.nominal_kbps for point in default("lyra"))),
]  # fmt: skip


def ladder(name: str) -> str:
    """Return all rates of a hub codec as its row has them: by step where there is one, else each."""
    every = [point.nominal_kbps for point in codec(name).points]
    steps = {round(b - a, 9) for a, b in itertools.pairwise(every)}
    if len(steps) == 1:
        return f"{every[0]:g} to {every[-1]:g} by {steps.pop():g}"
    named = "".join(f"; {point.nominal_kbps:g}" for point in codec(name).points if not point.default)
    return ", ".join(f"{point.nominal_kbps:.3g}" for point in default(name)) + named


def hub_row(name: str, delay: str, frames: str = "{:g} | {} x {}") -> Told:
    """Return the end of a model's row, from its frame rate on; ``delay`` has {} where a figure stands."""
    model = MODELS[name]
    late = () if "{" not in delay else (codec(name).info.algorithmic_delay_ms,)
    sizes = model.frame_rate_hz, model.streams, model.bits
    words = f"| {frames} | {{}} | {{:.1f}} M | {delay} |"
    return told(words, lambda: (*sizes, ladder(name), model.parameters / 1e6, *late))


HUB = [
    hub_row("encodec", "{:.1f} ms, causal"),
    hub_row("dac", "not causal"),
    hub_row("dac-24k", "not causal"),
    hub_row("mimi", "{:g} ms, causal"),
    hub_row("xcodec", "whole file"),
    hub_row("xcodec2", "whole file"),
    hub_row("neucodec", "whole file"),
    hub_row("snac", "not causal", "{:.1f} x (1 + 2 + 4) | {} x {} a frame"),
    *(told("| {:g} ", lambda name=name: MODELS[name].sample_rate_hz / 1000) for name in ("dac", "encodec")),
    told("| {:g} in, 24 out ", lambda: MODELS["neucodec"].sample_rate_hz / 1000),
    told("The default ladder of `dac` is {}, of `dac-24k` {}, of `mimi` {};", lambda: (
        rates("dac"), rates("dac-24k"), ", ".join(point.name for point in default("mimi")))),
    told("{:g} kbit/s (one codebook, printed in papers) is the first codebook of {:g}", lambda: (
        MODELS["encodec"].bits * MODELS["encodec"].frame_rate_hz / 1000, default("encodec")[0].nominal_kbps)),
    told("NeuCodec gives 24 kHz; the suite judges it at its input's {:g} kHz", lambda: (
        MODELS["neucodec"].sample_rate_hz / 1000)),
    told("Seven codes a frame of {:.0f} ms", lambda: (
        1000 * 7 * 12 / codec("snac").points[0].nominal_kbps / 1000)),
    told("public records give {:,} values for EnCodec, {:,} parameters in {} tensors ({:,} values) for Mimi, "
         "{} tensors for X-Codec2, {} tensors of {:,} values for NeuCodec", lambda: (
        RELEASED["encodec"].values, MODELS["mimi"].parameters,
        RELEASED["mimi"].tensors, RELEASED["mimi"].values,
        RELEASED["xcodec2"].tensors, RELEASED["neucodec"].tensors, RELEASED["neucodec"].values)),
    told("the sizes that {:.1f} and {:.1f} million values take", lambda: tuple(
        MODELS[name].parameters / 1e6 for name in ("dac", "dac-24k"))),
    told("through `encodec` {} and `descript-audio-codec` {}", lambda: tuple(
        pin.partition("==")[2] for pin in REQUIREMENTS if pin.startswith(("encodec", "descript")))),
]  # fmt: skip
CARDS = {"classical": CLASSICAL, "lyra": LYRA, "hub": HUB}


EACH = [(card, item) for card, items in CARDS.items() for item in items]


@pytest.mark.parametrize(("card", "item"), EACH, ids=[f"{card}: {item.text[:40]}" for card, item in EACH])
def test_what_a_card_says_is_what_the_code_has(card: str, item: Told) -> None:
    assert missing(read(f"codecs/{card}/README.md"), item) is None


@pytest.mark.parametrize("card", CARDS)
def test_no_other_figure_stands_on_a_card(card: str) -> None:
    assert unheld(read(f"codecs/{card}/README.md"), CARDS[card]) == []


def test_a_record_names_its_command() -> None:
    assert all("`make parity`" in block for block in records(read("codecs/hub/README.md")))
