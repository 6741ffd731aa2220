"""Loading a class of `transformers` strictly: from safetensors in a local folder, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codecbench.errors import Unavailable

_AGAIN = "fetch the model again"


def load_transformers(architecture: Any, folder: Path) -> Any:
    """Load a model class from safetensors in a folder, never from the network, in float32.

    Raises
    ------
    Unavailable
        If the files do not fit the class.
    """
    import torch
    from safetensors import SafetensorError

    try:
        with torch.random.fork_rng(devices=[]), no_progress_bar():
            network, report = architecture.from_pretrained(
                folder,
                use_safetensors=True,
                local_files_only=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise Unavailable(
            f"{folder}: not a {architecture.__name__} ({reason})", "fetch the model again"
        ) from None
    lacking = sorted(report["missing_keys"]) + sorted(str(item) for item in report["mismatched_keys"])
    if lacking:
        raise Unavailable(
            f"{folder}: {len(lacking)} weights of {architecture.__name__} are missing or misshapen, "
            f"first {lacking[0]}",
            _AGAIN,
        )
    return network


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """Keep the library's progress bar off the terminal while weights are read or written."""
    import transformers

    logging: Any = transformers.utils.logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
