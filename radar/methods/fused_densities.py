"""Several densities of one noise-free step at several scales, and of pretrained features where they are asked for, fused.

They are calibrated on normals that each was fitted without; the network was not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from radar.config.fields import section
from radar.config.method_settings import ReductionConfig
from radar.data.preprocessing import preprocessing_of
from radar.errors import RunError
from radar.methods.method import FittedMethod, Networks, Normals, Structure, Training, channels_of
from radar.methods.parts.cross_fitting import cross_fitted, fold_numbers
from radar.methods.parts.denoising import DENOISER, denoiser, denoiser_keys, denoiser_training, untrained_network
from radar.methods.parts.density_parts import (
    PARTS,
    FusedDensitiesConfig,
    feature_network,
    noise_parts,
    part_problems,
    parts_at,
    parts_of,
    timesteps,
)
from radar.methods.parts.fused_map import FittedFusedDensities, density_name
from radar.methods.parts.pretrained import FEATURES
from radar.methods.parts.pyramid import enlarged, level_count, pyramid, size_at
from radar.methods.parts.reduced import ReducedMethod
from radar.methods.parts.regions import columns_inside, parted, with_region
from radar.methods.parts.sharing import collected
from radar.networks.efficientnet import EfficientNetFeatures
from radar.progress import Report
from radar.rasters import Rasters, Size
from radar.runtime.numbers import whole
from radar.scoring.denoiser import Denoiser
from radar.training.device import resolve_device

_MOST_LEVELS = 32  # halvings of any side that an image may have


@dataclass
class FusedDensitiesSettings:
    """Keys of `method=fused_densities`."""

    reduction: ReductionConfig = section(ReductionConfig)
    fused_densities: FusedDensitiesConfig = section(FusedDensitiesConfig)


class FusedDensitiesMethod(ReducedMethod[FusedDensitiesSettings]):
    """What we recommend: two noise-free passes and five Gaussians a scale, a threshold from normals left out of the Gaussians."""

    name = "fused_densities"
    Settings = FusedDensitiesSettings
    version = 4
    cross_fits = True
    honours_region = True

    @property
    def fitting_keys(self) -> tuple[str, ...]:
        network = denoiser_keys(self.config) if self._asks_network else ()
        return (*network, "method.reduction", *self.border_keys)  # which calibrate the parts

    @property
    def levels_areas(self) -> bool:
        """Where images keep their own sizes; the grid of features has one size whatever theirs."""
        own_sizes = preprocessing_of(self.config.dataset.image).fixed is None
        return own_sizes and self.settings.fused_densities.features is None

    @property
    def _asks_network(self) -> bool:
        return bool(noise_parts(self.settings.fused_densities))

    def without_network(self) -> FusedDensitiesSettings | None:
        own = self.settings.fused_densities
        if not (self._asks_network or own.features) or (own.appearance is None and own.colour is None):
            return None
        return replace(
            self.settings, fused_densities=replace(own, energy=None, detail=None, context=None, features=None)
        )

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from part_problems(self.config, self.settings.fused_densities)

    @property
    def pretrained(self) -> Mapping[str, Callable[[], nn.Module]]:
        settings = self.settings.fused_densities.features
        return {} if settings is None else {FEATURES: partial(feature_network, settings, pretrained=True)}

    def trainings(self, normals: Normals) -> tuple[Training, ...]:
        return (denoiser_training(self.config, normals, levels=self._levels(normals)),) if self._asks_network else ()

    def _levels(self, normals: Normals) -> int:
        """How many scales the normal images have in common."""
        sizes = [size for images in normals.sets for size in images.planes.sizes]
        return level_count(sizes, self.settings.fused_densities.least_side)

    def empty(self, structure: Structure) -> FittedMethod:
        channels = channels_of(structure, self.config)
        network = denoiser(self.config, untrained_network(self.config, channels)) if self._asks_network else None
        parts, levels, folds = structure.get("parts"), structure.get("levels"), structure.get("folds")
        known = {name for name in PARTS if getattr(self.settings.fused_densities, name) is not None}
        if (
            not (isinstance(parts, list) and isinstance(levels, int) and isinstance(folds, dict))
            or not set(map(str, parts)) <= known
            or not 1 <= levels <= _MOST_LEVELS
        ):
            raise RunError("fused_densities: the stored structure is damaged; run the experiment again")
        asked = self.settings.fused_densities.features
        features = None if asked is None else feature_network(asked, pretrained=False)
        known_folds = {name: whole(str(fold)) for name, fold in folds.items()}
        return self._empty(network, features, [str(name) for name in parts], levels, known_folds)

    def _empty(
        self,
        network: Denoiser | None,
        features: EfficientNetFeatures | None,
        parts: Sequence[str],
        levels: int,
        folds: Mapping[str, int],
    ) -> FittedFusedDensities:
        settings = self.settings.fused_densities
        return FittedFusedDensities(settings, self.reading, network, features, parts, levels=levels, folds=folds)

    @torch.inference_mode()
    def fit(self, normals: Normals, networks: Networks, report: Report) -> FittedMethod:
        settings, levels = self.settings.fused_densities, self._levels(normals)
        network = denoiser(self.config, networks[DENOISER]) if self._asks_network else None
        features = cast(EfficientNetFeatures, networks[FEATURES]) if settings.features else None
        folds = fold_numbers([group for images in normals.sets for group in images.groups], settings.folds)
        planes = [image[None] for images in normals.sets for image in images.planes]
        identities = [identity for images in normals.sets for identity in images.identities]
        parts = parts_of(settings, [parted(image, self.has_region)[0] for image in planes])
        fitted = self._empty(network, features, parts, levels, dict(zip(identities, folds, strict=True)))
        fitted.to(resolve_device(self.config.trainer))
        looks = sum(2 * len(parts_at(parts, level)) + len(timesteps(settings)) for level in range(levels))
        done, total = count(), looks * len(planes)

        def images(level: int) -> Iterator[Tensor]:
            for image in planes:
                report(next(done), total, f"Fitting ({self.name})")
                yield pyramid(image.to(fitted.device), levels)[level]

        for level in range(levels):
            self._fit_level(fitted, level, partial(images, level), folds, planes)
        return fitted

    def _fit_level(
        self,
        fitted: FittedFusedDensities,
        level: int,
        images: Callable[[], Iterator[Tensor]],
        folds: Sequence[int],
        planes: Sequence[Tensor],
    ) -> None:
        """Fit and calibrate the densities of one scale, on `images` at it; `planes` are the images as they are. Of those with a
        region, vectors of pixels that lie inside as a whole are fitted, and no others.
        """
        settings = self.settings.fused_densities
        sizes = [_size(image) for image in planes]
        at_level = [size_at(size, level, fitted.levels) for size in sizes]
        noise_maps: dict[int, Rasters] = {}  # of one step at a time: those of all fill the memory

        def fields(part: str) -> Iterator[tuple[Tensor, Tensor | None]]:
            for index, image in enumerate(images()):
                own = {step: maps[index][None].to(fitted.device) for step, maps in noise_maps.items()}
                seen, region = parted(image, self.has_region)
                yield fitted.field(part, seen, own, region), region

        for index, part in parts_at(fitted.parts, level):
            noise = noise_parts(settings).get(part)
            if noise is not None and noise.timestep not in noise_maps:
                noise_maps = {}
                maps = (fitted.noise_maps(image, [noise.timestep])[noise.timestep] for image in images())
                noise_maps = {noise.timestep: collected(maps, at_level)}
            square = fitted.square(part)
            vectors = (columns_inside(square.vectors(field), region) for field, region in fields(part))
            density = cross_fitted(vectors, folds, ridge=settings.ridge)
            fitted.densities[density_name(part, level)] = density.to(fitted.device)
            surprises: Iterator[Tensor] = (
                enlarged(fitted.surprises(fitted.without(fold).distance(part, level, field, at), region), level, size)
                for fold, size, at, (field, region) in zip(folds, sizes, at_level, fields(part), strict=True)
            )
            if self.has_region:
                surprises = map(with_region, surprises, (image[:, -1:].to(fitted.device) for image in planes))
            fitted.scales[level, index] = scale_of(self._scores(surprises, sizes), settings.calibration_quantile)

    def _scores(self, surprises: Iterable[Tensor], sizes: Sequence[Size]) -> list[float]:
        """Image scores of one part at one scale `(1, 1, H, W)` each, fitted without the image's fold, read as the fused map."""
        reading = self.reading
        if reading.border.rings:  # learnt from all before the first is read
            surprises = [each[None] for each in collected(surprises, sizes)]
            reading.learn(surprises)
        return [float(reading.to(each.device)(each)[1]) for each in surprises]


def _size(images: Tensor) -> Size:
    """Height and width."""
    return images.shape[2], images.shape[3]


def scale_of(scores: Sequence[float], quantile: float) -> float:
    """The quantile of normal images' scores. Raises `RunError` where it is not above 0."""
    scale = float(np.quantile(scores, quantile))
    if not 0 < scale < np.inf:
        raise RunError(
            "method.fused_densities: a part does not vary on the normal images; leave it out, or train longer"
        )
    return scale
