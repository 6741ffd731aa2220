"""Weights source of a hub model: what ``codecbench weights`` knows of it, how it is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from codecbench.weights import WeightsFile, WeightsSource
from codecbench_hub import weights
from codecbench_hub.table import HubModel

if TYPE_CHECKING:
    from codecbench.transfer import Progress


def hub_source(model: HubModel) -> WeightsSource:
    """Return the entry of a model; the file's hash is empty where none is recorded."""
    revision = model.revision or model.ref.replace("/", "%2F")
    address = f"{model.url}/resolve/{revision}/{weights.WEIGHTS}"
    file = WeightsFile(address, model.sha256 or "", model.size_bytes or 0)

    def fetch(progress: Progress | None) -> Path:
        return weights.fetch(model, progress)

    def find() -> Path:
        return weights.find(model).folder

    def verify() -> Path:
        weights.verify(model)
        return find()

    return WeightsSource(
        name=model.name,
        files={weights.WEIGHTS: file},
        licence=model.weights_licence,
        homepage=model.url,
        finder=find,
        fetcher=fetch,
        verifier=verify,
    )
