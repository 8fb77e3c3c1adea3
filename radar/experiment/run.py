"""One experiment, from a checked config to a complete run directory."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import Tensor

from radar.config import Config
from radar.data.dataset import Dataset, LoadedImages, open_dataset
from radar.data.manifest import manifest_text
from radar.data.sample import Split
from radar.diffusion.unet import UNet, parameter_count
from radar.errors import ConfigError, DataError
from radar.experiment.clock import Clock
from radar.experiment.environment import environment, peak_memory_mib
from radar.experiment.files import write_csv, write_json, write_text
from radar.experiment.fingerprint import fingerprint
from radar.experiment.results import Scored, test_metrics, write_scores
from radar.experiment.run_directory import RunDirectory
from radar.experiment.stored_model import History, load_network, save_detector, save_network
from radar.experiment.training import Row, resolve_device, train_network
from radar.methods.controls import build_control
from radar.methods.interface import ImageSet, MapMethod, Normals
from radar.methods.radar import RadarMethod
from radar.progress import Report
from radar.report.figures import Boundary, PanelRow, panel_title, select_panels
from radar.report.run_figures import RunPoints, run_figures, save_figures
from radar.tracking import Tracker, tracking

_SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Outcome:
    """Where a run's results lie, and what they are."""

    directory: Path
    metrics: dict[str, Any]
    notes: tuple[str, ...]  # remarks on the data
    reused: bool  # the run was done before


class Experiment:
    """The data of one run, its directory and its stages."""

    def __init__(self, config: Config, report: Report) -> None:
        if config.trainer.threads is not None:
            torch.set_num_threads(config.trainer.threads)
        self.config = config
        self.report = report
        self.clock = Clock()
        self.device = resolve_device(config)
        with self.clock.stage("data"):
            self.dataset: Dataset = open_dataset(config.dataset, report)
            _check_splits(self.dataset)
        self.fingerprint = fingerprint(config, self.dataset.manifest_hash)
        self.directory = RunDirectory.named(Path(config.output_root), config.name, self.fingerprint)
        self.history: History = []

    def load(self) -> dict[Split, LoadedImages]:
        """All images and a look at every mask, so that bad data fails before training starts."""
        with self.clock.stage("data"):
            loaded = {split: self.dataset.load(self.dataset.split(split), self.report) for split in _SPLITS}
            for sample in self.dataset.split("test"):
                if sample.mask is not None:
                    self.dataset.mask(sample)
        _check_size(self.config, loaded["train"].images)
        return loaded

    def train(self, publish: Callable[[Row], None]) -> Callable[[Tensor, Tensor, Report], UNet]:
        """The training that `RadarMethod` calls: from the stored network, the last checkpoint or the beginning."""

        def fit(train: Tensor, validation: Tensor, report: Report) -> UNet:
            stored = self.directory.network
            if stored.exists():
                unet, self.history = load_network(stored, self.config, self.device)
                return unet
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

    def compute(self, loaded: dict[Split, LoadedImages], tracker: Tracker) -> dict[str, Any]:
        """All stages after the data; leaves every file but the status."""
        config = self.config
        sets = {split: ImageSet(images.images, images.identities) for split, images in loaded.items()}
        normals = Normals(sets["train"], sets["validation"])
        method = RadarMethod(config, self.train(tracker.log))
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
        if config.evaluation.figures:
            with self.clock.stage("figures"):
                self._figures(method, scored, tracker)
        seconds = self.clock.seconds
        seconds["fit"] -= seconds.get("training", 0.0)  # training ran inside
        metrics["seconds"] = {name: round(value, 3) for name, value in seconds.items()}
        metrics["peak_memory_mib"] = round(peak_memory_mib(), 1)
        return metrics

    def _control(self, name: str, normals: Normals, test: ImageSet, loaded: LoadedImages) -> dict[str, Any]:
        control = build_control(name, self.config, self.device)
        control.fit(normals, self.report)
        return test_metrics(self.dataset, Scored(loaded, control.score(test, self.report)), self.config.evaluation)

    def _figures(self, method: MapMethod, scored: dict[Split, Scored], tracker: Tracker) -> None:
        assert method.scorer is not None
        samples = [sample for each in scored.values() for sample in each.loaded.samples]
        points = RunPoints(
            np.concatenate([each.scores.features for each in scored.values()]),
            [sample.label for sample in samples],
            [sample.defect for sample in samples],
            [sample.split for sample in samples],
        )
        detector = method.scorer.detector
        figures = run_figures(
            panels=self._panels(method, scored["test"]),
            points=points,
            boundary=Boundary(detector.score, detector.threshold),
            history=self.history,
        )
        for name, path in save_figures(figures, self.directory.figures).items():
            tracker.picture(name, path)

    def _panels(self, method: MapMethod, test: Scored) -> list[PanelRow]:
        assert method.scorer is not None
        scores, threshold = test.scores, method.scorer.detector.threshold
        choices = select_panels(
            test.loaded.labels, scores.scores, scores.decisions, threshold, self.config.evaluation.panels
        )
        rows = []
        for choice in choices:
            index = choice.index
            sample = test.loaded.samples[index]
            noise_map = method.scorer.mapper(test.loaded.images[index : index + 1], [sample.content_hash])[0]
            title = panel_title(
                name=sample.path,
                label=sample.label,
                defect=sample.defect,
                score=float(scores.scores[index]),
                threshold=threshold,
                called=bool(scores.decisions[index]),
            )
            rows.append(
                PanelRow(
                    _picture(test.loaded.images[index]),
                    noise_map.mean(dim=0).cpu().numpy(),
                    scores.anomaly_maps[index].cpu().numpy(),
                    self.dataset.mask(sample) if sample.mask or not sample.label else None,
                    f"{choice.caption}\n{title}",
                )
            )
        return rows


