"""How hard a data set is, whatever the method: size and contrast of each defect, and how structured the texture is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class DefectMeasures:
    """`area` is the defect's share of the image, or of its region of interest, in (0, 1]; `contrast` the distance of its mean
    brightness from that of the rest, in standard deviations of the rest: a defect that only changes the texture or the colour has
    little. None where that is undefined.
    """

    area: float
    contrast: float | None


def defect_measures(
    image: Floats, mask: NDArray[np.bool_], region: NDArray[np.bool_] | None = None
) -> DefectMeasures | None:
    """Measure the defect under `mask` (H, W) of a grey `image` (H, W), of its `region` (H, W) alone where there is one; None for an
    empty mask.
    """
    if region is not None:
        image, mask = image[region], mask[region]
    if not mask.any():
        return None
    inside, outside = image[mask].astype(np.float64), image[~mask].astype(np.float64)
    spread = float(outside.std()) if outside.size else 0.0
    contrast = float(abs(inside.mean() - outside.mean())) / spread if spread > 0 else None
    return DefectMeasures(float(mask.mean()), contrast)


def spectral_flatness(images: Iterable[Floats]) -> float:
    """Geometric over arithmetic mean of the power spectrum of images (H, W), averaged over those of one size: in [0, 1].

    Images of several sizes have the mean of their sizes' flatnesses, each as often as it is there. 1 is white noise, 0 a
    pattern of few frequencies. Each image loses its mean and fades out at its borders (Hann), which would count as frequencies
    otherwise; 0 for constant images. One image is held at a time.
    """
    powers, counts = dict[tuple[int, int], NDArray[np.float64]](), Counter[tuple[int, int]]()
    for image in images:
        height, width = size = image.shape[0], image.shape[1]
        values = image.astype(np.float64)
        centred = (values - values.mean()) * np.outer(np.hanning(height), np.hanning(width))
        power = np.abs(np.fft.fft2(centred)) ** 2
        powers[size] = power if size not in powers else powers[size] + power
        counts[size] += 1
    shares = (counts[size] / counts.total() * _flatness(power / counts[size]) for size, power in powers.items())
    return float(sum(shares))


def _flatness(power: NDArray[np.float64]) -> float:
    """That of one power spectrum (H, W), without its first value, which is the mean's."""
    values = power.ravel()[1:]
    if values.max() == 0:
        return 0.0
    floor = np.finfo(np.float64).eps * values.max()
    return float(np.exp(np.log(np.maximum(values, floor)).mean()) / values.mean())
