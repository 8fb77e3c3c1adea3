"""What the measurements share: configs of the fast experiment, an untrained model, medians, peaks, and the traffic of layers."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from radar.compose import experiment
from radar.config.schema import Config
from radar.methods.registry import method_of
from radar.model import Calibration, Model
from radar.scoring.detector import fit_detector


def fast_config(*overrides: str) -> Config:
    """The fast experiment with some keys changed."""
    return experiment(["experiment=fast", *overrides])


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def seconds_of(work: Callable[[], object], times: int = 10) -> float:
    """Median seconds of one call, after two that build kernels."""
    work(), work()
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


def untrained_model(config: Config) -> Model:
    """RADAR for grey images with its initial weights, which its cost does not depend on, and a detector of made-up points."""
    method = method_of(config).empty({"channels": 1}).eval().requires_grad_(False)
    points = np.random.default_rng(0).random((50, 2)) + 0.1
    detector, threshold = fit_detector(
        points, points, config=config.detector, contamination=config.contamination, seed=config.seed
    )
    calibration = Calibration(detector.score(points), points, (), None)
    thresholds = calibration.fitted(threshold, config.contamination.value)
    return Model(config, method, detector, calibration, thresholds, "untrained")


def layer_bytes(network: nn.Module, images: Tensor) -> float:
    """Bytes per image that the layers of one pass over `images` read and write: every map and weight once per leaf layer."""
    total = 0

    def count(layer: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal total
        tensors = [each for each in (*inputs, output) if isinstance(each, Tensor)]
        total += sum(each.nbytes for each in (*tensors, *layer.parameters()))

    leaves = [layer for layer in network.modules() if not list(layer.children()) and not isinstance(layer, nn.Identity)]
    hooks = [layer.register_forward_hook(count) for layer in leaves]
    with torch.no_grad():
        network(images, torch.ones(len(images), dtype=torch.long))
    for hook in hooks:
        hook.remove()
    return total / len(images)


def peak_memory(*arguments: str) -> float:
    """MiB that a fresh `scripts.peak_memory` with these arguments reports."""
    command = [sys.executable, "-m", "scripts.peak_memory", *arguments]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
