"""Scoring configs and images that the tests of the scoring room are written with."""

from __future__ import annotations

from radar.config.schema import BlurConfig, BorderConfig, DensityConfig, ScoringConfig


def scoring_config(*, kernel=3, sigma=1.0, **changes) -> ScoringConfig:
    values = {
        "draws": 1,
        "map": "prediction",
        "field": "stitched",
        "stride": 4,
        "micro_batch": 4,
        "tile": 64,
        "images_per_pass": 1,
        "density": DensityConfig(name="none", timesteps=[1], blurs=[0.0], ridge=1e-3),
        "blur": BlurConfig(kernel=kernel, sigma=sigma),
        "edge": "sobel",
        "window": 3,
        "smoothing": 0.0,
        "border": BorderConfig(name="none", width=6),
    }
    return ScoringConfig(**(values | changes))


def names(count: int) -> list[str]:
    return [f"hash{index}" for index in range(count)]
