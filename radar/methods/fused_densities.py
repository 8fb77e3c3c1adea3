"""Several densities of one noise-free step, calibrated on normals that each was fitted without (the network was not), and fused."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import torch
from omegaconf import MISSING
from torch import Tensor, nn

from radar.config.fields import number, section, sigma
from radar.config.method_settings import ReductionConfig
from radar.config.schema import Config
from radar.errors import RunError
from radar.files import Plain
from radar.methods.method import FittedMethod, Networks, Normals, Structure, Training, channels_of
from radar.methods.parts.blurring import blurred
from radar.methods.parts.cross_fitting import cross_fitted, fold_numbers
from radar.methods.parts.denoising import DENOISER, denoiser, denoiser_keys, denoiser_training, untrained_network
from radar.methods.parts.gaussian import Gaussian
from radar.methods.parts.neighbourhoods import Square
from radar.methods.parts.pixel_fields import (
    AppearanceConfig,
    ColourConfig,
    NoiseFieldConfig,
    appearance_field,
    blur_problems,
    colour_field,
    noise_field,
    noise_field_problems,
    noise_square,
)
from radar.methods.parts.reduced import ReducedMethod
from radar.methods.parts.sharing import gathered
from radar.progress import Report
from radar.scoring.denoiser import Denoiser
from radar.scoring.reading import MapReading
from radar.training.device import resolve_device

NOISE_PARTS = ("energy", "detail", "context")
PARTS = (*NOISE_PARTS, "appearance", "colour")
LEAST_CHROMA = 1e-3  # below it, a plane in [−1, 1] holds rounding errors of grey
_LEAST_LEVEL = 1e-2  # of an image whose pixels are normally about 1


@dataclass
class FusedDensitiesConfig:
    """Gaussians of noise, brightness and colour at every pixel, cross-fitted and fused. A part is left out where it is null; without
    any of the noise, no network is trained."""

    energy: NoiseFieldConfig | None = MISSING
    detail: NoiseFieldConfig | None = MISSING
    context: NoiseFieldConfig | None = MISSING
    appearance: AppearanceConfig | None = MISSING
    colour: ColourConfig | None = MISSING
    ridge: float = number(minimum=1e-9, maximum=1000.0)  # share of the mean variance added to each
    smoothing: float = sigma()  # σ in px, of each part before it is fused
    relative: float = number(minimum=0.0, maximum=1.0)
    # 0: how unlikely a pixel is; 1: how much more than its image is as a whole; between: a geometric mean
    folds: int = number(minimum=2, maximum=1000)  # most parts that the normals are split into, by group
    calibration_quantile: float = number(above=0.0, maximum=1.0)  # of normal scores, that all parts have in common
    power: float = number(
        minimum=1.0, maximum=1000.0
    )  # of the norm over the parts: 1 sums up, a high one takes the largest


@dataclass
class FusedDensitiesSettings:
    """Keys of `method=fused_densities`."""

    reduction: ReductionConfig = section(ReductionConfig)
    fused_densities: FusedDensitiesConfig = section(FusedDensitiesConfig)


class FittedFusedDensities(FittedMethod):
    """How unlikely each pixel is under Gaussians of its noise, brightness and colour, on one scale and fused.

    The densities' first axis: of all normals, then without each fold.
    """

    scales: Tensor

    def __init__(
        self,
        settings: FusedDensitiesConfig,
        reading: MapReading,
        network: Denoiser | None,
        parts: Sequence[str],
        folds: Mapping[str, int],
    ) -> None:
        super().__init__(reading)
        self.settings = settings
        self.denoiser = network
        self.parts = tuple(parts)
        self.densities = nn.ModuleDict({name: Gaussian.empty() for name in parts})
        self.register_buffer("scales", torch.ones(len(parts), dtype=torch.float64))  # what few normal images exceed
        self.folds = folds
        self.network_passes = len(timesteps(settings))
        self._index = 0  # of the densities that are asked

    def structure(self) -> dict[str, Plain]:
        return {"channels": 1, "parts": list(self.parts), "folds": dict(self.folds)}

    def without(self, fold: int) -> FittedFusedDensities:
        other = copy.copy(self)
        other._index = fold + 1
        return other

    def respond(self, images: Tensor, noise: Tensor | None) -> Tensor:
        noise_maps = self.noise_maps(images, timesteps(self.settings))
        distances = [self.distance(name, self.field(name, images, noise_maps)) for name in self.parts]
        surprises = self.surprises(torch.cat(distances, dim=1))
        scaled = [each / float(scale) for each, scale in zip(surprises.unbind(dim=1), self.scales, strict=True)]
        return fuse(torch.stack(scaled), self.settings.power)[:, None]

    def noise_maps(self, images: Tensor, steps: Sequence[int]) -> dict[int, Tensor]:
        """ε̂ `(N, 1, H, W)` of the scaled brightness at these timesteps: no noise is drawn. None without a network."""
        network, brightness = self.denoiser, images[:, :1]
        if network is None:
            return {}
        return {t: network(network.scaled(brightness, t), t).float() for t in steps}

    def field(self, part: str, images: Tensor, noise_maps: dict[int, Tensor]) -> Tensor:
        """What is known of every pixel for one part, `(N, C, H, W)`."""
        settings = self.settings
        if part == "appearance" and settings.appearance is not None:
            return appearance_field(images[:, :1], settings.appearance)
        if part == "colour" and settings.colour is not None:
            return colour_field(images[:, 1:], settings.colour)
        noise = noise_parts(settings)[part]
        return noise_field(noise_maps[noise.timestep], noise)

    def square(self, part: str) -> Square:
        """The square around every pixel of a part's field whose density is known."""
        noise = noise_parts(self.settings).get(part)
        return Square() if noise is None else noise_square(noise)

    def distance(self, part: str, field: Tensor) -> Tensor:
        """The squared Mahalanobis distance of a part's field `(N, C, H, W)`, over its channels, `(N, 1, H, W)`."""
        density = self.densities[part]
        if not isinstance(density, Gaussian):  # a ModuleDict forgets what it holds
            raise TypeError(f"{part}: is no density")
        return density[self._index].mean_square(field, self.square(part))

    def surprises(self, distances: Tensor) -> Tensor:
        """Distances `(N, E, H, W)`, smoothed; about 1 on normal texture.

        Over the image's median to the power `settings.relative`: light or focus that is slightly off raises a whole map, a
        defect stands out of it. Below 1, an image that is off as a whole still scores high.
        """
        smooth = blurred(distances.flatten(0, 1)[:, None], self.settings.smoothing).reshape(distances.shape)
        level = smooth.flatten(2).median(dim=2).values.clamp(min=_LEAST_LEVEL).pow(self.settings.relative)
        return smooth / level[..., None, None]


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
        yield from _problems(self.config, self.settings.fused_densities)

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
        planes = [images.planes[index : index + 1] for images in normals.sets for index in range(len(images))]
        identities = [identity for images in normals.sets for identity in images.identities]
        fitted = self._empty(network, _parts(settings, planes), dict(zip(identities, folds, strict=True)))
        fitted.to(resolve_device(self.config.trainer))
        noise_maps: dict[int, Tensor] = {}  # of one step at a time: those of all fill the memory
        done, total = count(), (2 * len(fitted.parts) + fitted.network_passes) * len(planes)

        def images() -> Iterator[Tensor]:
            for image in planes:
                report(next(done), total, f"Fitting ({self.name})")
                yield image.to(fitted.device)

        def fields(part: str) -> Iterator[Tensor]:
            for index, image in enumerate(images()):
                own = {step: maps[index : index + 1].to(fitted.device) for step, maps in noise_maps.items()}
                yield fitted.field(part, image, own)

        for index, part in enumerate(fitted.parts):
            noise = noise_parts(settings).get(part)
            if noise is not None and noise.timestep not in noise_maps:
                noise_maps = {}
                maps = (list(fitted.noise_maps(image, [noise.timestep]).values()) for image in images())
                noise_maps = {noise.timestep: gathered(maps, len(planes))[0]}
            vectors = (fitted.square(part).vectors(field) for field in fields(part))
            fitted.densities[part] = cross_fitted(vectors, folds, ridge=settings.ridge).to(fitted.device)
            surprises = (
                fitted.surprises(fitted.without(fold).distance(part, field))
                for fold, field in zip(folds, fields(part), strict=True)
            )
            fitted.scales[index] = scale_of(self._scores(surprises, len(planes)), settings.calibration_quantile)
        return fitted

    def _scores(self, surprises: Iterable[Tensor], images: int) -> list[float]:
        """Image scores of one part `(1, 1, H, W)` each, fitted without the image's fold, read as the fused map will be."""
        reading = self.reading
        if reading.border.rings:  # learnt from all before the first is read
            (kept,) = gathered(([each] for each in surprises), images)
            surprises = torch.split(kept, 1)
            reading.learn(surprises)
        return [float(reading.to(each.device)(each)[1]) for each in surprises]


