"""One experiment, from a checked config to a complete run directory."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from omegaconf import OmegaConf
from torch import Tensor

from radar.config import Config
from radar.data.dataset import Dataset, LoadedImages, open_dataset
from radar.data.manifest import manifest_text
from radar.data.sample import Split
from radar.diffusion.build import NoisePredictor
from radar.diffusion.unet import parameter_count
from radar.errors import ConfigError, DataError
from radar.experiment.clock import Clock
from radar.experiment.environment import environment, peak_memory_mib
from radar.experiment.fingerprint import fingerprint
from radar.experiment.panels import chosen_panels, write_panels
from radar.experiment.results import Scored, test_metrics, write_scores
from radar.experiment.run_directory import RunDirectory
from radar.experiment.stored_model import History, load_network, save_detector, save_network
from radar.experiment.training import Row, resolve_device, train_network
from radar.files import write_csv, write_json, write_text
from radar.methods.controls import build_control
from radar.methods.interface import ImageSet, Method, Normals
from radar.methods.radar import RadarMethod
from radar.progress import Report

_SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Outcome:
    """Where a run's results lie, and what they are."""

    directory: Path
    metrics: dict[str, Any]
    notes: tuple[str, ...]  # one-line remarks for the user
    reused: bool  # the run was done before


class Tracker(Protocol):
    """Where numbers go beside the run directory, while the run lasts."""

    def log(self, row: Row) -> None: ...

    def summarise(self, metrics: dict[str, Any]) -> None: ...


class Companion(Protocol):
    """What accompanies a run and is no part of it: it reads what the run stores, and changes no result."""

    def tracking(self, config: Config, run: RunDirectory, fingerprint: str) -> AbstractContextManager[Any]: ...

    def draw(self, run: RunDirectory, tracker: Any) -> None: ...


class Experiment:
    """The data of one run, its directory and its stages."""

    def __init__(self, config: Config, report: Report) -> None:
        if config.trainer.threads is not None:
            torch.set_num_threads(config.trainer.threads)
        torch.set_float32_matmul_precision(config.trainer.matmul_precision)
        self.config = config
        self.report = report
        self.clock = Clock()
        self.device = resolve_device(config)
        with self.clock.stage("data"):
            self.dataset: Dataset = open_dataset(config.dataset, report)
            _check_splits(self.dataset)
        self.fingerprint = fingerprint(config, self.dataset.content_hash)
        self.directory = RunDirectory.named(Path(config.output_root), config.name, self.fingerprint)
        self.history: History = []
        self.remarks: list[str] = []

    def load(self) -> dict[Split, LoadedImages]:
        """All images and a look at every mask, so that bad data fails before training starts."""
        with self.clock.stage("data"):
            loaded = {split: self.dataset.load(self.dataset.split(split), self.report) for split in _SPLITS}
            for sample in self.dataset.split("test"):
                if sample.mask is not None:
                    self.dataset.mask(sample)
        _check_size(self.config, loaded)
        return loaded

    def notes(self) -> tuple[str, ...]:
        """One-line remarks on the data and on what was taken up again."""
        detector, wanted = self.config.detector, self.config.contamination.value
        count = len(self.dataset.split(detector.threshold_on))  # type: ignore[arg-type]
        if wanted * (count + 1) >= 1:
            return (*self.dataset.notes, *self.remarks)
        return (
            *self.dataset.notes,
            *self.remarks,
            f"contamination.value={wanted}: {count} images set the threshold (detector.threshold_on={detector.threshold_on}), "
            f"which cannot promise fewer false alarms than 1 in {count + 1}; add normal images",
        )

    def train(self, publish: Callable[[Row], None]) -> Callable[[Tensor, Tensor, Report], NoisePredictor]:
        """The training that `RadarMethod` calls: from the stored network, the last checkpoint or the beginning."""

        def fit(train: Tensor, validation: Tensor, report: Report) -> NoisePredictor:
            stored = self.directory.network
            if stored.exists():
                self.remarks.append("an earlier attempt trained the network; it is used, and its time is not counted")
                unet, self.history = load_network(stored, self.config, self.device)
                return unet
            if self.directory.checkpoints.exists():
                self.remarks.append("an interrupted training went on; the time before it stopped is not counted")
            with self.clock.stage("training"):
                unet, self.history = train_network(
                    self.config,
                    train,
                    validation,
                    checkpoints=self.directory.checkpoints,
                    publish=publish,
                    report=report,
                )
            save_network(stored, unet, self.history)
            shutil.rmtree(self.directory.checkpoints, ignore_errors=True)
            return unet

        return fit

    def compute(self, loaded: dict[Split, LoadedImages], publish: Callable[[Row], None]) -> dict[str, Any]:
        """All stages after the data; returns the metrics and leaves every other file."""
        config = self.config
        sets = {split: ImageSet(images.images, images.identities) for split, images in loaded.items()}
        normals = Normals(sets["train"], sets["validation"])
        method = RadarMethod(config, self.train(publish))
        with self.clock.stage("fit"):
            method.fit(normals, self.report)
        with self.clock.stage("score"):
            scored = {split: Scored(loaded[split], method.score(sets[split], self.report)) for split in _SPLITS}
        with self.clock.stage("metrics"):
            metrics = test_metrics(self.dataset, scored["test"], config.evaluation)
        with self.clock.stage("controls"):
            metrics["controls"] = {
                name: self._control(name, normals, sets["test"], loaded["test"]) for name in config.method.controls
            }
        assert method.scorer is not None
        metrics["threshold"] = method.scorer.detector.threshold
        metrics["parameters"] = parameter_count(method.scorer.mapper.network)  # type: ignore[attr-defined]
        save_detector(self.directory.detector, method.scorer.detector)
        write_scores(self.directory.scores, list(scored.values()))
        if config.logger.csv and self.history:
            _write_history(self.directory.history, self.history)
        if config.evaluation.panels:
            panels = chosen_panels(self.dataset, method.scorer, scored["test"], config.evaluation.panels)
            write_panels(self.directory.panels, panels)
        seconds = self.clock.seconds
        seconds["fit"] -= seconds.get("training", 0.0)  # training ran inside
        metrics["seconds"] = {name: round(value, 3) for name, value in seconds.items()}
        metrics["peak_memory_mib"] = round(peak_memory_mib(), 1)
        return metrics

    def _control(self, name: str, normals: Normals, test: ImageSet, loaded: LoadedImages) -> dict[str, Any]:
        control: Method = build_control(name, self.config, self.device)
        control.fit(normals, self.report)
        return test_metrics(self.dataset, Scored(loaded, control.score(test, self.report)), self.config.evaluation)


