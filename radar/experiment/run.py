"""One experiment, from a checked config to a complete run directory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from omegaconf import OmegaConf

from radar.compose.method_rules import predicts_noise, shares_network
from radar.config.schema import Config
from radar.data.images import Images
from radar.data.manifest import manifest_text
from radar.data.sample import Split
from radar.errors import ConfigError, DataError
from radar.evaluation.metrics import (
    CostMetrics,
    DataMetrics,
    Metrics,
    NetworkMetrics,
    NoiseMetrics,
    Origin,
    Quality,
)
from radar.evaluation.pixel_metrics import PixelMetrics
from radar.evaluation.typed_sections import read_section
from radar.experiment.artefacts import Key
from radar.experiment.clock import Clock
from radar.experiment.command import Command, write_command
from radar.experiment.environment import environment, peak_memory_mib
from radar.experiment.fingerprint import fingerprint
from radar.experiment.panels import chosen_panels, write_panels
from radar.experiment.results import (
    Scored,
    data_measures,
    noise_hypothesis,
    pixel_metrics,
    quality,
    separation,
    write_scores,
)
from radar.experiment.run_directory import RunDirectory
from radar.experiment.stages import StoredFit, StoredNetwork, StoredRecall, network_key, stored_json
from radar.experiment.stored_model import History, image_channels, save_density, save_detector, save_fusion
from radar.experiment.workshop import Workshop
from radar.files import write_csv, write_json, write_text
from radar.methods.build import build_method
from radar.methods.controls import build_control
from radar.methods.fused_densities import FusedDensitiesMethod
from radar.methods.interface import MapMethod, Normals
from radar.methods.radar import RadarMethod, Train
from radar.networks.build import NoisePredictor
from radar.networks.cost import parameter_count
from radar.progress import Report
from radar.training.device import resolve_device
from radar.training.history import Row


@dataclass(frozen=True)
class Outcome:
    """Where a run's results lie, and what they are."""

    directory: Path
    metrics: Metrics
    notes: tuple[str, ...]  # one-line remarks for the user
    reused: bool  # the run was done before


class Tracker(Protocol):
    """Where numbers go beside the run directory, while the run lasts."""

    def log(self, row: Row) -> None: ...

    def summarise(self, metrics: Metrics) -> None: ...


class Companion(Protocol):
    """What accompanies a run and is no part of it: it reads what the run stores, and changes no result."""

    def tracking(self, config: Config, run: RunDirectory, fingerprint: str) -> AbstractContextManager[Any]: ...

    def draw(self, run: RunDirectory, tracker: Any) -> None: ...


