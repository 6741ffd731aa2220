"""``codecbench encode`` and ``codecbench decode``: files through any codec."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from codecbench import audio, calls, contract, registry
from codecbench.cli.progress import note
from codecbench.codec import Codec, Coded, OperatingPoint, Wave
from codecbench.container import SUFFIX, Header, pack, unpack
from codecbench.errors import CodecBenchError, InvalidInput, InvalidPayload, Unavailable, told
from codecbench.files import write_bytes_atomically
from codecbench.run.devices import check_one
from codecbench.run.requests import parse_codecs

_FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
_TO = click.option(
    "--to", type=click.Path(path_type=Path), help="Folder to write to.  [default: beside each file]"
)
_OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace files that exist.")
_DEVICE = click.option(
    "--device", default="cpu", show_default=True, help="For neural codecs: cpu, cuda or mps."
)


@click.command()
@_FILES
@click.option("--codec", "spec", required=True, help="NAME[:FILE][@POINT]; the first point by default.")
@_TO
@_OVERWRITE
@_DEVICE
def encode(files: tuple[Path, ...], spec: str, to: Path | None, overwrite: bool, device: str) -> None:
    """Code audio FILES into one .cbn file each."""
    check_one(device)
    name, codec, point = _codec_and_point(spec)
    targets = _targets(files, to, SUFFIX, overwrite)
    with _blaming(name, "opening"):
        calls.open_codec(codec, device)
    for source, target in targets.items():
        wave, source_hz = audio.load(source)
        at_codec = audio.resample(wave, source_hz, codec.info.sample_rate_hz)
        with _blaming(name, f"encoding {source}"):
            coded, _ = calls.encode(codec, at_codec, point)
            own = calls.pack(codec, coded, point)
        header = Header(
            codec=name.partition(":")[0],
            signature=contract.signature(codec),
            point=point.name,
            length=coded.length,
            rate_hz=codec.info.sample_rate_hz,
            source_length=wave.size,
            source_hz=source_hz,
            container_bytes=coded.container_bytes,
            packet_bytes=coded.packet_bytes,
            own_format=own is not None,
        )
        write_bytes_atomically(target, pack(header, coded.payload if own is None else own))
        rate = 8e-3 * len(coded.payload) * source_hz / wave.size
        note(f"{target}: {len(coded.payload)} bytes of payload, {rate:.3g} kbit/s")


@click.command()
@_FILES
@click.option(
    "--codec",
    "spec",
    help="NAME[:FILE] to decode with.  [default: the name that the file gives, with its usual model]",
)
@_TO
@_OVERWRITE
@_DEVICE
def decode(files: tuple[Path, ...], spec: str | None, to: Path | None, overwrite: bool, device: str) -> None:
    """Decode .cbn FILES into one .wav file each, at the original's rate and length."""
    check_one(device)
    targets = _targets(files, to, ".wav", overwrite)
    opened: dict[str, Codec] = {}
    for source, target in targets.items():
        try:
            header, coded = unpack(_read(source))
            codec = _opened(spec or _plain_name(header.codec), device, opened)
            wave = _decode(codec, header, coded)
        except InvalidPayload as error:
            raise InvalidPayload(f"{source}: {error}") from None
        whole = audio.resample(wave, header.rate_hz, header.source_hz)
        audio.save(target, audio.fit(whole, header.source_length), header.source_hz)
        note(f"{target}: {header.source_length / header.source_hz:.2f} s")


def _plain_name(name: str) -> str:
    """Return a header's codec, refused where it is no plain name: a file must not choose what is opened."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise InvalidPayload(
            f"its header names the codec {name!r}; say which one to use: --codec NAME[:FILE]"
        )
    return name


def _opened(name: str, device: str, opened: dict[str, Codec]) -> Codec:
    if name not in opened:
        codec = registry.codec(name)
        contract.check_here(codec)
        with _blaming(name, "opening"):
            calls.open_codec(codec, device)
        opened[name] = codec
    return opened[name]


def _decode(codec: Codec, header: Header, coded: Coded) -> Wave:
    if header.own_format:
        coded, point = calls.unpack(codec, coded.payload)
    else:
        _check_maker(header, codec)
        point = contract.point(codec, header.point)
    _check_rate(header, codec)
    if coded.length != header.length:
        raise InvalidPayload(f"the header says {header.length} samples, the payload {coded.length}")
    with _blaming(header.codec, "decoding"):
        wave, _ = calls.decode(codec, coded, point)
    return wave


@contextmanager
def _blaming(name: str, what: str) -> Iterator[None]:
    """Say whose fault an error of a codec is that says nothing itself."""
    try:
        yield
    except (InvalidInput, InvalidPayload, Unavailable):
        raise
    except Exception as error:
        raise CodecBenchError(
            f"codec {name!r} failed {what} ({told(error)}); tell its author, or try another codec"
        ) from error


def _codec_and_point(text: str) -> tuple[str, Codec, OperatingPoint]:
    requests = parse_codecs(text)
    if len(requests) != 1 or len(requests[0].points) > 1:
        raise InvalidInput(f"--codec {text!r} must name one codec and at most one point, e.g. opus@12")
    codec = registry.codec(requests[0].spec)
    contract.check_here(codec)
    point = contract.point(codec, requests[0].points[0]) if requests[0].points else codec.points[0]
    return requests[0].spec, codec, point


def _targets(files: Iterable[Path], to: Path | None, suffix: str, overwrite: bool) -> dict[Path, Path]:
    """Return where each file goes; two files must not go to one place, and none over an existing one."""
    targets: dict[Path, Path] = {}
    for source in files:
        target = (to or source.parent) / f"{source.stem}{suffix}"
        if target in targets.values():
            raise InvalidInput(f"{source}: another file would also become {target}; give them different --to")
        if target.exists() and not overwrite:
            raise InvalidInput(f"{target} exists; add --overwrite or choose another --to")
        targets[source] = target
    return targets


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read ({error.strerror}); check the path") from None


def _check_maker(header: Header, codec: Codec) -> None:
    if codec.signature() != header.signature:
        raise CodecBenchError(
            f"coded by {header.signature}, which {codec.signature()} here cannot decode; "
            "name its model, --codec NAME:FILE, or install that version"
        )


def _check_rate(header: Header, codec: Codec) -> None:
    if codec.info.sample_rate_hz != header.rate_hz:
        raise InvalidPayload(
            f"the header says {header.rate_hz} Hz, the codec runs at {codec.info.sample_rate_hz}"
        )
