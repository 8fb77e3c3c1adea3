"""What methods have in common whose response is a pixel map of its own, and whose image score is one statistic of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

import torch

from radar.config.method_settings import ReductionConfig
from radar.config.schema import TrainingConfig
from radar.methods.method import Method
from radar.scoring.border import Border
from radar.scoring.reading import MapReading
from radar.seeds import generator


class HasReduction(Protocol):
    """Settings with a section `reduction`."""

    reduction: ReductionConfig


Reduced = TypeVar("Reduced", bound=HasReduction)


class ReducedMethod(Method[Reduced]):
    """A method whose image score is a reduction of its own pixel map."""

    @property
    def reading(self) -> MapReading:
        """How its maps are read."""
        reduction = self.settings.reduction
        border = Border(self.config.scoring.border)
        smoothing, statistic, pixels = reduction.smoothing, reduction.statistic, reduction.pixels
        return MapReading(border, smoothing, statistic, pixels, has_region=self.has_region)

    @property
    def map_keys(self) -> tuple[str, ...]:
        return ("method.reduction.smoothing",)

    @property
    def point_keys(self) -> tuple[str, ...]:
        return ("method.reduction",)

    @property
    def idle_keys(self) -> Mapping[str, str]:
        statistic, above = self.settings.reduction.statistic, super().idle_keys
        if statistic == "top":
            return above
        return {**above, "method.reduction.pixels": f"method.reduction.statistic={statistic}"}

    def problems(self) -> Iterator[str]:
        detector = self.config.detector
        if detector.name != "upper_tail":
            yield (
                f"detector.name={detector.name}: {self.name} gives one score per image, and only more of it is anomalous; "
                "use detector=upper_tail"
            )


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


def odd_problems(sizes: dict[str, int]) -> Iterator[str]:
    """Sizes in px, by key, that must be odd."""
    for key, size in sizes.items():
        if size % 2 == 0:
            yield f"{key}={size}: must be odd"


def step_problems(steps: dict[str, Sequence[int]], last: int) -> Iterator[str]:
    """Timesteps, by key, that must lie between 1 and T."""
    for key, values in steps.items():
        if not values or not all(1 <= step <= last for step in values):
            yield f"{key}={list(values) if len(values) != 1 else values[0]}: needs steps between 1 and diffusion.timesteps={last}"