def noise_parts(settings: FusedDensitiesConfig) -> dict[str, NoiseFieldConfig]:
    """The parts that read the noise, by name."""
    return {name: part for name in NOISE_PARTS if (part := getattr(settings, name)) is not None}


def timesteps(settings: FusedDensitiesConfig) -> list[int]:
    """The timesteps at which the network is asked, each once."""
    return sorted({part.timestep for part in noise_parts(settings).values()})


def fuse(surprises: Tensor, power: float) -> Tensor:
    """The norm of order `power` over the first of the axes `(E, …)`: 1 sums up, a high one takes the largest."""
    halvings = 0
    while power % 2 == 0:  # squares are many times as fast as other powers
        surprises, power, halvings = surprises.square(), power / 2, halvings + 1
    total = surprises.sum(dim=0) if power == 1 else surprises.pow(power).sum(dim=0).pow(1 / power)
    for _ in range(halvings):
        total = total.sqrt()
    return total


def scale_of(scores: Sequence[float], quantile: float) -> float:
    """The quantile of normal images' scores. Raises `RunError` where it is not above 0."""
    scale = float(np.quantile(scores, quantile))
    if not 0 < scale < np.inf:
        raise RunError(
            "method.fused_densities: a part does not vary on the normal images; leave it out, or train longer"
        )
    return scale


