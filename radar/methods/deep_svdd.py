"""One-class deep SVDD of windows (Ruff et al. 2018): a network that maps normal crops close to one point."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from radar.config.schema import Config, TrainingConfig
from radar.methods.interface import Inputs, Normals, Recall
from radar.methods.peer import Fit, MapOne, PeerMethod, fitted_on, section, section_but, shortened, trainer_section
from radar.methods.windows import blended
from radar.networks.cost import parameter_count
from radar.progress import Report
from radar.scoring.tiling import Tiling
from radar.seeds import StepClock, generator, stream_seed
from radar.training.crops import PatchSampler
from radar.training.objective import Forward, Objective

_CENTRE_CROPS = 1024  # whose mean output before training is the centre
_LEAST = 0.1  # |coordinate| of the centre: one at 0 could be met by weights that are 0


class Encoder(nn.Module):
    """Crops `(B, C, p, p)` → points `(B, outputs)`. No layer has a bias: with one, all crops could be mapped to one point."""

    def __init__(self, inputs: int, channels: Sequence[int], outputs: int, side: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width, following in pairwise((inputs, *channels)):
            layers += [
                nn.Conv2d(width, following, 5, padding=2, bias=False),
                nn.LeakyReLU(0.1),
                nn.AvgPool2d(2, ceil_mode=True),
            ]
            side = -(-side // 2)
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * side**2, outputs, bias=False))

    def forward(self, crops: Tensor) -> Tensor:
        points: Tensor = self.layers(crops)
        return points


class HypersphereObjective(Objective):
    """An encoder brings crops close to `centre` `(outputs,)`: the loss is the mean squared distance (Ruff et al. 2018, eq. 4)."""

    def __init__(self, centre: Tensor) -> None:
        self.centre = centre

    def training_loss(self, network: Forward, crops: Tensor, clock: StepClock) -> Tensor:
        points: Tensor = network(crops)
        return squared_distance(points, self.centre.to(points.device)).mean()

    def validation_losses(self, network: Forward, crops: Tensor, clock: StepClock) -> dict[str, Tensor]:
        return {"validation_loss": self.training_loss(network, crops, clock)}


def squared_distance(points: Tensor, centre: Tensor) -> Tensor:
    """`(B,)`, mean over dimensions."""
    return (points - centre).square().mean(dim=1)


def centre_of(points: Tensor) -> Tensor:
    """Mean of points `(B, F)`, its coordinates kept away from 0."""
    mean = points.mean(dim=0)
    return torch.where(mean.abs() < _LEAST, torch.where(mean < 0, -_LEAST, _LEAST), mean)


class DeepSvddMethod(PeerMethod):
    """Squared distance of windows of the training size from the centre, blended into a map."""

    def __init__(self, config: Config, recall: Recall, fit: Fit, device: torch.device) -> None:
        super().__init__(config, recall)
        assert config.method.hypersphere is not None
        self.settings = config.method.hypersphere
        self.fit_network = fit
        self.device = device

    @property
    def network_passes(self) -> int:
        return 1

    def own_parameters(self, image_channels: int) -> int:
        return parameter_count(self._network(image_channels))

    @property
    def _training(self) -> TrainingConfig:
        return shortened(self.config.training, self.settings.max_steps)

    def _network(self, image_channels: int) -> Encoder:
        return Encoder(image_channels, self.settings.channels, self.settings.outputs, self.config.patch.size)

    def inputs(self, normal: Normals) -> Inputs:
        config = self.config
        return {
            **fitted_on(normal),
            "hypersphere": section_but(self.settings, "max_steps"),
            "patch": section(config.patch),
            "training": section(self._training),
            "trainer": trainer_section(config.trainer),
        }

    def fit_one(self, normal: Normals, report: Report) -> MapOne:
        config, settings, images = self.config, self.settings, normal.train.images
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(config.seed, "method", "hypersphere"))
            network = self._network(images.shape[1])
        sampler = PatchSampler(images, size=config.patch.size, flips=False, rotations=False)
        with torch.no_grad():
            crops = sampler.draw(_CENTRE_CROPS, generator("cpu", config.seed, "method", "centre"))
            centre = centre_of(network(crops))
        fitted = self.fit_network(
            network,
            HypersphereObjective(centre),
            inputs={"method": self.name, "hypersphere": section_but(settings, "stride", "max_steps")},
            training=self._training,
            patch=config.patch,
            normal=normal,
            report=report,
        )
        height, width = images.shape[-2:]
        tiling = Tiling.overlapping(height, width, window=config.patch.size, stride=settings.stride)

        def distance(image: Tensor, identity: str) -> Tensor:
            points = fitted(tiling.cut(image).to(self.device)).cpu()
            return blended(squared_distance(points, centre), tiling, height, width)

        return distance
