"""RADAR itself: a U-Net trained on normal patches, scored in one step (arXiv 2508.04818)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from radar.config import Config
from radar.diffusion.build import NoisePredictor, build_schedule
from radar.methods.interface import MapMethod, Normals
from radar.progress import Report
from radar.scoring.noise_map import NoiseMapper
from radar.scoring.scorer import Mapper

Train = Callable[[Tensor, Tensor, Report], NoisePredictor]
"""Training and held-out normals `(N, C, H, W)` → the trained network, on the device that scores."""


class RadarMethod(MapMethod):
    """Trains through `train`, then predicts noise with what came back."""

    name = "radar"

    def __init__(self, config: Config, train: Train) -> None:
        super().__init__(config)
        self.train = train

    def fit_map(self, normal: Normals, report: Report) -> Mapper:
        return noise_mapper(self.config, self.train(normal.train.images, normal.validation.images, report))


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
