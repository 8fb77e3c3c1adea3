"""RADAR itself: a U-Net trained on normal patches, scored in one step (arXiv 2508.04818)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from torch import Tensor, nn

from radar.config import Config
from radar.diffusion.build import SCHEDULE_KEYS, NoisePredictor, build_schedule
from radar.methods.interface import Inputs, MapMethod, Normals, Recall
from radar.progress import Report
from radar.scoring.noise_map import NoiseMapper
from radar.scoring.scorer import Mapper

Train = Callable[[Tensor, Tensor, Report], NoisePredictor]
"""Training and held-out normals `(N, C, H, W)` → the trained network, on the device that scores."""


class RadarMethod(MapMethod):
    """RADAR with the network that `train` returns; `identity` names all that it depends on."""

    name = "radar"

    def __init__(self, config: Config, recall: Recall, train: Train, identity: Inputs) -> None:
        super().__init__(config, recall)
        self.train = train
        self.identity = identity

    def fit_map(self, normal: Normals, report: Report) -> Mapper:
        return noise_mapper(self.config, self.train(normal.train.images, normal.validation.images, report))

    def map_inputs(self, normal: Normals) -> Inputs:
        config, scoring = self.config, asdict(self.config.scoring)
        read = ["draws", "map", "field", "tile", "images_per_pass"]
        if config.scoring.field == "stitched":  # from windows
            read += ["stride", "micro_batch"]
        schedule = asdict(config.diffusion)
        return {
            "network": self.identity,
            "timestep": config.timestep.value,
            "patch_size": config.patch.size,
            "scoring": {key: scoring[key] for key in read},
            "schedule": {key: schedule[key] for key in SCHEDULE_KEYS},
            "seed": config.seed,
        }


def noise_mapper(config: Config, unet: nn.Module) -> NoiseMapper:
    """The noise map that `config` describes, predicted by `unet`."""
    schedule = build_schedule(config.diffusion).to(next(unet.parameters()).device)
    return NoiseMapper(
        unet,
        schedule,
        scoring=config.scoring,
        timestep=config.timestep.value,
        patch_size=config.patch.size,
        seed=config.seed,
    )