def _check_splits(dataset: Dataset) -> None:
    for split, least in (("train", 2), ("validation", 2), ("test", 1)):
        found = len(dataset.split(split))  # type: ignore[arg-type]
        if found < least:
            raise DataError(
                f"{dataset.name}: {found} {split} images, and at least {least} are needed; add images, raise "
                "dataset.validation_fraction or dataset.test_fraction, or name them in dataset.manifest"
            )


def _check_size(config: Config, loaded: dict[Split, LoadedImages]) -> None:
    """Sizes that only the files tell: `dataset.image.size` may be null."""
    sizes = {split: tuple(images.images.shape[-2:]) for split, images in loaded.items()}
    if len(set(sizes.values())) > 1:
        raise DataError(f"{config.dataset.name}: sizes differ between splits, {sizes}; set dataset.image.size")
    height, width = sizes["train"]
    keys = {
        "patch.size": config.patch.size,
        "scoring.window": config.scoring.window,
        "scoring.blur.kernel": config.scoring.blur.kernel,
    }
    for key, side in keys.items():
        if side > min(height, width):
            raise ConfigError(f"{key}={side}: must be ≤ the images' sides, {width} × {height} px")


def _write_history(path: Path, history: History) -> None:
    columns = list(history[0])
    write_csv(path, columns, [[row[column] for column in columns] for row in history])


def run_experiment(config: Config, *, report: Report, force: bool, companion: Companion) -> Outcome:
    """Run one experiment, or return the stored result of the same config on the same data.

    `force` starts over. Raises `DataError` before a run directory exists, `RunError` where the run cannot go on.
    """
    experiment = Experiment(config, report)
    run = experiment.directory

    def stored() -> Outcome | None:
        done = not force and run.read_status().get("state") == "done"
        return Outcome(run.path, run.read_metrics(), experiment.notes(), reused=True) if done else None

    if outcome := stored():
        return outcome
    loaded = experiment.load()
    with run.held():
        if outcome := stored():  # another process may just have finished it
            return outcome
        if force:
            run.clear()
        with run.recorded(experiment.fingerprint):
            metrics = _compute(experiment, loaded, companion)
    return Outcome(run.path, metrics, experiment.notes(), reused=False)


def _compute(experiment: Experiment, loaded: dict[Split, LoadedImages], companion: Companion) -> dict[str, Any]:
    config, run = experiment.config, experiment.directory
    write_text(run.config, OmegaConf.to_yaml(OmegaConf.structured(config)))
    write_text(run.manifest, manifest_text(experiment.dataset.samples))
    write_json(run.environment, environment(experiment.device, experiment.dataset.manifest_hash))
    with companion.tracking(config, run, experiment.fingerprint) as tracker:
        metrics = experiment.compute(loaded, tracker.log)
        write_json(run.metrics, metrics)
        tracker.summarise(metrics)
        if config.evaluation.figures:
            companion.draw(run, tracker)
    return metrics
