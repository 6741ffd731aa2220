"""Coding and decoding through PyAV, packet by packet, without a container."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codecbench.errors import InvalidPayload
from codecbench_classical.packets import Pcm16, require, version

VERSION = version("av")


def check() -> None:
    """Raise `Unavailable` unless PyAV is installed."""
    require("av", "PyAV")


def encode(
    codec: str,
    frames: NDArray[np.int16] | NDArray[np.float32],
    rate_hz: int,
    bit_rate: int,
    options: Mapping[str, str] | None = None,
) -> list[bytes]:
    """Code frames with one of FFmpeg's encoders.

    Parameters
    ----------
    codec : str
        FFmpeg's name of the encoder.
    frames : int16 or float32 [count, frame]
        Whole frames, mono.
    rate_hz : int
        Sample rate.
    bit_rate : int
        In bit/s, as the encoder understands it.
    options : Mapping[str, str], optional
        The encoder's private options.

    Returns
    -------
    list of bytes
        Packets in order; the encoder may add one for what it held back.
    """
    from fractions import Fraction

    import av

    sample_format = "s16" if frames.dtype == np.int16 else "flt"
    context: Any = av.CodecContext.create(codec, "w")
    context.sample_rate = rate_hz
    context.layout = "mono"
    context.format = sample_format
    context.bit_rate = bit_rate
    context.time_base = Fraction(1, rate_hz)
    context.options = dict(options or {})
    packets: list[bytes] = []
    for index, samples in enumerate(frames):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), sample_format, "mono")
        frame.sample_rate = rate_hz
        frame.pts = index * samples.size
        packets += [bytes(packet) for packet in context.encode(frame)]
    if len(frames):
        packets += [bytes(packet) for packet in context.encode(None)]
    return packets


def decode(codec: str, packets: Iterable[bytes], rate_hz: int, header: bytes | None = None) -> list[Pcm16]:
    """Decode packets with one of FFmpeg's decoders to int16 frames, mono.

    Raises
    ------
    InvalidPayload
        If the decoder refuses a packet.
    """
    import av

    context: Any = av.CodecContext.create(codec, "r")
    context.sample_rate = rate_hz
    context.layout = "mono"
    context.extradata = header
    decoded: list[Pcm16] = []
    try:
        for packet in packets:
            decoded += [frame.to_ndarray().reshape(-1) for frame in context.decode(av.Packet(packet))]
    except av.error.FFmpegError as error:
        raise InvalidPayload(f"{codec} cannot decode a packet ({error.strerror}); it is damaged") from None
    return decoded
