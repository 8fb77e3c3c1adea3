"""Several densities of one noise-free step, calibrated on normals that each was fitted without, and fused."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from radar.config.method_sections import FusedDensitiesConfig, NoiseFieldConfig
from radar.config.schema import Config
from radar.diffusion.sampling import levels
from radar.methods.cross_fit import CrossFit, fold_numbers
from radar.methods.denoiser import Denoiser, DenoiserMethod
from radar.methods.density_fields import appearance_field, colour_field, noise_field
from radar.methods.fusion import Fusion, scale_of, surprise
from radar.methods.interface import ImageSet, Inputs, Normals
from radar.methods.peer import MapOne, image_scores, one_by_one, section
from radar.progress import Report
from radar.scoring.scorer import Mapper

NOISE_PARTS = ("energy", "detail", "context")
PARTS = (*NOISE_PARTS, "appearance", "colour")
LEAST_CHROMA = 1e-3  # below it, a plane in [−1, 1] holds rounding errors of grey


@dataclass(frozen=True, eq=False)
class FieldReader:
    """Images with their chroma as further channels `(1, C, H, W)` → the fields of the parts that are asked for."""

    denoiser: Denoiser
    settings: FusedDensitiesConfig

    def noise_maps(self, planes: Tensor) -> dict[int, Tensor]:
        """ε̂ of the scaled brightness, on the host, by timestep: no noise is drawn."""
        image = planes[:, :1].to(self.denoiser.device)
        return {
            timestep: self.denoiser.predict(levels(self.denoiser.schedule, timestep)[0] * image, timestep).float().cpu()
            for timestep in timesteps(self.settings)
        }

    def field(self, part: str, planes: Tensor, noise_maps: dict[int, Tensor]) -> Tensor:
        """The vectors `(1, K, H, W)` of one part."""
        settings = self.settings
        if part == "appearance":
            assert settings.appearance is not None
            return appearance_field(planes[:, :1].cpu(), settings.appearance)
        if part == "colour":
            assert settings.colour is not None
            return colour_field(planes[:, 1:].cpu(), settings.colour)
        noise = noise_parts(settings)[part]
        return noise_field(noise_maps[noise.timestep], noise)


def part_names(settings: FusedDensitiesConfig) -> list[str]:
    """The parts that are asked for."""
    return [name for name in PARTS if getattr(settings, name) is not None]


def noise_parts(settings: FusedDensitiesConfig) -> dict[str, NoiseFieldConfig]:
    """The parts that read the noise, by name."""
    return {name: getattr(settings, name) for name in part_names(settings) if name in NOISE_PARTS}


def timesteps(settings: FusedDensitiesConfig) -> list[int]:
    """The timesteps at which the network is asked, each once."""
    return sorted({part.timestep for part in noise_parts(settings).values()})


def fused_map(reader: FieldReader, fusion: Fusion) -> MapOne:
    """The map of one image."""

    def score(image: Tensor, identity: str) -> Tensor:
        noise_maps = reader.noise_maps(image)
        fields = {part: reader.field(part, image, noise_maps) for part in fusion.parts}
        return fusion.map(fields, identity, reader.settings)

    return score


def fused_mapper(config: Config, network: nn.Module, fusion: Fusion) -> Mapper:
    """What a stored network and a stored fusion make of images whose chroma are further channels."""
    assert config.method.fused_densities is not None
    return one_by_one(fused_map(FieldReader(Denoiser(network, config), config.method.fused_densities), fusion))


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
        return len(timesteps(self.settings))

    def inputs(self, normal: Normals) -> Inputs:
        return {
            **self.network_inputs(),
            "fused_densities": section(self.settings),
            "calibration": section(self.reduction),
            "fitted": [*normal.train.identities, *normal.validation.identities],
            "groups": [*normal.train.groups, *normal.validation.groups],
        }

    def mapper_input(self, images: ImageSet, start: int, stop: int) -> Tensor:
        return images.planes(start, stop)

    def fit_one(self, normal: Normals, report: Report) -> MapOne:
        reader = FieldReader(self.denoiser(normal, report), self.settings)
        return fused_map(reader, self.fusion(normal, report, reader))

    def fusion(self, normal: Normals, report: Report, reader: FieldReader | None = None) -> Fusion:
        """What is learnt from all normals, or was before."""

        def make() -> Fusion:
            with torch.inference_mode():
                return self._fitted(reader or FieldReader(self.denoiser(normal, report), self.settings), normal, report)

        return self.recall.fusion(self.map_inputs(normal), make)

    def _fitted(self, reader: FieldReader, normal: Normals, report: Report) -> Fusion:
        sets = (normal.train, normal.validation)
        planes = [each.planes(index, index + 1) for each in sets for index in range(len(each.identities))]
        groups = [group for each in sets for group in each.groups or each.identities]
        folds = fold_numbers(groups, self.settings.folds)
        noise_maps = []
        for index, image in enumerate(planes):
            report(index, len(planes), f"Fitting ({self.name})")
            noise_maps.append(reader.noise_maps(image))
        parts, scales = {}, {}
        for name in part_names(self.settings):
            if name == "colour" and all(image[:, 1:].abs().max() <= LEAST_CHROMA for image in planes):
                continue  # normals without any colour tell no density of it
            read = partial(reader.field, name)
            parts[name] = CrossFit.of(map(read, planes, noise_maps), folds, ridge=self.settings.ridge)
            scores = map(partial(self._score, parts[name]), map(read, planes, noise_maps), folds)
            scales[name] = scale_of(list(scores), self.settings.calibration_quantile)
        identities = [identity for each in sets for identity in each.identities]
        return Fusion(parts, scales, dict(zip(identities, folds, strict=True)))

    def _score(self, fit: CrossFit, field: Tensor, fold: int) -> float:
        """The image score of a part alone, fitted without the image's fold."""
        maps = surprise(fit, field, fold, self.settings)[:, 0]
        return float(image_scores(maps, self.reduction)[0])
