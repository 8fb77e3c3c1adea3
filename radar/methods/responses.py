"""Asking a fitted method about many images: in batches, with each image's own noise, to the same bits whatever the batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from radar.data.images import Images
from radar.errors import RunError
from radar.methods.method import FittedMethod, Measured, Normals
from radar.methods.parts.sharing import collected, in_passes
from radar.progress import Report
from radar.rasters import Rasters
from radar.scoring.reading import MapReading

GROWTH_IMAGES = 32  # of each set, that tell how a score grows with the area
_CHUNK = 32  # images between two progress reports, or looked at together; a response does not depend on it


@torch.inference_mode()
def responses(
    fitted: FittedMethod,
    planes: Rasters,
    identities: Sequence[str],
    *,
    seed: int,
    images_per_pass: int,
    report: Report,
    held_out: bool = False,
) -> Rasters:
    """Responses `(R, H, W)` on the host to images `(P, H, W)` of any sizes, whose content hashes are `identities`.

    With `held_out`, images that the method was fitted on are answered by densities fitted without them, where it cross-fits; the
    network is one and the same.
    """
    cross_fitted = held_out and bool(fitted.folds)
    size = 1 if cross_fitted else images_per_pass

    def respond(batch: slice) -> Tensor:
        if batch.start % _CHUNK < size:
            report(batch.start, len(planes), "Scoring")
        names = identities[batch]
        asked = fitted.without(fitted.folds[names[0]]) if cross_fitted else fitted
        return _respond(asked, planes.stack(batch), names, seed)

    found = collected(in_passes(fitted, planes.sizes, size, respond), planes.sizes)
    report(len(planes), len(planes), "Scoring")
    return found


def _respond(fitted: FittedMethod, planes: Tensor, identities: Sequence[str], seed: int) -> Tensor:
    noise = fitted.draws.of(identities, fitted.noise_shape(*planes.shape[1:]), seed)
    device = fitted.device
    found = fitted.respond(planes.to(device), None if noise is None else noise.to(device)).float().cpu()
    if found.ndim != planes.ndim or (len(found), *found.shape[2:]) != (len(planes), *planes.shape[2:]):
        # of a method of one's own: they would be spread over the images, or be those of others
        raise RunError(
            f"{type(fitted).__name__}.respond: gave {tuple(found.shape)} for images {tuple(planes.shape)}; it gives (B, R, H, W)"
        )
    return found


@torch.inference_mode()
def learn_border(fitted: FittedMethod, normals: Normals, *, seed: int, images_per_pass: int, report: Report) -> None:
    """What the border of normal maps is like, where `scoring.border` asks for it.

    From images that were not fitted: held-out normals, or all, each without its fold, where the method cross-fits.
    """
    if not fitted.reading.border.rings:
        return
    found = [
        _held_out(fitted, images, seed, images_per_pass, report)
        for images in (normals.sets if fitted.folds else (normals.validation,))
    ]
    fitted.reading.learn(response.stack(batch) for response in found for batch in response.batches(_CHUNK))


@torch.inference_mode()
def learn_growth(fitted: FittedMethod, normals: Normals, *, seed: int, images_per_pass: int, report: Report) -> None:
    """How a score that is one statistic of a map grows with an image's area: of some normals that were not fitted, as above.

    Raises `ValueError` for another reading.
    """
    reading = fitted.reading
    if not isinstance(reading, MapReading):
        raise ValueError(f"{type(reading).__name__}: has no statistic that grows")
    found = [
        _held_out(fitted, images[_evenly(len(images))], seed, images_per_pass, report)
        for images in (normals.sets if fitted.folds else (normals.validation,))
    ]
    reading.learn_growth(each[None].to(fitted.device) for response in found for each in response)


def _evenly(count: int) -> list[int]:
    """At most `GROWTH_IMAGES` places of so many, evenly over them."""
    return sorted({int(place) for place in np.linspace(0, count - 1, min(count, GROWTH_IMAGES)).round()})


def _held_out(fitted: FittedMethod, images: Images, seed: int, images_per_pass: int, report: Report) -> Rasters:
    planes, identities = images.planes, images.identities
    return responses(
        fitted, planes, identities, seed=seed, images_per_pass=images_per_pass, report=report, held_out=True
    )


@torch.inference_mode()
def read(fitted: FittedMethod, response: Rasters, *, images_per_pass: int) -> Measured:
    """Maps and points of responses `(R, H, W)`.

    As many at a time as share a network pass: sums over a batch are split among threads according to its size, and the
    bits follow.
    """

    points: list[Tensor] = []

    def one_pass(batch: slice) -> Tensor:
        maps = fitted.read(response.stack(batch).to(fitted.device))
        points.append(maps.points.cpu())
        return maps.anomaly[:, None].cpu()

    maps = collected(in_passes(fitted, response.sizes, images_per_pass, one_pass), response.sizes)
    anomaly = tuple(each[0] for each in maps)
    inside = tuple(each[-1] > 0 for each in response) if fitted.reading.has_region else None
    return Measured(anomaly, torch.cat(points), tuple(response) if fitted.predicts_noise else None, inside)
