from types import SimpleNamespace

import pytest

from codecbench_spc.training.keep import Keeper, Progress
from codecbench_spc.training.recipe import StageConfig


@pytest.mark.parametrize(("keep", "kept"), [("best", [1, 2]), ("last", [1, 2, 3])])
def test_which_validated_weights_are_kept(monkeypatch, keep, kept):
    scores = iter([1.0, 3.0, 2.0])
    keeper = object.__new__(Keeper)
    keeper.fabric, keeper.name, keeper.waves = SimpleNamespace(is_global_zero=False), "vqvae", []
    keeper.stage = SimpleNamespace(
        config=StageConfig(keep=keep), validate=lambda _: ({"score": next(scores)}, [])
    )
    saved = []
    monkeypatch.setattr(keeper, "save", lambda kind, progress: saved.append((kind, progress.step)))
    log = SimpleNamespace(write=lambda *_: None, audio=lambda *_: None)
    progress = Progress()
    for progress.step in (1, 2, 3):
        keeper.validate(progress, log, lambda _: None)
    assert saved == [("best", step) for step in kept]
    assert progress.scores == {"score": 2.0 if keep == "last" else 3.0}