def _parts(settings: FusedDensitiesConfig, planes: Sequence[Tensor]) -> list[str]:
    """The parts that are asked for and can be fitted: normals without any colour tell no density of it."""
    asked = [name for name in PARTS if getattr(settings, name) is not None]
    coloured = any(image[:, 1:].abs().max() > LEAST_CHROMA for image in planes if image.shape[1] > 1)
    return [name for name in asked if name != "colour" or coloured]


def _problems(config: Config, settings: FusedDensitiesConfig) -> Iterator[str]:
    key, image = "method.fused_densities", config.dataset.image
    if image.channels == "rgb":
        yield "dataset.image.channels=rgb: fused_densities reads brightness and colour apart; use luma_chroma or grey"
    if settings.colour is not None and image.channels == "grey":
        yield f"{key}.colour: grey images have none; use dataset.image.channels=luma_chroma or {key}.colour=null"
    if all(getattr(settings, name) is None for name in PARTS):
        yield f"{key}: every part is null; keep at least one"
    for name, part in noise_parts(settings).items():
        yield from noise_field_problems(f"{key}.{name}", part, config.diffusion.timesteps)
    if settings.appearance is not None:
        yield from blur_problems(f"{key}.appearance.blurs", settings.appearance.blurs)
    if settings.colour is not None:
        yield from blur_problems(f"{key}.colour.blurs", settings.colour.blurs)
