"""Methods that make a map of their own and one score of each map; data, threshold and metrics are RADAR's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from radar.config.method_sections import ReductionConfig
from radar.config.schema import BlurConfig, Config, PatchConfig, ScoringConfig, TrainerConfig, TrainingConfig
from radar.data.sample import Split
from radar.methods.interface import Inputs, MapMethod, Normals, Recall
from radar.progress import Report
from radar.scoring.forest import Floats
from radar.scoring.scorer import Mapper, Measurement
from radar.seeds import generator
from radar.training.objective import Objective

MapOne = Callable[[Tensor, str], Tensor]
"""One image `(1, C, H, W)` and its content hash → its map `(1, 1, H, W)` ≥ 0."""


class Fit(Protocol):
    """Trains a network on crops of normals, or takes it from where it was stored; returns it on the scoring device."""

    def __call__(
        self,
        network: nn.Module,
        objective: Objective,
        *,
        inputs: Inputs,
        training: TrainingConfig,
        patch: PatchConfig,
        normal: Normals,
        report: Report,
    ) -> nn.Module:
        """`inputs` is all that the weights depend on beside `training`, the crops `patch`, the seed and the normals."""
        ...


def shortened(training: TrainingConfig, max_steps: int) -> TrainingConfig:
    """The experiment's training, but of `max_steps` at most."""
    steps = min(training.max_steps, max_steps)
    return replace(training, max_steps=steps, warmup_steps=min(training.warmup_steps, steps))


def shares(most: int, images: int, seed: int) -> list[int]:
    """How many each of the images gives to a fit: equally many, `most` in all at most. Where there are more images than that,
    as many of them as the seed draws give one."""
    if images <= most:
        return [most // images] * images
    drawn = set(torch.randperm(images, generator=generator("cpu", seed, "method", "shares"))[:most].tolist())
    return [int(index in drawn) for index in range(images)]


def image_scores(maps: Tensor, reduction: ReductionConfig) -> Floats:
    """One score of each pixel map `(N, H, W)`: its maximum, its mean, or the mean of its largest pixels."""
    flat = maps.flatten(1).double()
    if reduction.statistic == "max":
        scores = flat.amax(dim=1)
    elif reduction.statistic == "mean":
        scores = flat.mean(dim=1)
    else:
        scores = flat.topk(min(reduction.pixels, flat.shape[1]), dim=1).values.mean(dim=1)
    result: Floats = scores.cpu().numpy()
    return result


def one_by_one(one: MapOne) -> Mapper:
    """A mapper that takes images one by one, so that a map does not depend, to the bit, on its neighbours."""

    def mapper(images: Tensor, identities: Sequence[str]) -> Tensor:
        with torch.inference_mode():
            return torch.cat(
                [one(images[index : index + 1], identity).float() for index, identity in enumerate(identities)]
            )

    return mapper


def peer_scoring(scoring: ScoringConfig, reduction: ReductionConfig) -> ScoringConfig:
    """How a method's own map is read: no blur and no edges, and the reduction's smoothing."""
    return replace(
        scoring, edge="none", blur=BlurConfig(kernel=1, sigma=scoring.blur.sigma), smoothing=reduction.smoothing
    )


def peer_points(reduction: ReductionConfig) -> Callable[[Measurement], Floats]:
    """What the detector judges `(N, 1)`: the score of each map."""
    return lambda measurement: image_scores(measurement.anomaly_maps, reduction)[:, None]


class PeerMethod(MapMethod):
    """A method whose image score is a reduction of its own pixel map.

    The threshold is the conformal quantile of that score over the normals of `detector.threshold_on`, unless shifted; as
    there is one score alone, no normals are needed to bring several to one scale. The two norms stand beside it as for RADAR: what
    RADAR's reduction would make of this method's map.
    """

    def __init__(self, config: Config, recall: Recall) -> None:
        assert config.method.reduction is not None
        self.reduction = config.method.reduction
        self.name = config.method.name
        super().__init__(replace(config, scoring=peer_scoring(config.scoring, self.reduction)), recall)
        detector = config.detector
        threshold_on: Split = "train" if detector.threshold_on == "train" else "validation"
        if detector.threshold != "shifted" and detector.threshold_on != "cross_fitted":  # which score all normals
            self.scored_splits = (threshold_on, "test")

    @abstractmethod
    def fit_one(self, normal: Normals, report: Report) -> MapOne:
        """Learn the map of one image from normal images; each method's own part."""

    @abstractmethod
    def inputs(self, normal: Normals) -> Inputs:
        """All that a map depends on beside its image and the method's name."""

    @property
    def detector_sets(self) -> tuple[str, str]:
        detector = self.config.detector
        return detector.fitted_on if detector.threshold == "shifted" else detector.threshold_on, detector.threshold_on

    def points(self, measurement: Measurement) -> Floats:
        return peer_points(self.reduction)(measurement)

    def fit_map(self, normal: Normals, report: Report) -> Mapper:
        return one_by_one(self.fit_one(normal, report))

    def map_inputs(self, normal: Normals) -> Inputs:
        return {"method": self.name, "seed": self.config.seed, **self.inputs(normal)}


def fitted_on(normal: Normals) -> Inputs:
    """Names the normals that a map was learnt from."""
    return {"train": list(normal.train.identities)}


def section(values: object) -> Inputs:
    """A section of the config as plain values."""
    return asdict(values)  # type: ignore[call-overload, no-any-return]


def section_but(values: object, *left_out: str) -> Inputs:
    """A section of the config as plain values, without the keys that are of no effect there."""
    return {key: value for key, value in section(values).items() if key not in left_out}


def trainer_section(trainer: TrainerConfig) -> Inputs:
    """The trainer's keys that a trained network depends on."""
    return {key: getattr(trainer, key) for key in ("devices", "strategy", "precision", "compile", "deterministic")}
