"""Densities of pixels that are fitted on all normal images, and for each of those one more that was fitted without it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from radar.errors import RunError
from radar.methods.parts.gaussian import Gaussian


class Moments:
    """Count, sum and sum of outer products of vectors, float64, from which a density follows."""

    def __init__(self, count: int, total: Tensor, squares: Tensor) -> None:
        self.count = count
        self.total = total
        self.squares = squares

    @staticmethod
    def of(fields: Iterable[Tensor]) -> Moments:
        """Of all pixels of fields `(1, K, …)`, one field in memory at a time."""
        found: Moments | None = None
        for field in fields:
            pixels = field[0].flatten(1).double().cpu()
            if found is None:
                channels = len(pixels)
                zeros = torch.zeros(channels, channels, dtype=torch.float64)
                found = Moments(0, torch.zeros(channels, dtype=torch.float64), zeros)
            found.add(pixels)
        if found is None:
            raise RunError("a density cannot be fitted on no image; add normal images")
        return found

    def add(self, pixels: Tensor) -> None:
        """Count the columns of `pixels` `(K, M)` in."""
        self.count += pixels.shape[1]
        self.total += pixels.sum(dim=1)
        self.squares += pixels @ pixels.T

    def less(self, other: Moments) -> Moments:
        """Without what `other` counts."""
        return Moments(self.count - other.count, self.total - other.total, self.squares - other.squares)

    def gaussian(self, ridge: float) -> Gaussian:
        """The density, `ridge` of its mean variance added to every variance. Raises `RunError` where nothing was counted."""
        if not self.count:
            raise RunError(
                "a density cannot be fitted: no pixel of some normal images lies wholly inside dataset.image.region_of_interest; make "
                "it wider, or set method.fused_densities.least_side=null"
            )
        return Gaussian.of_moments(self.count, self.total, self.squares, ridge=ridge)


def fold_numbers(groups: Sequence[str], folds: int) -> list[int]:
    """The fold of each of N images: images of one group share it, and groups are dealt out in the order of their names.

    Raises `RunError` where there is one group alone, which no density can be fitted without.
    """
    names = sorted(set(groups))
    if len(names) < 2:
        raise RunError(
            "all normal images show the same part (one group), so none can be scored by densities that were fitted without it; add "
            "images of other parts, or name the groups in dataset.manifest"
        )
    number = {name: index % min(folds, len(names)) for index, name in enumerate(names)}
    return [number[group] for group in groups]


def cross_fitted(fields: Iterable[Tensor], folds: Sequence[int], *, ridge: float) -> Gaussian:
    """Densities of the pixels of N images' fields `(1, K, …)`: first that of all, then for each fold that of the others.

    `folds` are the images' N numbers from 0.
    """
    parts: dict[int, Moments] = {}
    for fold, field in zip(folds, fields, strict=True):
        if fold in parts:
            parts[fold].add(field[0].flatten(1).double().cpu())
        else:
            parts[fold] = Moments.of([field])
    ordered = [parts[fold] for fold in sorted(parts)]
    totals, squares = (
        torch.stack([getattr(each, name) for each in ordered]).sum(dim=0) for name in ("total", "squares")
    )
    whole = Moments(sum(each.count for each in ordered), totals, squares)
    return Gaussian.stacked([whole.gaussian(ridge), *(whole.less(each).gaussian(ridge) for each in ordered)])