class Experiment:
    """The data of one run, its directory and its stages. Raises `DataError` before a run directory exists."""

    def __init__(self, config: Config, report: Report, workshop: Workshop) -> None:
        torch.set_num_threads(config.trainer.threads or workshop.threads)
        torch.set_float32_matmul_precision(config.trainer.matmul_precision)
        _set_deterministic(config.trainer.deterministic)
        self.config = config
        self.force = workshop.afresh is not None
        self.report = report
        self.clock = Clock()
        self.device = resolve_device(config.trainer)
        with self.clock.stage("data"):
            self.data = workshop.open(config, report)
        _check_size(config, self.data.loaded)
        self.dataset = self.data.dataset
        self.fingerprint = fingerprint(config, self.dataset.content_hash)
        self.directory = RunDirectory.named(Path(config.output_root), config.name, self.fingerprint)
        self.store = workshop.store(config)
        self.fits = StoredFit(self.store, config, self.device)
        self.recall = StoredRecall(self.store, config, self.device, self.fits)
        self.normals = Normals(self.data.sets["train"], self.data.sets["validation"])
        key = network_key(config, self.normals, self.device)
        self.network = StoredNetwork(self.store, key, config, self.device)

    def notes(self) -> tuple[str, ...]:
        """One-line remarks on the data and on what was taken up again."""
        detector, wanted = self.config.detector, self.config.contamination.value
        key = "fitted_on" if detector.threshold == "shifted" else "threshold_on"
        named = getattr(detector, key)
        splits: tuple[Split, ...] = ("train", "validation") if named == "cross_fitted" else (named,)
        count = sum(len(self.dataset.split(split)) for split in splits)
        remarks = list(self.dataset.notes)
        if wanted * (count + 1) < 1:
            remarks.append(
                f"contamination.value={wanted}: {count} images set the threshold (detector.{key}="
                f"{named}), which cannot promise fewer false alarms than 1 in {count + 1}; add normal images"
            )
        return tuple(remarks)

    def stage_keys(self) -> Iterator[tuple[str, Key]]:
        """The stages of the method, each with what its result depends on."""
        if self.has_network:
            yield "network", self.network.key
        method = self._method(_untrained)
        inputs, scoring = method.map_inputs(self.normals), method.config.scoring
        for split in method.scored_splits:
            images = self.data.sets[split]
            yield f"noise_maps, {split}", self.recall.noise_maps_key(inputs, images)
            yield f"features, {split}", self.recall.features_key(inputs, scoring, images)
        if self.config.evaluation.pixel:
            yield "pixel_metrics", self._pixel_key(method)
        if predicts_noise(self.config):
            yield "noise_statistics", self._noise_key(method)
        yield "data_measures", self.recall.data_measures_key(self.dataset.content_hash)

    def compute(self, publish: Callable[[Row], None]) -> Metrics:
        """All stages after the data; returns the metrics and leaves every other file."""
        config, sets = self.config, self.data.sets
        unet, history = self._network(publish) if self.has_network else (None, [])
        method = self._method(lambda *_: unet)  # type: ignore[arg-type]
        with self.clock.stage("score"):
            method.fit(self.normals, self.report)
            scored = {
                split: Scored(self.data.loaded[split], method.score(sets[split], self.report))
                for split in method.scored_splits
            }
        with self.clock.stage("metrics"):
            measured = self._quality(method, scored["test"])
        with self.clock.stage("validation"):
            noise = self._noise_statistics(method, scored["test"]) if predicts_noise(config) else None
            distances = separation(scored["test"], config.evaluation.noise, config.seed)
            measures = self._data_measures()
        with self.clock.stage("controls"):
            controls = {name: self._control(name) for name in config.method.controls}
        assert method.scorer is not None
        detector = method.scorer.detector
        shared = 0 if unet is None else parameter_count(unet)
        save_detector(self.directory.detector, detector)
        if isinstance(method, RadarMethod) and (density := method.density(self.normals, lambda: unet)) is not None:  # type: ignore[arg-type,return-value]
            save_density(self.directory.density, density)
        if isinstance(method, FusedDensitiesMethod):
            save_fusion(self.directory.fusion, method.fusion(self.normals, self.report))
        write_scores(self.directory.scores, list(scored.values()), measures["defects"])
        if config.logger.csv and history:
            _write_history(self.directory.history, history)
        if config.evaluation.panels:
            noise_maps = method.noise_maps(sets["test"], self.report)
            panels = chosen_panels(
                self.dataset, noise_maps, detector.threshold, scored["test"], config.evaluation.panels
            )
            write_panels(self.directory.panels, panels)
        training = self.store.record(self.network.key) if self.has_network else None
        seconds = dict(self.clock.seconds) | ({} if training is None else {"training": training["seconds"]})
        network = None
        if training is not None:
            origin = read_section(Origin, training["origin"], "origin")
            network = NetworkMetrics(self.network.trained, training["attempts"], origin)
        return Metrics(
            **vars(measured),
            noise=noise,
            separation=distances,
            data=DataMetrics(measures["spectral_flatness"]),
            controls=controls,
            threshold=detector.threshold,
            parameters=shared + method.own_parameters(image_channels(config)),
            cost=self._cost(method),
            validation_loss=history[-1].get("validation_loss") if history else None,
            seconds={name: round(value, 3) for name, value in seconds.items()},
            network=network,
            peak_memory_mib=round(peak_memory_mib(), 1),
        )

    @property
    def has_network(self) -> bool:
        """Whether the method uses the diffusion network."""
        return shares_network(self.config)

    def _network(self, publish: Callable[[Row], None]) -> tuple[NoisePredictor, History]:
        with self.clock.stage("training"):
            return self.network.fit(self.normals, publish, self.report, copy=self.directory.network)

    def _method(self, train: Train) -> MapMethod:
        return build_method(
            self.config,
            self.recall,
            train=train,
            identity={"fingerprint": self.network.key.fingerprint},
            fit=self.fits,
            device=self.device,
        )

    def _cost(self, method: MapMethod) -> CostMetrics:
        """What the method's maps cost when they were made; `training` in the seconds is the shared network's."""
        inputs, sets = method.map_inputs(self.normals), self.data.sets
        times = {split: self.recall.seconds(inputs, sets[split]) for split in method.scored_splits}
        fits, test = [each["fit"] for each in times.values() if each], times["test"]
        return CostMetrics(
            round(max(fits), 3) if fits else None,  # by the first split that was scored
            round(1000 * test["score"] / len(sets["test"].identities), 3) if test else None,
            method.network_passes,
        )

    def _quality(self, method: MapMethod, test: Scored) -> Quality:
        """Quality of a fitted method; the pixel metrics do not depend on the detector and are taken from the store."""
        evaluation, pixel = self.config.evaluation, None
        if evaluation.pixel:
            made = partial(pixel_metrics, self.dataset, test, evaluation.aupro_limit)
            stored = stored_json(self.store, self._pixel_key(method), lambda: asdict(made()))
            pixel = read_section(PixelMetrics, stored, "pixel")
        return quality(test, pixel)

    def _pixel_key(self, method: MapMethod) -> Key:
        return self.recall.pixel_metrics_key(
            method.map_inputs(self.normals),
            method.config.scoring,
            self.data.sets["test"],
            masks={"hash": self.dataset.masks_hash, "layout": self.config.dataset.layout},
            aupro_limit=self.config.evaluation.aupro_limit,
        )

    def _noise_key(self, method: MapMethod) -> Key:
        return self.recall.noise_statistics_key(
            method.map_inputs(self.normals),
            self.data.sets["test"],
            manifest=self.dataset.manifest_hash,
            settings=self.config.evaluation.noise,
            seed=self.config.seed,
        )

    def _noise_statistics(self, method: MapMethod, test: Scored) -> NoiseMetrics:
        """The noise hypothesis, from the store."""
        settings, seed = self.config.evaluation.noise, self.config.seed

        def make() -> dict[str, Any]:
            noise_maps = method.noise_maps(self.data.sets["test"], self.report)
            return asdict(noise_hypothesis(noise_maps.cpu().numpy(), test.loaded, settings, seed))

        return read_section(NoiseMetrics, stored_json(self.store, self._noise_key(method), make), "noise")

    def _data_measures(self) -> dict[str, Any]:
        key = self.recall.data_measures_key(self.dataset.content_hash)
        measures: dict[str, Any] = stored_json(self.store, key, lambda: data_measures(self.dataset, self.data.loaded))
        return measures

    def _control(self, name: str) -> Quality:
        control = build_control(name, self.config, self.recall, self.device)
        control.fit(self.normals, self.report)
        scores = control.score(self.data.sets["test"], self.report)
        return self._quality(control, Scored(self.data.loaded["test"], scores))


