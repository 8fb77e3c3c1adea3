"""The map of fused densities: how unlikely each pixel is under several Gaussians at several scales, on one scale of numbers."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.data.preprocessing import rgb
from radar.files import Plain
from radar.methods.method import FittedMethod
from radar.methods.parts.blurring import blurred
from radar.methods.parts.density_parts import FEATURE_PART, FusedDensitiesConfig, noise_parts, parts_at, timesteps
from radar.methods.parts.gaussian import Gaussian
from radar.methods.parts.neighbourhoods import Square
from radar.methods.parts.pixel_fields import appearance_field, colour_field, noise_field, noise_square
from radar.methods.parts.pyramid import continued, doubled, pyramid
from radar.methods.parts.regions import at_positions, mean_inside, median_inside, parted, with_region
from radar.networks.efficientnet import EfficientNetFeatures
from radar.rasters import Size
from radar.scoring.denoiser import Denoiser
from radar.scoring.reading import MapReading

_LEAST_MEDIAN = 1e-2  # of an image whose pixels are normally about 1
_SPACING = 2  # px: every fourth pixel tells the median of a smooth map


class FittedFusedDensities(FittedMethod):
    """How unlikely each pixel is under Gaussians of its noise, brightness, colour and features, on one scale of numbers and fused.

    The densities' first axis: of all normals, then without each fold.
    """

    scales: Tensor  # (L, P) what few normal images exceed, at each level of the pyramid and for each part

    def __init__(
        self,
        settings: FusedDensitiesConfig,
        reading: MapReading,
        network: Denoiser | None,
        features: EfficientNetFeatures | None,
        parts: Sequence[str],
        *,
        levels: int,
        folds: Mapping[str, int],
    ) -> None:
        """`levels` are the scales of the pyramid, `folds` as `FittedMethod` has them."""
        super().__init__(reading)
        self.settings = settings
        self.denoiser = network
        self.features = features
        self.parts = tuple(parts)
        self.levels = levels
        self.densities = nn.ModuleDict(
            {
                density_name(part, level): Gaussian.empty()
                for level in range(levels)
                for _, part in parts_at(parts, level)
            }
        )
        self.register_buffer("scales", torch.ones(levels, len(parts), dtype=torch.float64))
        self.folds = folds
        self.network_passes = levels * len(timesteps(settings)) + (features is not None)
        self._index = 0  # of the densities that are asked

    def structure(self) -> dict[str, Plain]:
        return {"channels": 1, "parts": list(self.parts), "levels": self.levels, "folds": dict(self.folds)}

    def without(self, fold: int) -> FittedFusedDensities:
        other = copy.copy(self)
        other._index = fold + 1
        return other

    def respond(self, images: Tensor, noise: Tensor | None) -> Tensor:
        region = parted(images, self.reading.has_region)[1]
        total: Tensor | None = None
        for level, scale in reversed(list(enumerate(pyramid(images, self.levels)))):
            own = self._powers(scale, level)
            if own is not None:
                total = own if total is None else own + continued(doubled(total), own.shape[-2:])
        if total is None:
            raise ValueError("a fused map has a part at least")
        return with_region(continued(root(total, self.settings.power), images.shape[-2:]), region)

    def _powers(self, images: Tensor, level: int) -> Tensor | None:
        """The sum over parts, `(N, 1, H, W)`, of the powers of their surprises at images `(N, P, H, W)` of one scale, each over
        what few normals exceed; None where no part sees that scale. What one part needs is let go before the next, as all at once
        fill the memory.
        """
        images, region = parted(images, self.reading.has_region)
        steps = [noise.timestep if (noise := noise_parts(self.settings).get(part)) else None for part in self.parts]
        noise_maps: dict[int, Tensor] = {}
        total: Tensor | None = None
        for index, _ in parts_at(self.parts, level):
            noise_maps = {step: kept for step, kept in noise_maps.items() if step in steps[index:]}
            step = steps[index]
            if step is not None and step not in noise_maps:
                noise_maps |= self.noise_maps(images, [step])
            total = _sum(total, self._power(level, index, images, noise_maps, region))
        return total

    def _power(
        self, level: int, index: int, images: Tensor, noise_maps: dict[int, Tensor], region: Tensor | None
    ) -> Tensor:
        """One part's power at one scale. No name holds a field or a distance longer than it is read: each is as large as an image."""
        part = self.parts[index]
        surprises = self.surprises(
            self.distance(part, level, self.field(part, images, noise_maps, region), images.shape[2:]), region
        )
        return raised(surprises / float(self.scales[level][index]), self.settings.power)

    def noise_maps(self, images: Tensor, steps: Sequence[int]) -> dict[int, Tensor]:
        """ε̂ `(N, 1, H, W)` of the scaled brightness at these timesteps: no noise is drawn. None without a network."""
        network, brightness = self.denoiser, images[:, :1]
        if network is None:
            return {}
        return {t: network(network.scaled(brightness, t), t).float() for t in steps}

    def field(self, part: str, images: Tensor, noise_maps: dict[int, Tensor], region: Tensor | None = None) -> Tensor:
        """What is known for one part of every pixel, `(N, C, H, W)`, or of every position of features, `(N, C, h, w)`.

        Of images without the plane of their region `(N, 1, H, W)`, outside which they continue its inside.
        """
        settings = self.settings
        if part == FEATURE_PART and self.features is not None and settings.features is not None:
            found = self.features.joined(rgb(images, "luma_chroma" if images.shape[1] > 1 else "grey"))
            level = mean_inside(found, at_positions(region, found.shape[2:]))
            return found - settings.features.relative * level
        if part == "appearance" and settings.appearance is not None:
            return appearance_field(images[:, :1], settings.appearance, region)
        if part == "colour" and settings.colour is not None:
            return colour_field(images[:, 1:], settings.colour)
        noise = noise_parts(settings)[part]
        return noise_field(noise_maps[noise.timestep], noise)

    def square(self, part: str) -> Square:
        """The square around every pixel of a part's field whose density is known."""
        noise = noise_parts(self.settings).get(part)
        return Square() if noise is None else noise_square(noise)

    def distance(self, part: str, level: int, field: Tensor, size: Size | torch.Size) -> Tensor:
        """The squared Mahalanobis distance of a part's field `(N, C, h, w)` at a scale, over its channels, `(N, 1, H, W)` of that
        size."""
        density = self.densities[density_name(part, level)]
        if not isinstance(density, Gaussian):  # a ModuleDict forgets what it holds
            raise TypeError(f"{part}: is no density")
        distances = density[self._index].mean_square(field, self.square(part))
        return F.interpolate(distances, size=size, mode="bilinear") if part == FEATURE_PART else distances

    def surprises(self, distances: Tensor, region: Tensor | None = None) -> Tensor:
        """Distances `(N, 1, H, W)`, smoothed; about 1 on normal texture.

        Over the median of the image, or of its region `(N, 1, H, W)`, to the power `settings.relative`: light or focus that is
        slightly off raises a whole map, a defect stands out of it. Below 1, an image that is off as a whole still scores high.
        """
        smooth = blurred(distances, self.settings.smoothing)
        seen = None if region is None else region[..., ::_SPACING, ::_SPACING]
        median = (
            median_inside(smooth[..., ::_SPACING, ::_SPACING], seen)
            .clamp(min=_LEAST_MEDIAN)
            .pow(self.settings.relative)
        )
        return smooth / median[..., None, None]


def _sum(total: Tensor | None, own: Tensor) -> Tensor:
    return own if total is None else total + own


def density_name(part: str, level: int) -> str:
    """Under which the density of a part at a level is stored."""
    return f"{part}_{level}"


def raised(surprises: Tensor, power: float) -> Tensor:
    """Surprises to a power: their sum over parts and scales is that of which `root` makes the norm."""
    halvings = _halvings(power)
    for _ in range(halvings):  # squares are many times as fast as other powers
        surprises = surprises.square()
    rest = power / 2**halvings
    return surprises if rest == 1 else surprises.pow(rest)


def root(total: Tensor, power: float) -> Tensor:
    """The norm of order `power`, whose powers sum up to `total`: 1 sums up, a high one takes the largest."""
    halvings = _halvings(power)
    rest = power / 2**halvings
    norm = total if rest == 1 else total.pow(1 / rest)
    for _ in range(halvings):
        norm = norm.sqrt()
    return norm


def _halvings(power: float) -> int:
    """How often an order can be halved."""
    count = 0
    while power % 2 == 0:
        power, count = power / 2, count + 1
    return count