def _check_splits(dataset: Dataset) -> None:
    for split in _SPLITS:
        if not dataset.split(split):
            raise DataError(
                f"{dataset.name}: no {split} images; add images, raise dataset.validation_fraction or dataset.test_fraction, "
                "or name them in dataset.manifest"
            )


def _check_size(config: Config, images: Tensor) -> None:
    """Sizes that only the files tell: `dataset.image.size` may be null."""
    height, width = images.shape[-2:]
    for key, side in (("patch.size", config.patch.size), ("scoring.window", config.scoring.window)):
        if side > min(height, width):
            raise ConfigError(f"{key}={side}: must be ≤ the images' sides, {width} × {height} px")


def _picture(image: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A tensor `(C, H, W)` in [−1, 1] as `(H, W)` or `(H, W, 3)` in [0, 1]."""
    picture: np.ndarray[Any, np.dtype[np.float32]] = ((image + 1) / 2).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    return picture[..., 0] if picture.shape[-1] == 1 else picture


def _write_history(path: Path, history: History) -> None:
    columns = list(history[0])
    write_csv(path, columns, [[row[column] for column in columns] for row in history])


def run_experiment(config: Config, *, report: Report, force: bool) -> Outcome:
    """Run one experiment, or return the stored result of the same config on the same data.

    `force` starts over. Raises `DataError` before a run directory exists, `RunError` where the run cannot go on.
    """
    experiment = Experiment(config, report)
    directory = experiment.directory
    if force:
        shutil.rmtree(directory.path, ignore_errors=True)
    if directory.read_status().get("state") == "done":
        return Outcome(directory.path, directory.read_metrics(), experiment.dataset.notes, reused=True)
    loaded = experiment.load()
    with directory.running(experiment.fingerprint):
        write_text(directory.config, OmegaConf.to_yaml(OmegaConf.structured(config)))
        write_text(directory.manifest, manifest_text(experiment.dataset.samples))
        write_json(directory.environment, environment(experiment.device, experiment.dataset.manifest_hash))
        with tracking(
            config.logger.wandb,
            folder=directory.path,
            name=directory.path.name,
            identity=experiment.fingerprint[:16],
            tags=config.tags,
            config=asdict(config),
        ) as tracker:
            metrics = experiment.compute(loaded, tracker)
            tracker.summarise(metrics)
        write_json(directory.metrics, metrics)
    return Outcome(directory.path, metrics, experiment.dataset.notes, reused=False)
