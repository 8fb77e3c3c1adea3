"""What is known of every pixel of an image: vectors of its noise, of its brightness and of its colour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from radar.config.fields import extent, number, sigma, sigmas
from radar.methods.parts.blurring import blurred
from radar.methods.parts.neighbourhoods import Square
from radar.methods.parts.regions import mean_inside

_LEAST_SPREAD = 0.02  # local standard deviation below which a noise map counts as flat; noise is of order 1
_LEAST_VARIANCE = 1e-6  # of brightness in [−1, 1]: a tenth of a grey level of 8 bits, squared


@dataclass
class NoiseFieldConfig:
    """The noise map at one timestep, no noise being drawn, and the square around each of its pixels."""

    timestep: int = number(minimum=1, maximum=100_000)
    contrast: float = sigma()  # σ in px of the mean and spread that the map is brought to; 0: none
    blur: float = sigma()  # σ in px
    side: int = extent()  # pixels per side of the square, odd
    spacing: int = extent()  # px from one to the next


@dataclass
class AppearanceConfig:
    """Brightness around each pixel."""

    blurs: list[float] = sigmas()  # σ in px, of the brightness
    contrasts: list[float] = sigmas(zero=False)  # σ in px, of its local variance
    surround: float = number(
        minimum=1.0, maximum=100.0
    )  # σ of the mean that the variance is taken about, over σ of the variance
    relative: float = number(minimum=0.0, maximum=1.0)
    # share of its mean over the image that is taken off, as a lamp changes all of it


@dataclass
class ColourConfig:
    """Colour around each pixel; needs dataset.image.channels=luma_chroma."""

    blurs: list[float] = sigmas()  # σ in px


def noise_field_problems(key: str, part: NoiseFieldConfig, last: int) -> Iterator[str]:
    """What is wrong with the part whose section is `key`; `last` is T."""
    if part.timestep > last:
        yield f"{key}.timestep={part.timestep}: must be ≤ diffusion.timesteps={last}"
    if part.side % 2 == 0:
        yield f"{key}.side={part.side}: must be odd"


def blur_problems(key: str, values: list[float]) -> Iterator[str]:
    """What is wrong with the σ in px below `key`."""
    if not values:
        yield f"{key}=[]: needs at least one σ in px"


def noise_field(noise_map: Tensor, settings: NoiseFieldConfig) -> Tensor:
    """A noise map `(B, C, H, W)` → the field of which `noise_square` is looked at around every pixel, of the same shape.

    With `contrast`, less its local mean and over its local spread, as weak structure counts as much in a dim corner.
    """
    return blurred(
        noise_map if settings.contrast == 0 else _local_contrast(noise_map, settings.contrast), settings.blur
    )


def noise_square(settings: NoiseFieldConfig) -> Square:
    """What is looked at around every pixel of the part's field."""
    return Square(settings.side, settings.spacing)


def appearance_field(images: Tensor, settings: AppearanceConfig, region: Tensor | None = None) -> Tensor:
    """Images `(B, 1, H, W)` → brightness at several blurs, and the logarithm of its variance around the pixel at others.

    Less a share of what the image, or its region `(B, 1, H, W)`, has on the whole: a lamp that is brighter or dimmer by a factor moves
    the logarithm alike everywhere.
    """
    spreads = (_log_variance(images, sigma, settings.surround * sigma) for sigma in settings.contrasts)
    known = chain((blurred(images, sigma) for sigma in settings.blurs), spreads)
    levelled = (each - settings.relative * mean_inside(each, region) for each in known)
    return _joined(levelled if settings.relative else known, len(settings.blurs) + len(settings.contrasts))


def colour_field(chroma: Tensor, settings: ColourConfig) -> Tensor:
    """Chroma `(B, 2, H, W)` → itself at several blurs, `(B, 2 · blurs, H, W)`."""
    return torch.cat([blurred(chroma, sigma) for sigma in settings.blurs], dim=1)


def _joined(planes: Iterable[Tensor], count: int) -> Tensor:
    """`count` planes `(B, 1, H, W)` as channels: of a large image, each is let go before the next is there."""
    if torch.compiler.is_exporting():
        return torch.cat(list(planes), dim=1)
    field: Tensor | None = None
    for channel, plane in enumerate(planes):
        field = plane.new_empty(len(plane), count, *plane.shape[2:]) if field is None else field
        field[:, channel : channel + 1] = plane
    if field is None:
        raise ValueError("a field has a channel at least")
    return field


def _local_contrast(maps: Tensor, sigma: float) -> Tensor:
    """Without a gradient: what is computed on the way is overwritten."""
    deviation = maps - blurred(maps, sigma)
    return deviation.div_(blurred(deviation.square(), sigma).sqrt_().add_(_LEAST_SPREAD))


def _log_variance(images: Tensor, sigma: float, surround: float) -> Tensor:
    """Of the deviations from a mean over a wider part: differences of large squares are not exact in float32."""
    deviation = images - blurred(images, surround)
    return blurred(deviation.square_(), sigma).clamp_(min=_LEAST_VARIANCE).log_()
