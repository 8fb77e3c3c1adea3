"""Small folders and configs that the tests of the data room are written with."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from radar.config.schema import DatasetConfig, ImageConfig
from radar.data.layouts.folder import FolderSettings

REPOSITORY = Path(__file__).resolve().parents[2]
REAL = Path(os.environ.get("RADAR_DATA", REPOSITORY.parent / "shared" / "data"))
NO_REAL = f"the public data are not in {REAL}; set RADAR_DATA"


def image_config(**changes) -> ImageConfig:
    values = {
        "channels": "grey",
        "size": None,
        "width": None,
        "aspect": "stretch",
        "resolution": None,
        "file_resolution": None,
    }
    return ImageConfig(**{**values, "resize": "box", **changes})


def dataset_config(layout: str, root: Path | None, **changes) -> DatasetConfig:
    values = {
        "name": "set",
        "layout": layout,
        "root": None if root is None else str(root),
        "category": None,
        "split": "random",
        "manifest": None,
        "split_seed": 0,
        "validation_fraction": 0.25,
        "test_fraction": 0.25,
        "train_images": None,
        "near_duplicates": "error",
        "megapixels": 250.0,
        "image": image_config(size=16),
        "settings": None,
    }
    return DatasetConfig(**(values | changes))


def folder_settings(*, normal="normal", anomalous="anomalous", masks=None, group=None) -> FolderSettings:
    return FolderSettings(normal=normal, anomalous=anomalous, masks=masks, group=group)


def save(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def noise(seed: int, height: int = 32, width: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def mvtec_folder(root: Path, *, train: int = 8) -> Path:
    """`train` normals, 2 test normals, 2 defects of kind `dent` with masks."""
    for index in range(train):
        save(root / f"train/good/{index:03d}.png", noise(index))
    for index in range(2):
        save(root / f"test/good/{index:03d}.png", noise(100 + index))
        save(root / f"test/dent/{index:03d}.png", noise(200 + index))
        mask = np.zeros((32, 32), np.uint8)
        mask[4:8, 2:6] = 255
        save(root / f"ground_truth/dent/{index:03d}_mask.png", mask)
    return root


def normal_and_anomalous(root: Path, *, normals: int = 12, anomalous: int = 3) -> Path:
    for index in range(normals):
        save(root / f"normal/{index:02d}.png", noise(index))
    for index in range(anomalous):
        save(root / f"anomalous/{index:02d}.png", noise(500 + index))
    return root
