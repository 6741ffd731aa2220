"""A plugin package for tests: codecs and metrics that are quick, and some that fail in a chosen way."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click
import numpy as np

from codecbench.codec import Codec, CodecInfo, Coded, OperatingPoint, Wave
from codecbench.errors import Unavailable, Unscorable
from codecbench.metric import Metric

LOUD = 0.9
"""A wave whose peak lies above this triggers the faults."""


def take_down_or_hang(fault: str, detail: str) -> None:
    """End the process, take its memory or never come back, where the fault is one of these."""
    match fault:
        case "exit":
            os._exit(3)
        case "segfault":
            ctypes.string_at(0)
        case "once":
            marker = Path(detail.replace("|", "/"))
            if not marker.exists():
                marker.touch()
                os._exit(3)
        case "hang":
            time.sleep(60)
        case "hold":
            # A call of C that keeps the interpreter's lock: no other Python thread runs meanwhile.
            ctypes.PyDLL(None).sleep(60)
        case "child":
            subprocess.run(["sleep", "60"], check=True)
        case "stubborn":
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                time.sleep(60)
        case "memory":
            taken = np.ones(int(float(detail) * 1e9), np.uint8)
            time.sleep(60)
            del taken


def info(name: str, **fields) -> CodecInfo:
    given = {"description": "for tests", "version": "1", "sample_rate_hz": 16_000, "licence": "CC0-1.0"}
    return CodecInfo(name=name, **(given | fields))


class Fake(Codec):
    """Keeps every n-th sample in 8 bits: 16000 / n * 8 bit/s.  Its tokens are the bytes."""

    info = info("fake", algorithmic_delay_ms=2.5)
    points = (
        OperatingPoint("64", 64, {"step": 2}),
        OperatingPoint("32", 32, {"step": 4}),
        OperatingPoint("16", 16, {"step": 8}, default=False),
        OperatingPoint("16-again", 16, {"step": 8}, default=False),
    )
    opened = 0
    encoded = 0

    def open(self, device: str = "cpu") -> None:
        type(self).opened += 1

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        type(self).encoded += 1
        kept = np.clip(np.round(wave[:: int(point.settings["step"])] * 127), -127, 127).astype(np.int8)
        codes = kept.astype(np.int64)[None] + 128
        return Coded(kept.tobytes(), wave.size, 10, (len(kept),), codes)

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        assert coded.codes is None, "only the payload may reach the decoder"
        kept = np.frombuffer(coded.payload, np.int8).astype(np.float32) / 127
        return np.repeat(kept, int(point.settings["step"]))[: coded.length]


class Narrow(Fake):
    """The same at 8 kHz."""

    info = info("fake-8k", sample_rate_hz=8_000)
    points = (OperatingPoint("32", 32, {"step": 2}),)


class Late(Fake):
    """Output comes the given number of samples late."""

    points = (OperatingPoint("128", 128, {"step": 1}),)

    def __init__(self, samples: str = "80") -> None:
        self.samples = int(samples)
        self.info = info("fake-late", version=samples)

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        wave = super().decode(coded, point)
        return np.concatenate([np.zeros(self.samples, np.float32), wave])[: coded.length]


class Heavy(Fake):
    """Takes 200 MB while it decodes."""

    info = info("fake-heavy")
    points = (OperatingPoint("64", 64, {"step": 2}),)

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        taken = np.ones(200_000_000, np.uint8)
        return super().decode(coded, point) * taken[0]


class Absent(Fake):
    info = info("fake-absent")

    def check(self) -> None:
        raise Unavailable("its library is not here", "run: install it")


class Faulty(Fake):
    """Fails on loud waves in the way that its argument names."""

    def __init__(self, fault: str = "raise") -> None:
        self.fault, _, self.detail = fault.partition("=")
        self.info = info("fake-faulty", version=fault)

    def open(self, device: str = "cpu") -> None:
        if self.fault == "where":
            Path(self.detail.replace("|", "/"), f"{os.environ.get('WORKER', 'here')} {device}").touch()
        if self.fault == "open":
            type(self).opened += 1
            raise RuntimeError("no such model")

    def signature(self) -> str:
        extra = f"|pid:{os.getpid()}" if self.fault == "drift" else ""
        return super().signature() + extra

    def encode(self, wave: Wave, point: OperatingPoint) -> Coded:
        coded = super().encode(wave, point)
        if np.abs(wave).max(initial=0) < LOUD:
            return coded
        take_down_or_hang(self.fault, self.detail)
        match self.fault:
            case "raise":
                raise RuntimeError("cannot\nencode this")
            case "length":
                return Coded(coded.payload, wave.size - 1)
            case "packets":
                return Coded(coded.payload, wave.size, 0, (1,))
            case "none":
                return None
        return coded

    def decode(self, coded: Coded, point: OperatingPoint) -> Wave:
        wave = super().decode(coded, point)
        if np.abs(wave).max(initial=0) < LOUD:
            return wave
        match self.fault:
            case "short":
                return wave[:-1]
            case "nan":
                return wave * np.float32(np.nan)
            case "float64":
                return wave.astype(np.float64)
        return wave


class FaultyBatch(Faulty):
    """The same of several utterances at once."""

    batches = True

    def __init__(self, fault: str = "raise") -> None:
        super().__init__(fault)
        self.info = info("fake-faulty-batch", version=fault)


@dataclass(frozen=True)
class Snr(Metric):
    name: ClassVar[str] = "fake-snr"
    label: ClassVar[str] = "SNR"
    unit: ClassVar[str] = "dB"
    higher_is_better: ClassVar[bool] = True
    sample_rate_hz: ClassVar[int] = 16_000
    value_range: ClassVar[tuple[float, float]] = (-np.inf, np.inf)

    eps: float = 1e-9

    def score(self, ref: Wave, deg: Wave) -> float:
        noise = np.mean((ref - deg) ** 2, dtype=np.float64) + self.eps
        return float(10 * np.log10(np.mean(ref**2, dtype=np.float64) / noise))


@dataclass(frozen=True)
class Level(Snr):
    name: ClassVar[str] = "fake-level"
    sample_rate_hz: ClassVar[int] = 8_000
    minimum_seconds: ClassVar[float] = 0.2

    def score(self, ref: Wave, deg: Wave) -> float:
        return float(np.abs(deg).mean())


@dataclass(frozen=True)
class Crash(Snr):
    """Ends its process on loud speech, as PESQ's C code does on long clips."""

    name: ClassVar[str] = "fake-crash"

    def score(self, ref: Wave, deg: Wave) -> float:
        if np.abs(ref).max() > LOUD:
            os.kill(os.getpid(), 11)
        return super().score(ref, deg)


@dataclass(frozen=True)
class Raise(Snr):
    name: ClassVar[str] = "fake-raise"

    def score(self, ref: Wave, deg: Wave) -> float:
        if np.abs(ref).max() > LOUD:
            raise ValueError("bad\nluck")
        raise Unscorable("never can")


@dataclass(frozen=True)
class Missing(Snr):
    name: ClassVar[str] = "fake-missing"

    def check(self) -> None:
        raise Unavailable("its library is not here", "run: install it")


@click.command()
def hello() -> None:
    """Say hello."""
    click.echo("hello")