def _set_deterministic(deterministic: bool) -> None:
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses
    torch.use_deterministic_algorithms(deterministic)


def _untrained(*_: object) -> NoisePredictor:
    raise AssertionError("a method that only names its stages does not train")


def _check_size(config: Config, loaded: dict[Split, Images]) -> None:
    """Sizes that only the files tell: `dataset.image.size` may be null."""
    sizes = {split: tuple(images.planes.shape[-2:]) for split, images in loaded.items()}
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


def run_experiment(experiment: Experiment, *, companion: Companion, command: Command | None = None) -> Outcome:
    """Run one experiment, or return the stored result of the same config on the same data.

    `command` is how it was asked for, where a command line did.
    With the workshop's `afresh` it starts over. Raises `RunError` where the run cannot go on.
    """
    run = experiment.directory

    def stored() -> Outcome | None:
        done = not experiment.force and run.read_status().get("state") == "done"
        return Outcome(run.path, run.read_metrics(), experiment.notes(), reused=True) if done else None

    if outcome := stored():
        return outcome
    with run.held():
        if outcome := stored():  # another process may just have finished it
            return outcome
        if experiment.force:
            run.clear()
        with run.recorded(experiment.fingerprint):
            if command is not None:
                write_command(run.path, command)
            metrics = _compute(experiment, companion)
    return Outcome(run.path, metrics, experiment.notes(), reused=False)


def _compute(experiment: Experiment, companion: Companion) -> Metrics:
    config, run = experiment.config, experiment.directory
    write_text(run.config, OmegaConf.to_yaml(OmegaConf.structured(config)))
    write_text(run.manifest, manifest_text(experiment.dataset.samples))
    write_json(run.environment, environment(experiment.device, experiment.dataset.manifest_hash))
    with companion.tracking(config, run, experiment.fingerprint) as tracker:
        metrics = experiment.compute(tracker.log)
        write_json(run.metrics, metrics.to_dict())
        tracker.summarise(metrics)
        if config.evaluation.figures:
            companion.draw(run, tracker)
    return metrics
