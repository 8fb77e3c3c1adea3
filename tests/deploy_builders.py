"""A model that is fitted in an instant, and photos to ask it about."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radar.compose import experiment
from radar.compose.settings import verb_settings
from radar.config.schema import MethodConfig
from radar.config.verbs import PredictConfig
from radar.data.file_reader import FileReader
from radar.data.images import read_images
from radar.methods.method import Normals
from radar.methods.registry import METHODS, method_of
from radar.methods.responses import read, responses
from radar.model import Calibration, Model
from radar.model_card import COUNTS
from radar.model_folder import save as save_folder
from radar.progress import silent
from radar.scoring.detector import fit_detector
from radar.scoring.map_levels import map_tops

SPOT = (210, 60, 24, 20)  # x, y, width, height in a photo of 300 x 200 px
QUICK = (
    "detector=upper_tail", "dataset.image.size=64", "scoring.window=5", "scoring.blur.kernel=3", "scoring.smoothing=0",
    "scoring.images_per_pass=1", "trainer.threads=1",
)  # fmt: skip


def settings(*overrides: str) -> PredictConfig:
    return verb_settings(PredictConfig, "predict", overrides)


def drawn(seed: int, *, spot: bool = False, width: int = 300, height: int = 200) -> NDArray[np.uint8]:
    """Grey noise `(H, W)`, with a bright spot at SPOT."""
    values = np.random.default_rng(seed).normal(110, 6, (height, width))
    if spot:
        x, y, w, h = SPOT
        values[y : y + h, x : x + w] += 90
    return np.clip(values, 0, 255).astype(np.uint8)


def save(path: Path, values: NDArray[np.uint8] | NDArray[np.uint16]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def quick_model(folder: Path, *overrides: str, normals: int = 24) -> Model:
    """Mean brightness of photos without a spot, calibrated on as many others."""
    config = experiment([], presets=[*QUICK, *overrides])
    control = METHODS.get("mean_brightness")  # of which no config can be composed
    config = replace(config, method=MethodConfig(control.name, [], control.Settings()))
    files = [save(folder / f"{seed}.png", drawn(seed)) for seed in range(2 * normals)]
    images = read_images(files, FileReader(), config.dataset.image)
    shutil.rmtree(folder)
    train, held_out = images[:normals], images[normals:]
    method = method_of(config).fit(Normals(train, held_out), {}, silent)
    response = responses(method, held_out.planes, held_out.identities, seed=0, images_per_pass=1, report=silent)
    maps = read(method, response, images_per_pass=1)
    points = maps.points.numpy()
    detector, threshold = fit_detector(
        points, points, config=config.detector, contamination=config.contamination, seed=0
    )
    calibration = Calibration(detector.score(points), map_tops(maps.anomaly), ("network", "densities"), 0.05)
    return Model(config, method, detector, calibration, calibration.fitted(threshold, 0.05), "abc123" * 4)


def decisions(predictions: Sequence[object]) -> list[str]:
    return [each.decision for each in predictions]  # type: ignore[attr-defined]


def save_model(model: Model, folder: Path) -> None:
    """Its folder, as of a model of whose images nothing is told."""
    save_folder(model, folder, dict.fromkeys(COUNTS, 0))
