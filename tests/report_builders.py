"""Results made up from a seed: what a run would have left, without a run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

from radar.config.verbs import ReportConfig
from radar.evaluation.image_metrics import image_metrics, per_defect_metrics
from radar.evaluation.metrics import (
    BorderMetrics,
    Chance,
    ChanceDistances,
    Compared,
    ControlQuality,
    CostMetrics,
    Counts,
    DataMetrics,
    Distances,
    FeatureMetrics,
    Kinds,
    Metrics,
    Moments,
    NetworkMetrics,
    NoiseMetrics,
    Normality,
    Origin,
    StageMemory,
)
from radar.evaluation.pixel_metrics import PixelMetrics
from radar.report.result import FORMAT, Command, EvaluatedImage, Result, ScoredNormals

SETTINGS = ReportConfig(
    seeds=None,
    level=0.95,
    alpha=0.05,
    resamples=100,
    permutations=199,
    seed=0,
    borderline=0.1,
    vector="pdf",
    development=[],
)
NORMAL, ANOMALOUS = 12, 18
DEFECTS = ("crack", "hole")


def images(dataset: str = "grid") -> tuple[EvaluatedImage, ...]:
    """Twelve normal and eighteen anomalous images, two of each sheet."""
    normal = [
        EvaluatedImage(f"good/{n:02}.png", f"{dataset}a{n}", 0, "good", f"g{n // 2}", None, None) for n in range(NORMAL)
    ]
    anomalous = [
        EvaluatedImage(
            f"bad/{n:02}.png", f"{dataset}b{n}", 1, DEFECTS[n % 2], f"b{n // 2}", 0.01 + 0.02 * (n % 2), 0.5 + n / 10
        )
        for n in range(ANOMALOUS)
    ]
    return (*normal, *anomalous)


def result(
    *,
    dataset: str = "grid",
    preset: str | None = "paper",
    overrides: Sequence[str] = (),
    seed: int = 0,
    gain: float = 1.5,
    **changes: Any,
) -> Result:
    """One run. `gain` is how far anomalous scores lie above normal ones; `changes` are config keys, dots as `__`."""
    config: dict[str, Any] = {
        "name": dataset,
        "seed": seed,
        "tags": [],
        "method": {"name": "radar", "controls": ["raw_sobel"]},
        "dataset": {"name": dataset, "train_images": None},
        "timestep": {"value": 1},
        "patch": {"size": 28},
        "scoring": {"stride": 14, "border": {"name": "none"}},
        "logger": {"csv": True},
    }
    for key, value in changes.items():
        section, leaf = key.split("__")
        config[section] = {**config.get(section, {}), leaf: value}
    random = np.random.default_rng([seed, len(dataset), len(preset or ""), int(100 * gain)])
    shown = images(dataset)
    labels = np.array([image.label for image in shown])
    scores = np.round(random.normal(size=labels.size) + gain * labels, 5)
    decisions = scores > 1
    told = repr((dataset, preset, tuple(overrides), seed, gain, sorted(changes.items())))
    identity = hashlib.sha1(told.encode()).hexdigest()
    return Result(
        name=f"{dataset}-{identity[-12:]}",
        fingerprint=identity,
        ended=f"2026-01-01T00:00:{seed:02}Z",
        command=Command(preset, tuple(overrides), ("radar", f"experiment={preset}", *overrides)),
        config=config,
        environment={
            "git_revision": "a" * 40,
            "git_modified": False,
            "data_manifest_hash": f"{dataset}-manifest",
            "device": "CPU, 1 threads",
            "packages": {"torch": "2.6", "scikit-learn": "1.6", "numpy": "2.0"},
        },
        metrics=metrics(labels, scores, decisions, [image.defect for image in shown]),
        scored=60,
        images=shown,
        feature_names=("global_norm", "local_norm"),
        features=np.round(np.column_stack([scores + 10, np.exp(scores / 2)]), 5),
        scores=scores,
        decisions=decisions,
        normals=normals(random),
        unscored_normals=(),
        format=FORMAT,
        directory=None,
    )


def normals(random: np.random.Generator) -> tuple[ScoredNormals, ...]:
    """Twenty training and ten held-out normals, two of each sheet, of a cross-fitted method."""
    return tuple(
        ScoredNormals(
            split,
            unseen_by,
            tuple(f"{split[0]}{index // 2}" for index in range(count)),
            tuple(f"{split[0]}{index:07}" for index in range(count)),
            np.round(random.normal(size=count), 5),
            tuple(f"{split}/good/{index:03}.png" for index in range(count)),
        )
        for split, count, unseen_by in (
            ("train", 20, ("densities", "detector")),
            ("validation", 10, ("network", "densities", "detector")),
        )
    )


def metrics(labels: np.ndarray, scores: np.ndarray, decisions: np.ndarray, defects: list[str]) -> Metrics:
    """As a run measures them."""
    image = image_metrics(labels, scores, decisions)
    control = replace(image, auroc=0.6, average_precision=float(average_precision_score(labels, labels)))
    pixel = PixelMetrics(0.9, 0.7, 0.8, 0.3, labels.size, 0, 20, 1000, 9000)
    chance = ChanceDistances(*[Chance(0.25, 0.35)] * 4, Chance(0.7, 0.6))
    distances = Distances(0.5, 0.25, 1.0, 1.1, 0.4, 0.8, 16, 0.01, chance)
    kinds, counts = Kinds(1.0, 2.0), Counts(NORMAL, ANOMALOUS)
    compared = Compared(1.0, 0.25, 1.0, 1.1, 0.4, 0.8, 16, 0.01, chance, normal=1.0, anomalous=2.0, difference=1.0)
    return Metrics(
        image=image,
        pixel=pixel,
        features={"global_norm": FeatureMetrics(0.7), "local_norm": FeatureMetrics(0.8)},
        defects={each.defect: each for each in per_defect_metrics(labels, scores, decisions, defects)},
        controls={"raw_sobel": ControlQuality(control, {}, {}, pixel)},
        noise=NoiseMetrics(
            counts, counts, "histogram", 99, distances, Moments(kinds, kinds, kinds, kinds), Normality(8, kinds, compared),
            compared, compared,
        ),
        separation=dict.fromkeys(("global_norm", "local_norm", "score"), distances),
        data=DataMetrics(0.1, True),
        threshold=1.0,
        parameters=1000,
        cost=CostMetrics(1.5, 2.5, 1),
        validation_loss=0.5,
        seconds={"training": float(60.0 + scores[0]), "score": 1.2, "metrics": 0.1, "validation": 0.5, "controls": 0.3},
        network=NetworkMetrics(True, 1, Origin("0.1.0", "a" * 40, {"torch": "2.6"})),
        memory={"training": StageMemory(500.0, 200.0, None, None)},
        border_share=BorderMetrics(5, 0.19, 0.5, 0.4),
    )  # fmt: skip


def on_other_data(one: Result) -> Result:
    """The same run on a data set whose first test image differs."""
    changed = (replace(one.images[0], content_hash="other"), *one.images[1:])
    environment = {**one.environment, "data_manifest_hash": "other"}
    return replace(one, images=changed, environment=environment, name=f"{one.name}x", fingerprint=f"{one.fingerprint}x")


def one_kind(one: Result, label: int) -> Result:
    """The same run on test images of one label alone, without what can only be measured on both."""
    kept = one.labels == label
    shown = tuple(image for image in one.images if image.label == label)
    scores, decisions = one.scores[kept], one.decisions[kept]
    measured = metrics(one.labels[kept], scores, decisions, [image.defect for image in shown])
    pixel = measured.pixel if label else None
    control = replace(measured.controls["raw_sobel"], image=measured.image)
    return replace(
        one,
        images=shown,
        scores=scores,
        decisions=decisions,
        features=one.features[kept],
        metrics=replace(
            measured,
            pixel=pixel,
            noise=None,
            separation={},
            features={},
            controls={"raw_sobel": control},
            border_share=None,
        ),
    )


def study() -> list[Result]:
    """Two recipes, three data sets, three seeds, and a timestep ablation on one of them."""
    results = [
        result(dataset=dataset, preset=preset, seed=seed, gain=gain)
        for dataset in ("grid", "wood", "tile")
        for preset, gain in (("paper", 1.0), ("recommended", 2.5))
        for seed in range(3)
    ]
    return results + [result(seed=seed, gain=1.2, timestep__value=50) for seed in range(2)]
