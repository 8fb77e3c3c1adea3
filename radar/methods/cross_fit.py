"""Densities fitted on all normal images, and for each of those one that was fitted without it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from radar.errors import RunError
from radar.scoring.density import Arrays, GaussianDensity


def fold_numbers(groups: Sequence[str], folds: int) -> list[int]:
    """The fold of each of N images: images of one group share it, and groups are dealt out in the order of their names.

    Raises `RunError` where there is one group alone, which no density can be fitted without.
    """
    names = sorted(set(groups))
    if len(names) < 2:
        raise RunError(
            "method.fused_densities: all normal images show the same part (one group), so none can be scored by what was "
            "fitted without it; add images of other parts, or name the groups in dataset.manifest"
        )
    number = {name: index % min(folds, len(names)) for index, name in enumerate(names)}
    return [number[group] for group in groups]


@dataclass(frozen=True, eq=False)
class CrossFit:
    """A Gaussian density of pixels, and one more per fold, which leaves the fold's images out."""

    whole: GaussianDensity
    without: tuple[GaussianDensity, ...]

    @staticmethod
    def of(fields: Iterable[Tensor], folds: Sequence[int], *, ridge: float) -> CrossFit:
        """`fields` are those of N images `(1, K, H, W)`, `folds` their N numbers from 0."""
        counts = [0] * (max(folds) + 1)
        totals: list[Tensor] = []
        squares: list[Tensor] = []
        for fold, field in zip(folds, fields, strict=True):
            pixels = field[0].flatten(1).double()
            if not totals:
                channels = len(pixels)
                totals = [torch.zeros(channels, dtype=torch.float64) for _ in counts]
                squares = [torch.zeros(channels, channels, dtype=torch.float64) for _ in counts]
            counts[fold] += pixels.shape[1]
            totals[fold] += pixels.sum(dim=1)
            squares[fold] += pixels @ pixels.T
        count, total, square = sum(counts), torch.stack(totals).sum(dim=0), torch.stack(squares).sum(dim=0)
        return CrossFit(
            GaussianDensity.of_moments(count, total, square, ridge=ridge),
            tuple(
                GaussianDensity.of_moments(count - n, total - first, square - second, ridge=ridge)
                for n, first, second in zip(counts, totals, squares, strict=True)
            ),
        )

    def density(self, fold: int | None) -> GaussianDensity:
        """The one that has not seen the images of `fold`; None: of all images."""
        return self.whole if fold is None else self.without[fold]

    def arrays(self) -> Arrays:
        """What `from_arrays` reads: the whole first, then one per fold."""
        densities = (self.whole, *self.without)
        return {name: np.stack([getattr(density, name) for density in densities]) for name in ("mean", "whitening")}

    @staticmethod
    def from_arrays(arrays: Arrays) -> CrossFit:
        """The inverse of `arrays`. Raises `RunError` where they do not describe densities."""
        pairs = zip(arrays["mean"], arrays["whitening"], strict=True)
        whole, *without = [GaussianDensity.from_arrays({"mean": mean, "whitening": matrix}) for mean, matrix in pairs]
        return CrossFit(whole, tuple(without))
