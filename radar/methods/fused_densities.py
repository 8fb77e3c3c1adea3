"""Several densities of one noise-free step, calibrated on normals that each was fitted without, and fused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from radar.config_method import FusedDensitiesConfig, NoiseFieldConfig
from radar.diffusion.sampling import levels
from radar.methods.cross_fit import CrossFit, fold_numbers
from radar.methods.denoiser import Denoiser, DenoiserMethod
from radar.methods.density_fields import appearance_field, colour_field, noise_field
from radar.methods.interface import ImageSet, Inputs, Normals
from radar.methods.peer import MapOne, image_scores, section
from radar.progress import Report
from radar.scoring.density import blurred

LEAST_CHROMA = 1e-3  # below it, a plane in [−1, 1] holds rounding errors of grey

Field = Callable[[Tensor, dict[int, Tensor]], Tensor]
"""The planes of an image `(1, C, H, W)` and its noise maps by timestep → vectors `(1, K, H, W)`."""


@dataclass(frozen=True, eq=False)
class Expert:
    """One part of the fusion: its field, its density, and the score that a normal image rarely exceeds."""

    field: Field
    fit: CrossFit
    scale: float

    def surprise(self, planes: Tensor, noise_maps: dict[int, Tensor], fold: int | None, smoothing: float) -> Tensor:
        """The squared Mahalanobis distance per channel `(1, 1, H, W)`, smoothed, over the scale."""
        return surprise(self.fit, self.field(planes, noise_maps), fold, smoothing) / self.scale


def surprise(fit: CrossFit, field: Tensor, fold: int | None, smoothing: float) -> Tensor:
    """The smoothed squared Mahalanobis distance per channel, `(1, 1, H, W)`; about 1 on normal texture."""
    return blurred(fit.density(fold).distance(field).square(), smoothing)


def fuse(surprises: Tensor, power: float) -> Tensor:
    """The norm of order `power` over the first of `(E, …)` axes: 1 sums up, a high one takes the largest."""
    return surprises.pow(power).sum(dim=0).pow(1 / power)


class FusedDensitiesMethod(DenoiserMethod):
    """How unlikely each pixel is under a Gaussian of its noise (energy, detail, context), brightness and colour.

    Every part is brought to one scale: that which the given share of normal images does not exceed. Normal images that were fitted
    are recognised by their content and scored without their group.
    """

    @property
    def settings(self) -> FusedDensitiesConfig:
        """The method's section."""
        settings = self.config.method.fused_densities
        assert settings is not None
        return settings

    @property
    def network_passes(self) -> int:
        return len(self.timesteps)

    @property
    def timesteps(self) -> list[int]:
        """The timesteps at which the network is asked, each once."""
        return sorted({part.timestep for part in self.noise_parts.values()})

    @property
    def noise_parts(self) -> dict[str, NoiseFieldConfig]:
        """The parts that read the noise, by name."""
        parts = {name: getattr(self.settings, name) for name in ("energy", "detail", "context")}
        return {name: part for name, part in parts.items() if part is not None}

    def inputs(self, normal: Normals) -> Inputs:
        images = (*normal.train.identities, *normal.validation.identities)
        return {
            **self.network_inputs(),
            "fused_densities": section(self.settings),
            "calibration": section(self.reduction),
            "fitted": list(images),
            "groups": [*normal.train.groups, *normal.validation.groups],
        }

    def mapper_input(self, images: ImageSet, start: int, stop: int) -> Tensor:
        return images.planes(start, stop)

    def fit_one(self, normal: Normals, report: Report) -> MapOne:
        denoiser = self.denoiser(normal, report)
        planes, identities, folds = self._normals(normal)
        with torch.inference_mode():
            noise_maps = []
            for index, image in enumerate(planes):
                report(index, len(planes), f"Fitting ({self.name})")
                noise_maps.append(self._noise_maps_of(denoiser, image))
            experts = [self._expert(field, planes, noise_maps, folds) for field in self._fields(planes)]
        fold_of = dict(zip(identities, folds, strict=True))
        smoothing, power = self.settings.smoothing, self.settings.power

        def score(image: Tensor, identity: str) -> Tensor:
            predicted, fold = self._noise_maps_of(denoiser, image), fold_of.get(identity)
            parts = [expert.surprise(image, predicted, fold, smoothing) for expert in experts]
            return fuse(torch.stack(parts), power)

        return score

    def _normals(self, normal: Normals) -> tuple[list[Tensor], list[str], list[int]]:
        """All normal images with their planes `(1, C, H, W)`, content hashes and folds."""
        sets = (normal.train, normal.validation)
        planes = [each.planes(index, index + 1) for each in sets for index in range(len(each.identities))]
        identities = [identity for each in sets for identity in each.identities]
        groups = [group for each in sets for group in each.groups or each.identities]
        return planes, identities, fold_numbers(groups, self.settings.folds)

    def _noise_maps_of(self, denoiser: Denoiser, planes: Tensor) -> dict[int, Tensor]:
        """ε̂ of the scaled image, on the host, by timestep: no noise is drawn."""
        image = planes[:, :1].to(denoiser.device)
        return {
            timestep: denoiser.predict(levels(denoiser.schedule, timestep)[0] * image, timestep).float().cpu()
            for timestep in self.timesteps
        }

    def _fields(self, planes: list[Tensor]) -> list[Field]:
        """The fields of the parts that are asked for; normals without any colour tell no density of it."""
        settings = self.settings
        fields: list[Field] = [
            lambda _, noise_maps, part=part: noise_field(noise_maps[part.timestep], part)  # type: ignore[misc]
            for part in self.noise_parts.values()
        ]
        if (appearance := settings.appearance) is not None:
            fields.append(lambda planes, _: appearance_field(planes[:, :1], appearance))
        if (colour := settings.colour) is not None and any(image[:, 1:].abs().max() > LEAST_CHROMA for image in planes):
            fields.append(lambda planes, _: colour_field(planes[:, 1:], colour))
        return fields

    def _expert(
        self, field: Field, planes: list[Tensor], noise_maps: list[dict[int, Tensor]], folds: list[int]
    ) -> Expert:
        """A part fitted on all normals, with the scale of their scores where each is scored without its fold."""
        fit = CrossFit(
            (field(*each) for each in zip(planes, noise_maps, strict=True)), folds, ridge=self.settings.ridge
        )
        scores = [
            image_scores(surprise(fit, field(image, predicted), fold, self.settings.smoothing)[:, 0], self.reduction)
            for image, predicted, fold in zip(planes, noise_maps, folds, strict=True)
        ]
        return Expert(field, fit, float(np.quantile(np.concatenate(scores), self.settings.calibration_quantile)))
