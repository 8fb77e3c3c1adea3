"""A whole experiment that takes seconds: its overrides, running it, and what it leaves."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from radar.config.schema import Config
from radar.experiment.run import Experiment, Outcome, run_experiment
from radar.experiment.run_directory import RunDirectory
from radar.experiment.session import Session
from radar.progress import silent
from radar.report.observer import RunObserver

TINY = (
    "dataset.validation_fraction=0.25",
    "dataset.synthetic.side=48", "dataset.synthetic.train=12", "dataset.synthetic.test_normal=6",
    "dataset.synthetic.test_defective=10", "dataset.synthetic.contrast=2", "dataset.image.size=48",
    "patch=14x14", "unet=small", "scoring.stride=7", "scoring.micro_batch=16", "evaluation.figures=false",
    "training.max_steps=12", "training.epoch_steps=4", "training.batch_size=8", "training.warmup_steps=2",
    "training.validation_patches=16", "logger=csv", "trainer=cpu", "method.controls=[raw_sobel]",
)  # fmt: skip


def run(config: Config, session: Session | None = None, *, observer: RunObserver | None = None) -> Outcome:
    """Run it in this process, with what `session` shares."""
    experiment = Experiment(config, silent, session or Session(afresh=None))
    return run_experiment(experiment, observer=observer or RunObserver(None))


def scores_of(run_directory: Path | Outcome) -> list[dict[str, str]]:
    """The lines of a run's scores.csv."""
    folder = run_directory.directory if isinstance(run_directory, Outcome) else run_directory
    with (folder / "scores.csv").open() as file:
        return list(csv.DictReader(file))


def made(session: Session, config: Config) -> Counter[str]:
    """How many of each stage were made since the last call."""
    store = session.store(config)
    counted = Counter(key.stage for key in store.made)
    store.made.clear()
    return counted


def network_weights(run_directory: RunDirectory) -> dict[str, Tensor]:
    """The weights of the denoising network in the model a run saved, by name."""
    before = "method.denoiser.network."
    weights = load_file(run_directory.model / "model.safetensors")
    return {name.removeprefix(before): value for name, value in weights.items() if name.startswith(before)}
