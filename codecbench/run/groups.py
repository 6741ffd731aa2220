"""Groups of codecs: ``all`` registered, those ``available`` here, or those of a kind, e.g. ``classical``."""

from __future__ import annotations

from collections.abc import Iterator

from codecbench import contract, registry
from codecbench.codec import Codec, DecodedFiles
from codecbench.errors import CodecBenchError

ALL, AVAILABLE = "all", "available"
KINDS = ("classical", "neural")
GROUPS = (ALL, AVAILABLE, *KINDS)


def expanded(text: str) -> list[str]:
    """Return the parts of a list of codecs, groups replaced by their members that it does not name itself."""
    parts = [part.strip() for part in text.split(",")]
    known = registry.names(registry.CODECS)
    groups = [part for part in parts if part in GROUPS and part not in known]
    if not groups:
        return parts
    taken = {part.partition("@")[0] for part in parts}
    found: dict[str, None] = {}
    for part in parts:
        names = members(part) if part in groups else [part]
        found |= dict.fromkeys(name for name in names if part not in groups or name not in taken)
    return list(found)


def members(group: str) -> Iterator[str]:
    """Yield the codecs of a group that can be named without an argument."""
    for name in registry.names(registry.CODECS):
        try:
            codec: Codec = registry.codec(name)
            if isinstance(codec, DecodedFiles):
                continue
            if group == AVAILABLE:
                contract.check_here(codec)
        except CodecBenchError:
            # A broken plugin belongs to all: the plan names it with its reason.
            if group == ALL:
                yield name
            continue
        if group in {ALL, AVAILABLE, codec.info.kind}:
            yield name
