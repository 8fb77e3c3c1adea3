"""What is known of every pixel of an image: vectors of its noise, of its brightness and of its colour."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from radar.config.method_sections import AppearanceConfig, ColourConfig, NoiseFieldConfig
from radar.scoring.density import blurred

_LEAST_SPREAD = 0.02  # local standard deviation below which a noise map counts as flat; noise is of order 1
_LEAST_VARIANCE = 1e-6  # of brightness in [−1, 1]: a tenth of a grey level of 8 bits, squared


def noise_field(noise_map: Tensor, settings: NoiseFieldConfig) -> Tensor:
    """A noise map `(B, C, H, W)` → the square around every pixel, `(B, C · side², H, W)`.

    With `contrast`, less its local mean and over its local spread, as weak structure counts as much in a dim corner.
    """
    field = noise_map if settings.contrast == 0 else _local_contrast(noise_map, settings.contrast)
    return _neighbourhoods(blurred(field, settings.blur), settings.side, settings.spacing)


def appearance_field(images: Tensor, settings: AppearanceConfig) -> Tensor:
    """Images `(B, 1, H, W)` → brightness at several blurs, and the logarithm of its variance around the pixel at others."""
    brightness = [blurred(images, sigma) for sigma in settings.blurs]
    return torch.cat([*brightness, *(_log_variance(images, sigma) for sigma in settings.contrasts)], dim=1)


def colour_field(chroma: Tensor, settings: ColourConfig) -> Tensor:
    """Chroma `(B, 2, H, W)` → itself at several blurs, `(B, 2 · blurs, H, W)`."""
    return torch.cat([blurred(chroma, sigma) for sigma in settings.blurs], dim=1)


def _local_contrast(maps: Tensor, sigma: float) -> Tensor:
    deviation = maps - blurred(maps, sigma)
    return deviation / (blurred(deviation.square(), sigma).sqrt() + _LEAST_SPREAD)


def _log_variance(images: Tensor, sigma: float) -> Tensor:
    variance = blurred(images.square(), sigma) - blurred(images, sigma).square()
    return variance.clamp(min=_LEAST_VARIANCE).log()


def _neighbourhoods(field: Tensor, side: int, spacing: int) -> Tensor:
    if side == 1:
        return field
    batch, channels, height, width = field.shape
    padded = F.pad(field, [side // 2 * spacing] * 4, mode="replicate")
    return F.unfold(padded, side, dilation=spacing).reshape(batch, channels * side**2, height, width)
