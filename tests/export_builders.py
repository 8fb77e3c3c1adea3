"""Small models of every method that can be exported, around networks of random weights, and photos to ask them about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from image_builders import image_set, images_of
from network_builders import untrained, uses_denoiser
from PIL import Image

from radar.compose import experiment
from radar.data.images import Images
from radar.data.preprocessing import plane_names
from radar.methods.method import Normals
from radar.methods.parts.denoising import DENOISER
from radar.methods.registry import method_of
from radar.methods.responses import learn_border, learn_growth
from radar.model import Calibration, Model
from radar.progress import silent
from radar.runtime.region_of_interest import PLANE, inside_polygons
from radar.scoring.detector import fit_detector
from radar.scoring.map_levels import map_tops
from radar.scoring.reading import MapReading

SMALL = (
    "unet=small", "unet.channels=[8,8]", "unet.attention_levels=[1]", "patch.size=12", "dataset.image.size=24",
    "scoring.stride=5", "scoring.window=5", "scoring.blur.kernel=3", "detector.trees=10", "trainer.threads=1",
)  # fmt: skip
COMPACT = (
    "unet=compact", "unet.channels=[8,16]", "patch.size=16", "dataset.image.size=40", "scoring=whole", "trainer.threads=1",
    "scoring.window=5",
)  # fmt: skip
EMBEDDING = (
    "dataset.image.size=40", "method.embedding.side=64", "method.embedding.trim=1", "method.embedding.rings=1",
    "detector=upper_tail", "trainer.threads=1",
)  # fmt: skip
FUSED = ("method=fused_densities", "detector=cross_fitted", "dataset.image.channels=luma_chroma")
_CORNERS = (((0.1, 0.2), (0.9, 0.1), (1.0, 1.0), (0.3, 0.8)),)
PRETRAINED = ("patchcore", "padim", "fused_densities_pretrained")
MODELS = {
    "published": (*SMALL, "scoring=paper", "scoring.stride=5", "detector=isolation_forest"),
    "residual": (
        *COMPACT, "scoring.map=residual", "scoring.draws=2", "detector=upper_tail", "scoring.border={name: margin, width: 3}",
    ),
    "density": (
        *SMALL, "scoring=density", "scoring.draws=0", "scoring.edge=none", "scoring.smoothing=2", "detector=upper_tail",
        "scoring.border={name: standardised, width: 3}",
    ),
    "fused_densities": (*COMPACT, *FUSED),
    "scales": (*COMPACT, *FUSED, "method.fused_densities.least_side=20"),
    "region": (
        *COMPACT, *FUSED, "method.fused_densities.least_side=20", "region_of_interest=polygons",
        "scoring.border={name: margin, width: 2}",
        "dataset.image.region_of_interest.polygons=[[[0.1,0.15],[0.9,0.2],[0.8,0.95],[0.05,0.8]]]",
    ),
    "region_of_windows": (
        *SMALL, *FUSED, "scoring.field=stitched", "method.fused_densities.least_side=12", "region_of_interest=found",
    ),
    "scales_of_windows": (*SMALL, *FUSED, "scoring.field=stitched", "method.fused_densities.least_side=12"),
    "fused_densities_pretrained": (
        *COMPACT, *FUSED, "method=fused_densities_pretrained", "method.fused_densities.features.side=64",
    ),
    "patchcore": (*EMBEDDING, "method=patchcore", "method.embedding.bank=60"),
    "padim": (*EMBEDDING, "method=padim", "method.embedding.dimensions=8"),
}  # fmt: skip


def _images(count: int, seed: int, side: int, names: tuple[str, ...]) -> Images:
    planes = torch.cat(
        [image_set(count, 10 * seed + place, side=side).planes.whole for place in range(len(names))], dim=1
    )
    if names[-1] == PLANE:
        planes[:, -1] = torch.from_numpy(np.where(inside_polygons(_CORNERS, side, side), 1, -1))
    return images_of(planes, str(seed), plane_names=names)


def model_of(name: str) -> Model:
    """One of `MODELS`, fitted and calibrated on noise."""
    config = experiment([], presets=[*MODELS[name]])
    side, names = config.dataset.image.size, plane_names(config.dataset.image)
    assert side is not None
    normals = Normals(_images(12, 0, side, names), _images(9, 1, side, names))
    planned = method_of(config)
    networks = {name: pretrained() for name, pretrained in planned.pretrained.items()}
    if uses_denoiser(planned):
        networks[DENOISER] = untrained(config, 1)
    method = planned.fit(normals, networks, silent)
    learn_border(method, normals, seed=0, images_per_pass=1, report=silent)
    if isinstance(method.reading, MapReading):  # also of pictures of one size, so that graphs hold it
        learn_growth(method, normals, seed=0, images_per_pass=1, report=silent)
    empty = Model(config, method, None, Calibration(np.zeros(0), np.zeros((0, 2)), (), None), None, "")  # type: ignore[arg-type]
    maps = next(iter(empty._maps(normals.validation)))
    points = maps.points.numpy()
    detector, threshold = fit_detector(
        points, points, config=config.detector, contamination=config.contamination, seed=config.seed
    )
    calibration = Calibration(detector.score(points), map_tops(maps.anomaly), ("network", "densities"), 0.05)
    return Model(config, method, detector, calibration, calibration.fitted(threshold, 0.05), "abc123")


def photos(folder: Path, count: int, width: int = 37, height: int = 31) -> list[Path]:
    """Grey and coloured noise, 8 and 16 bits."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for seed in range(count):
        stream, path = np.random.default_rng(seed), folder / f"{seed}.png"
        shape = (height, width, 3) if seed % 2 else (height, width)
        values = stream.integers(60, 60 + 40 * (1 + seed), shape).clip(0, 255).astype(np.uint8)
        Image.fromarray(values.astype(np.uint16) * 257 if seed == 2 else values).save(path)
        files.append(path)
    return files
