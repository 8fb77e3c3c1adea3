"""DDAD (Mousakhan et al. 2023, arXiv 2305.15956): conditioned DDIM, distance in pixels and in features, which may be adapted."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.config.fields import choice, number, section
from radar.config.method_settings import ReductionConfig
from radar.config.schema import PatchConfig
from radar.data.images import Images
from radar.methods.method import FittedMethod, Material, Networks, Normals, Structure, Training, channels_of
from radar.methods.parts.denoising import DENOISER, denoiser, untrained_network
from radar.methods.parts.feature_maps import FeatureMaps, UNetFeatures, feature_distance, pretrained_maps
from radar.methods.parts.pretrained import FEATURES
from radar.methods.parts.reconstruction import (
    FittedReconstruction,
    ReconstructionConfig,
    ReconstructionMethod,
    absolute_error,
    squared_error,
)
from radar.methods.parts.reduced import shortened
from radar.progress import Report
from radar.rasters import Rasters
from radar.scoring.denoiser import Denoiser, Windows
from radar.scoring.noise_draws import drawn
from radar.scoring.reading import MapReading
from radar.seeds import StepClock
from radar.training.objective import Forward

_FEATURES = "features"  # the name of their adaptation
_HELD_OUT = 2  # pairs whose loss is logged while features are adapted


@dataclass
class AdaptationConfig:
    """Fine-tuning of features on reconstructions of normal images."""

    max_steps: int = number(minimum=0, maximum=1_000_000_000)  # at most; 0: features stay as they are
    pairs: int = number(
        minimum=2, maximum=1_000_000
    )  # training normals that are reconstructed, each towards another one
    guidance: float = number(minimum=0.0, maximum=1000.0)  # w of those reconstructions
    distillation: float = number(minimum=0.0, maximum=1e6)  # λ of staying near the features as they were
    batch_size: int = number(minimum=1, maximum=1_000_000)  # pairs per step
    learning_rate: float = number(above=0.0, maximum=10.0)


@dataclass
class DdadConfig(ReconstructionConfig):
    """Noise to an intermediate timestep and back, pulled towards the image, and two distances."""

    guidance: float = number(minimum=0.0, maximum=1000.0)  # w: pull towards the image itself
    features: str = choice("none", "unet", "efficientnet")  # whose distance is added to the pixels'
    pixel_weight: float = number(minimum=0.0, maximum=1e6)  # v, of the pixel distance beside the features'
    calibration_images: int = number(
        minimum=1, maximum=1_000_000
    )  # training normals that put both distances on one scale
    adaptation: AdaptationConfig = section(AdaptationConfig)  # of the features


@dataclass
class DdadSettings:
    """Keys of `method=ddad`."""

    reduction: ReductionConfig = section(ReductionConfig)
    reconstruction: DdadConfig = section(DdadConfig)


class FittedDdad(FittedReconstruction):
    """The distance in features and, on the same scale, in pixels; in pixels alone, squared, where there are no features."""

    ratio: Tensor

    def __init__(
        self, settings: DdadConfig, reading: MapReading, network: Denoiser, channels: int, features: nn.Module | None
    ) -> None:
        """`features` are pretrained or adapted ones, a module of its own; None: the network's, where there are any."""
        super().__init__(settings, reading, network, channels)
        self.settings = settings
        self.features = features
        self.register_buffer("ratio", torch.ones((), dtype=torch.float64))  # of both distances: v · max D_f / max D_p
        self.network_passes += 0 if settings.features == "none" else 2  # features of image and reconstruction

    def respond(self, images: Tensor, noise: Tensor | None) -> Tensor:
        clean = images[:, : self.channels]
        back = self.reconstruct(clean, drawn(noise), clean, self.settings.guidance)
        if self.settings.features == "none":
            return squared_error(clean, back)
        pixel, feature = self.distances(clean, back)
        return self.ratio.to(pixel) * pixel + feature

    def distances(self, clean: Tensor, back: Tensor) -> tuple[Tensor, Tensor]:
        """D_p and D_f, both `(N, 1, H, W)`, of images and reconstructions `(N, C, H, W)`."""
        features = UNetFeatures(self.denoiser.network) if self.features is None else self.features
        # the finest pretrained level is fine-tuned with the others, and not compared (as in the authors' code)
        skipped = 1 if self.settings.features == "efficientnet" else 0
        return absolute_error(clean, back), feature_distance(cast(FeatureMaps, features), clean, back, skipped=skipped)


