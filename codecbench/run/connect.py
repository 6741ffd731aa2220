"""Client of a Dask scheduler, made quietly or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codecbench.errors import Unavailable


def connect(scheduler: str, timeout_s: float = 10) -> Any:
    """Return a Dask client; raises `Unavailable` where there is none to have."""
    try:
        import distributed
    except ImportError as error:
        raise Unavailable(
            f"Dask cannot be imported ({error})", "run: pip install 'codecbench[dask]'"
        ) from None
    for name in (
        "distributed",
        *(name for name in logging.root.manager.loggerDict if "distributed." in name),
    ):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    client: Callable[..., Any] = distributed.Client
    where = {"scheduler_file": scheduler} if Path(scheduler).is_file() else {"address": scheduler}
    try:
        return client(**where, timeout=timeout_s, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = f"no Dask scheduler answers at {scheduler} ({error})"
        raise Unavailable(reason, "start one with: dask scheduler") from None
