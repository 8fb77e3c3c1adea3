"""Milliseconds per image of the ways to score with RADAR, of each stage, and of single calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from radar.methods.responses import responses
from radar.networks.cost import forward_flops, parameter_count
from radar.progress import silent
from radar.rasters import Rasters
from radar.scoring.edge_map import anomaly_map, edge_map
from radar.scoring.features import features
from scripts.measuring import fast_config, layer_bytes, seconds_of, summary, untrained_model

SIDE = 100  # px
_IMAGES, _CALLS = 32, 100  # images per batch, calls of one image alone


class Scoring:
    """One way to score, by an untrained model."""

    def __init__(self, *overrides: str) -> None:
        self.config = fast_config(*overrides)
        self.model = untrained_model(self.config)
        self.network = self.model.method.get_submodule("denoiser.network")

    def batch(self, images: Tensor) -> float:
        """Milliseconds per image when many are scored in one call."""
        began = time.perf_counter()
        self.model.score(images)
        return 1000 * (time.perf_counter() - began) / len(images)

    def alone(self, images: Tensor) -> list[float]:
        """Milliseconds of single calls with one image."""
        spent = []
        for call in range(_CALLS):
            image = images[call % len(images)][None]
            began = time.perf_counter()
            self.model.score(image)
            spent.append(1000 * (time.perf_counter() - began))
        return spent

    def stages(self, images: Tensor) -> dict[str, float]:
        """Milliseconds of each stage for one image."""
        scoring, image = self.config.scoring, images[:1]

        def noise_map() -> Tensor:
            found = responses(
                self.model.method, Rasters.of(image), ["alone"], seed=self.config.seed, images_per_pass=1, report=silent
            )
            return found.whole

        with torch.inference_mode():
            edges = edge_map(noise_map(), scoring.blur, scoring.edge)
            predicted, points = noise_map(), features(edges, scoring.window).double().numpy()
            work: dict[str, Callable[[], object]] = {
                "noise_map": noise_map,
                "edge_map": lambda: edge_map(predicted, scoring.blur, scoring.edge),
                "features": lambda: features(edges, scoring.window),
                "anomaly_map": lambda: anomaly_map(edges, scoring.smoothing),
                "detector": lambda: self.model.detector.score(points),
            }
            return {stage: 1000 * seconds_of(run, 30) for stage, run in work.items()}


SCORINGS = {
    "compact, whole image": (),
    "compact, windows every 24 px": ("scoring.field=stitched", "scoring.stride=24"),
    "compact, windows every 14 px": ("scoring.field=stitched", "scoring.stride=14"),
    "compact_wide, whole image": ("unet=compact_wide",),
    "unet=attention, windows every 14 px": ("unet=attention", "scoring.field=stitched", "scoring.stride=14"),
}


def scoring_times(*, repeats: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Milliseconds per image of all ways to score images of 100 × 100 px in grey."""
    images = torch.rand(_IMAGES, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    ways = {label: Scoring(*overrides) for label, overrides in SCORINGS.items()}
    batch: dict[str, list[float]] = {label: [] for label in ways}
    p50: dict[str, list[float]] = {label: [] for label in ways}
    p99: dict[str, list[float]] = {label: [] for label in ways}
    for way in ways.values():
        way.batch(images)  # builds kernels
    for repeat in range(repeats):
        for label, way in ways.items():
            batch[label].append(way.batch(images))
            spent = way.alone(images)
            p50[label].append(float(np.percentile(spent, 50)))
            p99[label].append(float(np.percentile(spent, 99)))
        say(f"scoring: round {repeat + 1} of {repeats}")
    return {label: figures_of(way, images, batch[label], p50[label], p99[label]) for label, way in ways.items()}


def figures_of(way: Scoring, images: Tensor, batch: list[float], p50: list[float], p99: list[float]) -> dict[str, Any]:
    """What is told of one way to score."""
    network = way.network
    return {
        "parameters": parameter_count(network),
        "ms_per_image": summary(batch),
        "ms_alone_p50": summary(p50),
        "ms_alone_p99": summary(p99),
        "stages_ms": way.stages(images),
        "whole_image_flops": forward_flops(network, images[:1]),
        "whole_image_bytes": layer_bytes(network, images[:1]),
    }
