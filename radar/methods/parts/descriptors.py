"""What a window is described by: its pixels, or simple statistics of its texture."""

from __future__ import annotations

import torch
from torch import Tensor

_BANDS = 4  # rings of the spectrum
LEAST_TEXTURE = 4  # px, the side of the smallest window that has a frequency in every ring
_EPSILON = 1e-6  # of a deviation and an energy, in units of grey


def raw(windows: Tensor) -> Tensor:
    """Windows `(N, C, s, s)` → their pixels `(N, C·s²)`, float64."""
    return windows.flatten(1).double()


def texture(windows: Tensor) -> Tensor:
    """Windows `(N, C, s, s)` → `(N, C·10)`, float64: mean, log deviation, skewness and kurtosis; mean and deviation of the
    gradient; log energy in four rings of the spectrum, from the coarsest structure to the finest."""
    values = windows.double()
    centred = values - values.mean(dim=(2, 3), keepdim=True)
    deviation = centred.square().mean(dim=(2, 3)).sqrt() + _EPSILON
    standard = centred / deviation[..., None, None]
    down, right = values.diff(dim=2)[..., :, :-1], values.diff(dim=3)[..., :-1, :]
    gradient = torch.hypot(down, right)
    statistics = [
        values.mean(dim=(2, 3)),
        deviation.log(),
        standard.pow(3).mean(dim=(2, 3)),
        standard.pow(4).mean(dim=(2, 3)),
        gradient.mean(dim=(2, 3)),
        gradient.std(dim=(2, 3)),
        *_bands(centred),
    ]
    return torch.cat(statistics, dim=1)


DESCRIPTORS = {"raw": raw, "texture": texture}


def _bands(centred: Tensor) -> list[Tensor]:
    """Log mean energy `(N, C)` of each ring; rings end at equal steps of the frequency, the last at the corner's."""
    side = centred.shape[-1]
    energy = torch.fft.fft2(centred, norm="ortho").abs().square()
    frequency = torch.fft.fftfreq(side, dtype=torch.float64, device=centred.device)
    radius = torch.hypot(frequency[:, None], frequency[None, :])
    ring = (radius / radius.max() * _BANDS).long().clamp(max=_BANDS - 1)
    return [(energy[..., ring == band].mean(dim=-1) + _EPSILON**2).log() for band in range(_BANDS)]