class DdadMethod(ReconstructionMethod[DdadSettings]):
    """Reconstruction towards the image itself: what the model of normal images does not give back is anomalous."""

    name = "ddad"
    version = 2
    Settings = DdadSettings

    def trainings(self, normals: Normals) -> tuple[Training, ...]:
        shared = super().trainings(normals)
        return (*shared, self._adaptation(normals)) if self._adapts else shared

    def fit(self, normals: Normals, networks: Networks, report: Report) -> FittedMethod:
        network, channels = denoiser(self.config, networks[DENOISER]), normals.train.network_planes.channels
        fitted = self._fitted(network, channels, networks.get(_FEATURES if self._adapts else FEATURES))
        fitted.to(network.schedule.signal.device)
        if self.settings.reconstruction.features != "none":
            fitted.ratio.fill_(self._ratio(fitted, normals.train, report))
        return fitted

    def empty(self, structure: Structure) -> FittedMethod:
        channels = channels_of(structure, self.config)
        network = untrained_network(self.config, channels)
        features: nn.Module | None = None
        if self.pretrained:
            features = pretrained_maps(empty=True)
        elif self._adapts:
            features = UNetFeatures(untrained_network(self.config, channels))
        return self._fitted(denoiser(self.config, network), channels, features)

    @property
    def idle_keys(self) -> Mapping[str, str]:
        own, section = self.settings.reconstruction, "method.reconstruction"
        idle = dict(super().idle_keys)
        if own.features == "none":
            compared = ("pixel_weight", "calibration_images", "adaptation")
            idle |= {f"{section}.{key}": f"{section}.features=none" for key in compared}
        elif own.adaptation.max_steps == 0:
            adapting = [
                f"{section}.adaptation.{each.name}" for each in fields(AdaptationConfig) if each.name != "max_steps"
            ]
            idle |= dict.fromkeys(adapting, f"{section}.adaptation.max_steps=0")
        return idle

    @property
    def needs_one_size(self) -> bool:
        return self._adapts

    @property
    def _adapts(self) -> bool:
        settings = self.settings.reconstruction
        return settings.features != "none" and settings.adaptation.max_steps > 0

    @property
    def pretrained(self) -> Mapping[str, Callable[[], nn.Module]]:
        asked = self.settings.reconstruction.features == "efficientnet"
        return {FEATURES: partial(pretrained_maps, empty=False)} if asked else {}

    def _fitted(self, network: Denoiser, channels: int, features: nn.Module | None) -> FittedDdad:
        return FittedDdad(self.settings.reconstruction, self.reading, network, channels, features)

    @torch.inference_mode()
    def _ratio(self, fitted: FittedDdad, images: Images, report: Report) -> float:
        """v · max D_f / max D_p, with the maxima of training normals: those of the scored batch would tie its images together."""
        settings, largest_pixel, largest_feature = self.settings.reconstruction, 0.0, 0.0
        calibration = images[: settings.calibration_images]
        for index in range(len(calibration)):
            report(index, len(calibration), f"Fitting ({self.name})")
            clean = calibration.network_planes[index][None].to(fitted.device)
            back = self._back(fitted, clean, calibration.identities[index], clean, settings.guidance)
            pixel, feature = (distance.max().item() for distance in fitted.distances(clean, back))
            largest_pixel, largest_feature = max(largest_pixel, pixel), max(largest_feature, feature)
        return settings.pixel_weight * largest_feature / max(largest_pixel, torch.finfo(torch.float32).tiny)

    def _back(self, fitted: FittedDdad, clean: Tensor, identity: str, target: Tensor, weight: float) -> Tensor:
        """One image `(1, C, H, W)`, reconstructed with its own noise."""
        noise = drawn(fitted.draws.of([identity], fitted.noise_shape(*clean.shape[1:]), self.config.seed))
        return fitted.reconstruct(clean, noise.to(clean.device), target, weight)

    def _adaptation(self, normals: Normals) -> Training:
        config, settings = self.config, self.settings.reconstruction
        adaptation, scoring = settings.adaptation, Windows.keys(self.config.scoring.field)

        def material(networks: Networks) -> Material:
            fitted = self._fitted(denoiser(config, networks[DENOISER]), normals.train.network_planes.channels, None)
            fitted.to(fitted.denoiser.schedule.signal.device)
            pairs = (
                self._pairs(fitted, normals.train[: adaptation.pairs]),
                self._pairs(fitted, normals.validation[:_HELD_OUT]),
            )
            return Material(*pairs, FeatureDistillation(self._frozen(networks), adaptation.distillation))

        return Training(
            _FEATURES,
            lambda networks: copy.deepcopy(self._frozen(networks)).requires_grad_(True),
            material,
            inputs={
                **{key: getattr(config.scoring, key.rpartition(".")[2]) for key in scoring},
                **{key: getattr(settings, key) for key in ("start", "steps", "eta", "features")},
                **{f"adaptation.{key}": getattr(adaptation, key) for key in ("pairs", "guidance", "distillation")},
            },
            # whole images, as the features see them later
            patch=PatchConfig(size=min(min(size) for size in normals.train.planes.sizes), flips=False, rotations=False),
            training=replace(
                shortened(config.training, adaptation.max_steps),
                batch_size=adaptation.batch_size,
                learning_rate=adaptation.learning_rate,
                validation_patches=_HELD_OUT,
            ),
            parents=(DENOISER,),
        )

    def _frozen(self, networks: Networks) -> nn.Module:
        """The features before their adaptation."""
        return networks[FEATURES] if FEATURES in networks else UNetFeatures(networks[DENOISER])

    @torch.no_grad()
    def _pairs(self, fitted: FittedDdad, images: Images) -> Rasters:
        """Each image, reconstructed towards the next one, beside that one `(2C, H, W)`."""
        planes, weight = images.network_planes, self.settings.reconstruction.adaptation.guidance

        def pair(index: int) -> Tensor:
            clean, target = (planes[place][None] for place in (index, (index + 1) % len(planes)))
            wanted = target.to(fitted.device)
            back = self._back(fitted, clean.to(fitted.device), images.identities[index], wanted, weight)
            return torch.cat([back.cpu(), target], dim=1)[0]

        return Rasters.joined(pair(index) for index in range(len(planes)))


