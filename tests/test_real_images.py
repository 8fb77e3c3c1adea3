"""A short training on real images already beats every control on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from radar.config.schema import Config
from radar.experiment.run import Experiment, run_experiment
from radar.experiment.session import Session
from radar.progress import silent
from radar.report.observer import RunObserver


@pytest.mark.slow
def test_a_short_training_on_mvtec_grid_beats_the_controls(composed: Callable[..., Config], real_data: Path) -> None:
    config = composed(
        "experiment=recommended", "dataset=grid", f"data_root={real_data}", "training.max_steps=500", "trainer=cpu",
        "trainer.threads=2", "logger=csv",
    )  # fmt: skip
    metrics = run_experiment(Experiment(config, silent, Session(afresh=None)), observer=RunObserver(None)).metrics
    controls = [control.image.auroc for control in metrics.controls.values()]
    assert metrics.image.auroc > max(controls) + 0.05
    assert metrics.pixel.auroc > 0.95
    assert metrics.image.false_positive_rate < 0.4
