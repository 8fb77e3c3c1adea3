"""One-class deep SVDD of windows (Ruff et al. 2018): a network that maps normal crops close to one point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from radar.config.fields import number, numbers, section
from radar.config.method_settings import ReductionConfig
from radar.methods.method import FittedMethod, Material, Networks, Normals, Structure, Training, channels_of
from radar.methods.parts.reduced import ReducedMethod, shortened
from radar.methods.parts.windows import FittedWindows
from radar.progress import Report
from radar.rasters import Rasters
from radar.scoring.reading import MapReading
from radar.seeds import StepClock, generator, stream_seed
from radar.training.crops import PatchSampler
from radar.training.objective import Forward, Objective

HYPERSPHERE = "hypersphere"  # the name of its training
_CENTRE_CROPS = 1024  # whose mean output before training is the centre
_LEAST = 0.1  # |coordinate| of the centre: one at 0 could be met by weights that are 0


@dataclass
class HypersphereConfig:
    """The encoder of square windows, and which are scored."""

    channels: list[int] = numbers(minimum=1, maximum=16_384)  # width of each level
    outputs: int = number(minimum=1, maximum=65_536)  # dimensions of the sphere
    stride: int = number(minimum=1, maximum=16_384)  # px between scored windows, of the training size
    max_steps: int = number(minimum=1, maximum=1_000_000_000)  # of its training, at most


@dataclass
class DeepSvddSettings:
    """Keys of `method=deep_svdd`."""

    reduction: ReductionConfig = section(ReductionConfig)
    hypersphere: HypersphereConfig = section(HypersphereConfig)


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


class Hypersphere(nn.Module):
    """Crops `(B, C, p, p)` → squared distances `(B,)` of their points from the centre, mean over dimensions."""

    centre: Tensor  # (outputs,), fixed before training

    def __init__(self, encoder: Encoder, outputs: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("centre", torch.zeros(outputs))

    def forward(self, crops: Tensor) -> Tensor:
        points: Tensor = self.encoder(crops)
        return (points - self.centre).square().mean(dim=1)


class HypersphereObjective(Objective):
    """Crops come close to the centre: the loss is the mean squared distance (Ruff et al. 2018, eq. 4)."""

    def training_loss(self, network: Forward, crops: Tensor, clock: StepClock) -> Tensor:
        distances: Tensor = network(crops)
        return distances.mean()

    def validation_losses(self, network: Forward, crops: Tensor, clock: StepClock) -> dict[str, Tensor]:
        return {"validation_loss": self.training_loss(network, crops, clock)}


def centre_of(points: Tensor) -> Tensor:
    """Mean of points `(B, F)`, its coordinates kept away from 0."""
    mean = points.mean(dim=0)
    return torch.where(mean.abs() < _LEAST, torch.where(mean < 0, -_LEAST, _LEAST), mean)


class FittedDeepSvdd(FittedWindows):
    """Squared distance of windows of the training size from the centre."""

    network_passes = 1

    def __init__(self, network: nn.Module, reading: MapReading, *, channels: int, size: int, stride: int) -> None:
        super().__init__(reading, channels=channels, size=size, stride=stride)
        self.network = network.eval()

    def scores(self, windows: Tensor) -> Tensor:
        distances: Tensor = self.network(windows)
        return distances


class DeepSvddMethod(ReducedMethod[DeepSvddSettings]):
    """A sphere around what normal windows are mapped to."""

    name = "deep_svdd"
    Settings = DeepSvddSettings

    @property
    def fitting_keys(self) -> tuple[str, ...]:
        return ("patch", "training")

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        sphere, size = self.settings.hypersphere, self.config.patch.size
        if not sphere.channels or min(sphere.channels) < 1:
            yield f"method.hypersphere.channels={sphere.channels}: needs the width of at least one level, each ≥ 1"
        if sphere.stride > size:
            yield f"method.hypersphere.stride={sphere.stride}: must be ≤ patch.size={size}, or windows leave gaps"

    def trainings(self, normals: Normals) -> tuple[Training, ...]:
        sphere, images = self.settings.hypersphere, normals.train.network_planes
        return (
            Training(
                HYPERSPHERE,
                lambda _: self._centred(images),
                lambda _: Material(images, normals.validation.network_planes, HypersphereObjective()),
                {"channels": list(sphere.channels), "outputs": sphere.outputs},
                self.config.patch,
                shortened(self.config.training, sphere.max_steps),
            ),
        )

    def fit(self, normals: Normals, networks: Networks, report: Report) -> FittedMethod:
        return self._fitted(networks[HYPERSPHERE], normals.train.network_planes.channels)

    def empty(self, structure: Structure) -> FittedMethod:
        channels = channels_of(structure, self.config)
        return self._fitted(self._network(channels), channels)

    def _fitted(self, network: nn.Module, channels: int) -> FittedMethod:
        size, stride = self.config.patch.size, self.settings.hypersphere.stride
        fitted = FittedDeepSvdd(network, self.reading, channels=channels, size=size, stride=stride)
        return fitted.to(next(network.parameters()).device)

    def _network(self, channels: int) -> Hypersphere:
        sphere = self.settings.hypersphere
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(self.config.seed, "method", "hypersphere"))
            encoder = Encoder(channels, sphere.channels, sphere.outputs, self.config.patch.size)
        return Hypersphere(encoder, sphere.outputs)

    def _centred(self, images: Rasters) -> Hypersphere:
        """The network before training, its centre among the points of training crops."""
        network = self._network(images.channels)
        if next(network.parameters()).is_meta:  # asked for its size alone
            return network
        sampler = PatchSampler(images, size=self.config.patch.size, flips=False, rotations=False)
        with torch.no_grad():
            crops = sampler.draw(_CENTRE_CROPS, generator("cpu", self.config.seed, "method", "centre"))
            network.centre = centre_of(network.encoder(crops))
        return network
