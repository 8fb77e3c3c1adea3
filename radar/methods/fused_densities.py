"""Several densities of one noise-free step, calibrated on normals that each was fitted without (the network was not), and fused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import torch
from torch import Tensor

from radar.config.fields import section
from radar.config.method_settings import ReductionConfig
from radar.errors import RunError
from radar.methods.method import FittedMethod, Networks, Normals, Structure, Training, channels_of
from radar.methods.parts.cross_fitting import cross_fitted, fold_numbers
from radar.methods.parts.denoising import DENOISER, denoiser, denoiser_keys, denoiser_training, untrained_network
from radar.methods.parts.density_parts import PARTS, FusedDensitiesConfig, noise_parts, part_problems, parts_of
from radar.methods.parts.fused_map import FittedFusedDensities
from radar.methods.parts.reduced import ReducedMethod
from radar.methods.parts.sharing import collected
from radar.progress import Report
from radar.rasters import Rasters, Size
from radar.scoring.denoiser import Denoiser
from radar.training.device import resolve_device


@dataclass
class FusedDensitiesSettings:
    """Keys of `method=fused_densities`."""

    reduction: ReductionConfig = section(ReductionConfig)
    fused_densities: FusedDensitiesConfig = section(FusedDensitiesConfig)


class FusedDensitiesMethod(ReducedMethod[FusedDensitiesSettings]):
    """What we recommend: three noise-free passes, five Gaussians, a threshold from normals left out of the Gaussians."""

    name = "fused_densities"
    Settings = FusedDensitiesSettings
    version = 3
    cross_fits = True

    @property
    def fitting_keys(self) -> tuple[str, ...]:
        network = denoiser_keys(self.config) if self._asks_network else ()
        return (*network, "method.reduction", *self.border_keys)  # which calibrate the parts

    @property
    def _asks_network(self) -> bool:
        return bool(noise_parts(self.settings.fused_densities))

    def without_network(self) -> FusedDensitiesSettings | None:
        own = self.settings.fused_densities
        if not self._asks_network or (own.appearance is None and own.colour is None):
            return None
        return replace(self.settings, fused_densities=replace(own, energy=None, detail=None, context=None))

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from part_problems(self.config, self.settings.fused_densities)

    def trainings(self, normals: Normals) -> tuple[Training, ...]:
        return (denoiser_training(self.config, normals),) if self._asks_network else ()

    def empty(self, structure: Structure) -> FittedMethod:
        channels = channels_of(structure)
        network = denoiser(self.config, untrained_network(self.config, channels)) if self._asks_network else None
        parts, folds = structure["parts"], structure["folds"]
        known = [name for name in PARTS if getattr(self.settings.fused_densities, name) is not None]
        if not isinstance(parts, list) or not isinstance(folds, dict) or not set(map(str, parts)) <= set(known):
            raise RunError("fused_densities: the stored structure is damaged; run the experiment again")
        return self._empty(
            network, [str(name) for name in parts], {name: int(str(fold)) for name, fold in folds.items()}
        )

    def _empty(self, network: Denoiser | None, parts: Sequence[str], folds: Mapping[str, int]) -> FittedFusedDensities:
        return FittedFusedDensities(self.settings.fused_densities, self.reading, network, parts, folds)

    @torch.inference_mode()
    def fit(self, normals: Normals, networks: Networks, report: Report) -> FittedMethod:
        settings = self.settings.fused_densities
        network = denoiser(self.config, networks[DENOISER]) if self._asks_network else None
        groups = [group for images in normals.sets for group in images.groups]
        folds = fold_numbers(groups, settings.folds)
        planes = [image[None] for images in normals.sets for image in images.planes]
        sizes = [size for images in normals.sets for size in images.planes.sizes]
        identities = [identity for images in normals.sets for identity in images.identities]
        fitted = self._empty(network, parts_of(settings, planes), dict(zip(identities, folds, strict=True)))
        fitted.to(resolve_device(self.config.trainer))
        noise_maps: dict[int, Rasters] = {}  # of one step at a time: those of all fill the memory
        done, total = count(), (2 * len(fitted.parts) + fitted.network_passes) * len(planes)

        def images() -> Iterator[Tensor]:
            for image in planes:
                report(next(done), total, f"Fitting ({self.name})")
                yield image.to(fitted.device)

        def fields(part: str) -> Iterator[Tensor]:
            for index, image in enumerate(images()):
                own = {step: maps[index][None].to(fitted.device) for step, maps in noise_maps.items()}
                yield fitted.field(part, image, own)

        for index, part in enumerate(fitted.parts):
            noise = noise_parts(settings).get(part)
            if noise is not None and noise.timestep not in noise_maps:
                noise_maps = {}
                maps = (fitted.noise_maps(image, [noise.timestep])[noise.timestep] for image in images())
                noise_maps = {noise.timestep: collected(maps, sizes)}
            vectors = (fitted.square(part).vectors(field) for field in fields(part))
            fitted.densities[part] = cross_fitted(vectors, folds, ridge=settings.ridge).to(fitted.device)
            surprises = (
                fitted.surprises(fitted.without(fold).distance(part, field))
                for fold, field in zip(folds, fields(part), strict=True)
            )
            fitted.scales[index] = scale_of(self._scores(surprises, sizes), settings.calibration_quantile)
        return fitted

    def _scores(self, surprises: Iterable[Tensor], sizes: Sequence[Size]) -> list[float]:
        """Image scores of one part `(1, 1, H, W)` each, fitted without the image's fold, read as the fused map will be."""
        reading = self.reading
        if reading.border.rings:  # learnt from all before the first is read
            surprises = [each[None] for each in collected(surprises, sizes)]
            reading.learn(surprises)
        return [float(reading.to(each.device)(each)[1]) for each in surprises]


def scale_of(scores: Sequence[float], quantile: float) -> float:
    """The quantile of normal images' scores. Raises `RunError` where it is not above 0."""
    scale = float(np.quantile(scores, quantile))
    if not 0 < scale < np.inf:
        raise RunError(
            "method.fused_densities: a part does not vary on the normal images; leave it out, or train longer"
        )
    return scale
