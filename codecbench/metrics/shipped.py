"""Pretrained models that installed packages ship: found without an import, verified, run on one thread.

A metric names the file by package, path and SHA-256; the first twelve digits of the hash stand in its
signature, so that scores of another model never mix with these.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from codecbench.errors import Unavailable
from codecbench.files import sha256

INSTALL = "run: pip install 'codecbench[judges]'"


@dataclass(frozen=True)
class Shipped:
    """A model file inside an installed package: its path below the package, and its SHA-256."""

    package: str
    path: str
    sha256: str

    @property
    def id(self) -> str:
        """Return file name and the start of the hash, for signatures: ``plcmos_v2.onnx@c0ad3fc64ef9``."""
        return f"{Path(self.path).name}@{self.sha256[:12]}"

    def find(self) -> Path:
        """Return where the file lies; raises `Unavailable` if the package is missing or has no such file."""
        spec = find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise Unavailable(f"the package {self.package} is not installed", INSTALL)
        path = Path(spec.submodule_search_locations[0]) / self.path
        if not path.is_file():
            raise Unavailable(f"the package {self.package} has no {self.path}: another version", INSTALL)
        return path

    def verified(self) -> Path:
        """Return where the file lies; raises `Unavailable` also if it is not the one that was pinned."""
        path = self.find()
        if sha256(path) != self.sha256:
            raise Unavailable(f"{path} is another model than the one this metric is defined by", INSTALL)
        return path


def need(*packages: str) -> None:
    """Raise `Unavailable` if one of the packages cannot be imported; imports none of them."""
    for package in packages:
        if find_spec(package) is None:
            raise Unavailable(f"the package {package} is not installed", INSTALL)


@cache
def session(model: Shipped) -> Any:
    """Return an ONNX session of a verified model on one CPU thread, made once a process."""
    need("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model.verified()), options, providers=["CPUExecutionProvider"])
