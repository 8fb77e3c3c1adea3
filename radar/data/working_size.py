"""The size at which images are looked at, chosen from training normals alone: their texture's correlation length decides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from radar.config.schema import ImageConfig, WorkingSizeConfig
from radar.data.correlation_length import correlation_length
from radar.data.dataset import Dataset
from radar.data.decoding import BoolArray, FloatArray
from radar.data.preprocessing import picture_size, plane_names, preprocess
from radar.data.threads import in_threads
from radar.errors import DataError
from radar.progress import Report
from radar.runtime.errors import ImageError
from radar.runtime.preprocessing import luma, region_of, resized

_IMAGES = 16  # training normals that are looked at
_LIGHT = 20  # correlation lengths: what varies more slowly is light or shape
_STEP = math.sqrt(2)  # between the sizes that are tried


@dataclass(frozen=True)
class WorkingSize:
    """How images are read once their texture was looked at."""

    image: ImageConfig  # plain sizes, without a working size to be found
    note: str  # one line: what was found, and what it led to


def chosen_size(dataset: Dataset, wanted: WorkingSizeConfig, report: Report | None) -> WorkingSize:
    """The size at which the texture of some training normals has the wanted correlation length, in the median over them.

    Pictures are tried from small to large, so that a camera's noise, which small ones average out, does not pass for a fine texture.
    Of a region of interest its own texture decides, and its own extent keeps the least size, as some training normals tell it. No
    other image is looked at. Raises `DataError` for a broken file.
    """
    training = dataset.split("train")
    places = np.unique(np.linspace(0, len(training) - 1, _IMAGES).round().astype(int))
    paths, seen = [training[place].path for place in places], replace(dataset.image, working_size=None)
    shortest = min(min(picture_size(*dataset.layout.shape(each.path), seen, each.path)) for each in training)
    light = round(_LIGHT * wanted.correlation_length) | 1  # odd, so that it has a middle

    def read(path: str) -> tuple[FloatArray, BoolArray | None]:
        try:
            planes, _ = preprocess(dataset.layout.pixels(path), seen)
        except ImageError as error:
            raise DataError(f"{path}: {error}") from None
        return luma(planes, plane_names(seen)), region_of(planes, plane_names(seen))

    def share(path: str) -> float:
        _, inside = read(path)
        return 1.0 if inside is None else min(_extent(inside)) / min(inside.shape)

    def measured(path: str) -> list[float]:
        picture, inside = read(path)
        region = None if inside is None else inside.astype(np.float32)
        return [_length(picture, region, each, light, seen.resize) for each in factors]

    if seen.region_of_interest is not None:
        shares = in_threads(share, paths, "measuring the region of interest", report)
        shortest = max(1, math.floor(shortest * min(1.0, *shares)))
    factors = tried_factors(shortest, wanted.least_size)
    each_one = np.array(in_threads(measured, paths, "measuring the texture", report))
    textured = each_one[~np.isnan(each_one[:, -1])]  # as they are
    if not len(textured):
        why = "plain" if seen.region_of_interest is None else "plain, or their regions of interest too thin"
        return WorkingSize(
            seen, f"working_size: {len(paths)} training images are {why}, so that no picture is made smaller"
        )
    # A region may be too thin to be measured once it is small: no picture is brought to a size at which one is.
    from_size = int(np.flatnonzero(np.isnan(textured).any(axis=0)).max(initial=-1)) + 1
    factors, lengths = factors[from_size:], np.median(textured[:, from_size:], axis=0)
    factor = factor_for(factors, lengths, wanted.correlation_length)
    of_what = "training images" if seen.region_of_interest is None else "training images' regions of interest"
    told = f"working_size: the correlation length of {len(textured)} {of_what} is {_told(lengths[-1], light)} px"
    if factor == 1:
        return WorkingSize(seen, f"{told}; no picture is made smaller")
    smaller = made_smaller(seen, factor)
    height, width = picture_size(*dataset.layout.shape(paths[0]), smaller, paths[0])
    there = np.interp(factor, factors, lengths)
    return WorkingSize(
        smaller,
        f"{told}; pictures are made {factor:.2f} times as large, the first {width} x {height} px, where it is {_told(there, light)}",
    )


def _told(length: float, light: int) -> str:
    """A correlation length, or that it is at least so much, where that is as far as `light` lets it be looked at."""
    return f"{length:.1f}{' or more' if length >= light / 4 else ''}"


def _length(picture: FloatArray, inside: FloatArray | None, factor: float, light: int, resize: str) -> float:
    """The correlation length of a luma `(H, W)`, or of its region, 1 and 0, once it is `factor` times as large."""
    height, width = (max(1, round(side * factor)) for side in picture.shape)
    region = None if inside is None else resized(inside, (height, width), resize) > 0.5
    return correlation_length(resized(picture, (height, width), resize), light, region)


def _extent(inside: BoolArray) -> tuple[int, int]:
    """Height and width, px, of the rectangle that holds a region `(H, W)` of one pixel at least."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1


def tried_factors(shorter_side: int, least_size: int) -> list[float]:
    """Factors on the size of pictures, ascending to 1; none makes a `shorter_side`, that of the smallest, less than `least_size`."""
    steps = max(0, math.floor(math.log(max(shorter_side / least_size, 1), _STEP)))
    factors = [_STEP**-step for step in range(steps, -1, -1)]
    least = least_size / shorter_side
    return factors if least >= factors[0] else [least, *factors]


def factor_for(factors: Sequence[float], lengths: Sequence[float], wanted: float) -> float:
    """The factor at which a length that grows along the tried `factors` comes to the wanted one: between them by their logarithms."""
    beyond = next((place for place, length in enumerate(lengths) if length > wanted), None)
    if beyond is None:
        return 1.0
    if beyond == 0:
        return factors[0]
    pair = slice(beyond - 1, beyond + 1)
    return float(np.exp(np.interp(np.log(wanted), np.log(lengths[pair]), np.log(factors[pair]))))


def made_smaller(image: ImageConfig, factor: float) -> ImageConfig:
    """The same way of reading, each picture `factor` times as large."""
    if image.resolution is not None:
        return replace(image, resolution=image.resolution * factor)
    if image.size is None:  # a unit of length is a pixel of the file then
        return replace(image, resolution=factor, file_resolution=1.0)
    width = None if image.width is None else round(image.width * factor)
    return replace(image, size=round(image.size * factor), width=width)
