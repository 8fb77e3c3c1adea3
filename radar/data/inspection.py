"""What is odd about a data set's photos and masks, seen as the model will see them: odd is what differs from the normals' usual."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from radar.data.dataset import Dataset
from radar.data.decoding import FloatArray
from radar.data.leaks import twice_labelled
from radar.data.near_duplicates import THUMBNAIL_SIDE, near_pairs, unit_vectors
from radar.data.preprocessing import is_outside, looked_at, plane_names, preprocess, thumbnail
from radar.data.sample import Sample
from radar.data.threads import in_threads
from radar.errors import DataError
from radar.progress import Report
from radar.runtime.errors import ImageError
from radar.runtime.preprocessing import luma, region_of, sharpness

_FLAT = 2 / 255  # standard deviation of a luma in [0, 1] below which a photo is blank
_CLIPPED = 0.02  # from black or white, what counts as clipped
_DEVIATIONS = 6.0  # robust ones from the median of normals: beyond is odd
_SHARPER = 3.0  # factor of sharpness, and
_MORE_CLIPPED = 0.2  # share of clipped pixels, and
_OTHER_LIGHT = 0.15  # brightness, that is odd at the least, however alike the normals are
_LARGE_MASK = 0.5  # share of a photo from which a mask is implausible


@dataclass(frozen=True)
class Finding:
    """Photos or files of which one thing is odd; `what` says it in words that follow their number."""

    what: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class _Look:
    """One decoded photo; shares and levels in [0, 1]."""

    thumbnail: FloatArray
    contrast: float
    brightness: float
    log_sharpness: float
    white: float
    black: float
    marked: float | None  # share of the photo that its mask marks; None without a mask
    outside: bool  # whether all that it marks lies where nothing is looked for


def inspect(dataset: Dataset, progress: Report | None = None) -> tuple[Finding, ...]:
    """Decode every photo and mask once, and tell what is odd. Raises `DataError` for the first that is broken."""
    looks = in_threads(partial(_look, dataset), dataset.samples, "inspecting", progress)
    findings = (
        *_odd_photos(dataset.samples, looks),
        *_odd_masks(dataset, looks),
        _alike(dataset.samples, looks),
    )
    return tuple(finding for finding in findings if finding.paths)


def _look(dataset: Dataset, sample: Sample) -> _Look:
    pixels = dataset.layout.pixels(sample.path)
    try:
        planes, frame = preprocess(pixels, dataset.image)
    except ImageError as error:
        raise DataError(f"{sample.path}: {error}") from None
    names = plane_names(dataset.image)
    picture, inside = luma(planes, names), region_of(planes, names)
    seen = picture if inside is None else picture[inside]
    mask = dataset.whole_mask(sample) if sample.masked else None
    return _Look(
        thumbnail(pixels, THUMBNAIL_SIDE),
        float(seen.std()),
        float(seen.mean()),
        float(np.log(sharpness(picture, inside) + 1e-12)),
        float(np.mean(seen > 1 - _CLIPPED)),
        float(np.mean(seen < _CLIPPED)),
        None if mask is None else float(mask.mean()),
        mask is not None and is_outside(mask, inside, frame),
    )


def _odd_photos(samples: Sequence[Sample], looks: Sequence[_Look]) -> Iterator[Finding]:
    """Each photo is odd in the first of these ways alone."""
    normals = [look for sample, look in zip(samples, looks, strict=True) if sample.label == 0]
    low = _limit([-look.log_sharpness for look in normals], float(np.log(_SHARPER)))
    white = _limit([look.white for look in normals], _MORE_CLIPPED)
    black = _limit([look.black for look in normals], _MORE_CLIPPED)
    bright = _limit([look.brightness for look in normals], _OTHER_LIGHT)
    dark = _limit([-look.brightness for look in normals], _OTHER_LIGHT)
    odd: dict[str, Callable[[_Look], bool]] = {
        "blank: one even level": lambda look: look.contrast < _FLAT,
        "over-exposed: more white than others": lambda look: look.white > white,
        "under-exposed: more black than others": lambda look: look.black > black,
        "much brighter or darker than others": lambda look: look.brightness > bright or -look.brightness > dark,
        "blurred, or less sharp than others": lambda look: -look.log_sharpness > low,
    }
    found: dict[str, list[str]] = {what: [] for what in odd}
    for sample, look in zip(samples, looks, strict=True):
        for what, is_odd in odd.items():
            if is_odd(look):
                found[what].append(sample.path)
                break
    yield from (Finding(what, tuple(paths)) for what, paths in found.items())


def _limit(values: Sequence[float], least: float) -> float:
    """The median plus what is odd at the least, or plus so many robust deviations, where those are more."""
    middle = np.median(values)
    deviation = 1.4826 * np.median(np.abs(np.asarray(values) - middle))  # of a Gaussian, the standard deviation
    return float(middle + max(least, _DEVIATIONS * deviation))


def _odd_masks(dataset: Dataset, looks: Sequence[_Look]) -> Iterator[Finding]:
    samples = dataset.samples
    marked = {sample.path: look.marked for sample, look in zip(samples, looks, strict=True) if look.marked is not None}
    large = tuple(path for path, share in marked.items() if share > _LARGE_MASK)
    inverted = len(large) > len(marked) / 2
    yield Finding(
        "masks mark nothing (white marks the defect)", tuple(path for path, share in marked.items() if not share)
    )
    yield Finding(
        "masks mark more than half of their photo"
        + (", most of all: they look inverted (white marks the defect)" if inverted else ""),
        large,
    )
    outside = (sample.path for sample, look in zip(samples, looks, strict=True) if look.outside)
    yield Finding(f"defects lie wholly outside {looked_at(dataset.image)}, where nothing is looked for", tuple(outside))


def _alike(samples: Sequence[Sample], looks: Sequence[_Look]) -> Finding:
    """Photos with a near-duplicate anywhere in the set, but for those that are told to be the same photo under both labels."""
    pairs = near_pairs(unit_vectors(look.thumbnail for look in looks))
    told = set(twice_labelled(samples))
    places = sorted(
        {place for pair in pairs for place in pair[:2] if not {samples[each].path for each in pair[:2]} <= told}
    )
    return Finding("are nearly the same as another (near-duplicates)", tuple(samples[place].path for place in places))
