"""Gaussian blurs of maps."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_BAND = 2**18  # px that are blurred together
_BOUND = 1e30
_SMALL = 320  # px per side up to which a product of matrices takes less time than a convolution, on CPUs


def blurred(maps: Tensor, sigma: float) -> Tensor:
    """Maps `(B, C, H, W)` after a Gaussian blur of `sigma` px, cut at 3 σ; the edge pixels are repeated."""
    if sigma == 0:
        return maps
    reach = math.ceil(3 * sigma)
    if torch.compiler.is_exporting():
        # The bound, which no map reaches, keeps OpenVINO from folding a subtraction into the convolution: on CPUs with AVX-512, 2026.4
        # then computes another difference.
        return _convolved(F.pad(maps, [reach] * 4, mode="replicate"), sigma).clamp(-_BOUND, _BOUND)
    height, width = maps.shape[-2:]
    if max(height, width) <= _SMALL:
        return _matrix(height, sigma, maps) @ (maps @ _matrix(width, sigma, maps).T)
    return _in_bands(maps, sigma, reach)


def _weights(sigma: float) -> list[float]:
    reach = math.ceil(3 * sigma)
    weights = [math.exp(-((place / sigma) ** 2) / 2) for place in range(-reach, reach + 1)]
    return [weight / sum(weights) for weight in weights]


def _matrix(length: int, sigma: float, like: Tensor) -> Tensor:
    """`(length, length)`: what each place of a blurred line takes from each place of the line; beyond its ends, these are repeated."""
    weights = torch.tensor(_weights(sigma), dtype=like.dtype, device=like.device)
    places = torch.arange(length, device=like.device)[:, None] + torch.arange(len(weights), device=like.device)
    sources = (places - len(weights) // 2).clamp(0, length - 1)
    return torch.zeros(length, length, dtype=like.dtype, device=like.device).scatter_add_(
        1, sources, weights.expand(length, -1)
    )


def _in_bands(maps: Tensor, sigma: float, reach: int) -> Tensor:
    """A band of rows after the other, as what is held beside a whole photo would be several times the photo."""
    height, width = maps.shape[-2:]
    found = torch.empty_like(maps)
    band = max(reach, _BAND // max(1, width * maps.shape[0] * maps.shape[1]))
    blur = _summed if maps.device.type == "cpu" else _convolved
    for top in range(0, height, band):
        bottom = min(top + band, height)
        first, last = max(0, top - reach), min(height, bottom + reach)
        beyond = (reach, reach, reach - (top - first), reach - (last - bottom))
        found[..., top:bottom, :] = blur(F.pad(maps[..., first:last, :], beyond, mode="replicate"), sigma)
    return found


def _summed(padded: Tensor, sigma: float) -> Tensor:
    """A sum of shifted copies, for which CPUs take a third as long as for a convolution: of few channels, and a `sigma` of some px."""
    return _summed_along(-1, _summed_along(-2, padded, sigma), sigma)


def _summed_along(axis: int, padded: Tensor, sigma: float) -> Tensor:
    *sides, middle = _weights(sigma)[: math.ceil(3 * sigma) + 1]
    reach = len(sides)
    length = padded.shape[axis] - 2 * reach
    found = padded.narrow(axis, reach, length) * middle
    for place, weight in enumerate(sides):
        found.add_(padded.narrow(axis, place, length), alpha=weight)
        found.add_(padded.narrow(axis, 2 * reach - place, length), alpha=weight)
    return found


def _convolved(padded: Tensor, sigma: float) -> Tensor:
    """Of weights that are constants: a graph would compute those of kornia anew, with forty operations for a blur."""
    line = torch.tensor(_weights(sigma), dtype=padded.dtype, device=padded.device).expand(padded.shape[1], 1, 1, -1)
    rows = F.conv2d(padded, line, groups=padded.shape[1])
    return F.conv2d(rows, line.transpose(2, 3), groups=padded.shape[1])