class FeatureDistillation:
    """Fine-tunes feature maps until they no longer see what tells a reconstruction from a normal image; `Objective`.

    L_similarity + λ · L_distillation: the first brings the features of reconstruction and target together, the second, with
    λ = `distillation`, holds each near what it was in the features `frozen`. Crops are the two as the channels `(B, 2C, H, W)`
    of one image.
    """

    training_mode = False  # statistics of batches stay those that the features were trained with
    compiles = False

    def __init__(self, frozen: nn.Module, distillation: float) -> None:
        self.frozen: Sequence[nn.Module] = (frozen,)
        self.distillation = distillation

    def training_loss(self, network: Forward, crops: Tensor, clock: StepClock) -> Tensor:
        return self._losses(network, crops)[0]

    def validation_losses(self, network: Forward, crops: Tensor, clock: StepClock) -> Mapping[str, Tensor]:
        loss, similarity = self._losses(network, crops)
        return {"validation_loss": loss, "validation_similarity": similarity}

    def _losses(self, network: Forward, pairs: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, and L_similarity alone."""
        pair = pairs.chunk(2, dim=1)
        adapted = [network(images) for images in pair]
        with torch.no_grad():
            before = [self.frozen[0](images) for images in pair]
        similarity = level_distance(*adapted)
        moved = torch.stack([level_distance(now, then) for now, then in zip(adapted, before, strict=True)]).sum()
        return similarity + self.distillation * moved, similarity


def level_distance(first: list[Tensor], second: list[Tensor]) -> Tensor:
    """Cosine distance of feature maps `(B, F, h, w)`, mean over images and positions, summed over levels; a scalar."""
    return torch.stack(
        [(1 - F.cosine_similarity(one, other, dim=1)).mean() for one, other in zip(first, second, strict=True)]
    ).sum()
