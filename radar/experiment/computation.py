"""What a run computes and stores, stage by stage: metrics, scores, the model, and what figures are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

from radar.config.schema import Config
from radar.evaluation.metrics import (
    BorderMetrics,
    CostMetrics,
    DataMetrics,
    Distances,
    Metrics,
    NetworkMetrics,
    NoiseMetrics,
    Origin,
    Quality,
    StageMemory,
)
from radar.evaluation.typed_sections import read_section
from radar.experiment.clock import Clock
from radar.experiment.measures import Scored, border_metrics, separation, write_scores
from radar.experiment.method_stages import MethodStages
from radar.experiment.panels import chosen_panels, write_panels
from radar.experiment.run_directory import RunDirectory
from radar.experiment.stages import ExperimentStages
from radar.files import write_csv
from radar.methods.parts.denoising import DENOISER
from radar.model import Model
from radar.model_card import COUNTS
from radar.model_folder import save
from radar.networks.cost import parameter_count
from radar.training.history import Row


@dataclass(frozen=True)
class _Own:
    """What a run finds of its own method; its maps are let go, for those of a control fill as much."""

    quality: Quality
    noise: NoiseMetrics | None
    separation: dict[str, Distances]
    data: DataMetrics
    border: BorderMetrics


def compute(config: Config, stages: ExperimentStages, clock: Clock, run: RunDirectory, fingerprint: str) -> Metrics:
    """All stages after the data; returns the metrics and leaves every other file in the run's directory."""
    method = stages.method
    with clock.stage("training"):
        trained_now, history = _trained(method)
    own = _own(config, stages, clock, run, fingerprint)
    method.forget_maps()
    with clock.stage("controls"):
        controls = {name: stages.control_quality(control) for name, control in stages.controls.items()}
    if config.logger.csv and history:
        columns = list(history[0])
        write_csv(run.history, columns, [[row[column] for column in columns] for row in history])
    network, seconds = _network(method, trained_now)
    times = {**clock.seconds, **({} if network is None else {"training": seconds})}
    return Metrics(
        **vars(own.quality),
        noise=own.noise,
        separation=own.separation,
        data=own.data,
        controls=controls,
        threshold=method.detector[1],
        parameters=parameter_count(method.fitted.value),
        cost=_cost(method, len(stages.context.data.images["test"])),
        # on held-out normals; what a search minimises
        validation_loss=history[-1].get("validation_loss") if history else None,
        seconds={name: round(value, 3) for name, value in times.items()},
        network=network,
        memory=_memory(method),
        border_share=own.border,
    )


def _own(config: Config, stages: ExperimentStages, clock: Clock, run: RunDirectory, fingerprint: str) -> _Own:
    """Score with the method and measure it; leaves the model, the scores and what panels are drawn from."""
    method = stages.method
    with clock.stage("score"):
        scored = {split: stages.scored(method, split) for split in method.scored_splits}
    test = scored["test"]
    with clock.stage("metrics"):
        measured = stages.quality(method)
    with clock.stage("validation"):
        noise = stages.noise()
        distances = separation(test, stages.test_groups, config.evaluation.noise, config.seed)
        measures = stages.data_measures.value
    (detector, threshold), calibration = method.detector, method.calibration
    thresholds = calibration.fitted(threshold, config.contamination.value)
    save(
        Model(config, method.fitted.value, detector, calibration, thresholds, fingerprint),
        run.model,
        _counts(stages, test),
    )
    defects = measures["defects"]
    write_scores(run.scores, list(scored.values()), defects if isinstance(defects, dict) else {})
    if config.evaluation.panels:
        panels = chosen_panels(stages.context.data.dataset, test, threshold, config.evaluation.panels)
        write_panels(run.panels, panels)
    data = DataMetrics(float(str(measures["spectral_flatness"])), bool(measures["coloured"]))
    border = border_metrics(test, scored.get("validation"), config.evaluation.border)
    return _Own(measured, noise, distances, data, border)


def _counts(stages: ExperimentStages, test: Scored) -> dict[str, int]:
    """What the model's card says of its images."""
    split = stages.context.data.dataset.split
    anomalous, called = test.images.labels == 1, test.scores.decisions == 1
    learnt = (len(split("train")), len(split("validation")), len(set(stages.method.threshold_groups)))
    tested = (~anomalous, called & ~anomalous, anomalous, called & anomalous)
    return dict(zip(COUNTS, (*learnt, *(int(each.sum()) for each in tested)), strict=True))


def _trained(method: MethodStages) -> tuple[bool, list[Row]]:
    """Train what the method wants trained; whether the shared network was trained now, and its history, published."""
    stage = method.trainings.get(DENOISER)
    if stage is None:
        return False, []
    history = stage.value.history
    if not stage.made_here:  # else it was told as it came
        for row in history:
            method.context.publish(row)
    return stage.made_here, history


def _network(method: MethodStages, trained_now: bool) -> tuple[NetworkMetrics | None, float]:
    """Where the shared network comes from, and how long its training took."""
    stage = method.trainings.get(DENOISER)
    if stage is None:
        return None, 0.0
    record = stage.store.record(stage.key)
    origin = read_section(Origin, record["origin"], "origin")
    return NetworkMetrics(trained_now, int(record["attempts"]), origin), float(record["seconds"])


def _memory(method: MethodStages) -> dict[str, StageMemory]:
    """By stage as in the seconds and the cost: of several that fit, the one with the highest peak."""
    own = [stage.memory for name, stage in method.trainings.items() if name != DENOISER]
    shared = [stage.memory for name, stage in method.trainings.items() if name == DENOISER]
    made = {"training": shared, "fitting": [*own, method.fitted.memory], "scoring": [method.responses["test"].memory]}
    known = {name: [each for each in found if each is not None] for name, found in made.items()}
    return {name: max(found, key=_peak) for name, found in known.items() if found}


def _peak(memory: StageMemory) -> tuple[float, float]:
    return memory.device or 0.0, memory.host or 0.0


def _cost(method: MethodStages, images: int) -> CostMetrics:
    """What the method's maps cost when they were made; `training` in the seconds is the shared network's."""
    own = [stage.seconds for name, stage in method.trainings.items() if name != DENOISER]
    fits = [seconds for seconds in (*own, method.fitted.seconds) if seconds is not None]
    scoring = method.responses["test"].seconds
    return CostMetrics(
        fit_seconds=round(sum(fits), 3) if fits else None,
        milliseconds_per_image=None if scoring is None else round(1000 * scoring / images, 3),
        network_passes_per_image=method.fitted.value.network_passes,
    )
