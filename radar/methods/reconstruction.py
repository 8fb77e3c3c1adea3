"""Reconstruction by diffusion: DDPM and AnoDDPM (Wyatt et al. 2022), and DDAD's conditioned DDIM (arXiv 2305.15956)."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from radar.config.schema import Config, PatchConfig, TrainingConfig
from radar.diffusion.sampling import guided, reverse
from radar.methods.adaptation import AdaptationObjective
from radar.methods.denoiser import Denoiser, DenoiserMethod
from radar.methods.feature_maps import FeatureMaps, feature_distance, feature_maps, pretrained_maps
from radar.methods.interface import ImageSet, Inputs, Normals, Recall
from radar.methods.peer import Fit, MapOne, section, section_but, shortened
from radar.methods.radar import Train
from radar.networks.build import build_unet
from radar.networks.cost import parameter_count
from radar.progress import Report

_START = 0  # number of the draw that noises the image; those on the way back follow
_REVISION = 2  # of the feature distance; raised when it comes out otherwise
_HELD_OUT = 2  # pairs whose loss is logged while features are adapted


class ReconstructionMethod(DenoiserMethod):
    """Distance between an image and what the reverse process makes of its noised self."""

    def __init__(self, config: Config, recall: Recall, train: Train, identity: Inputs, fit: Fit) -> None:
        super().__init__(config, recall, train, identity)
        assert config.method.reconstruction is not None
        self.settings = config.method.reconstruction
        self.fit_network = fit

    @property
    def network_passes(self) -> int:
        return self.settings.steps + (0 if self.settings.features == "none" else 2)  # features of both images

    def own_parameters(self, image_channels: int) -> int:
        if self.settings.features == "efficientnet":
            return parameter_count(pretrained_maps())
        if not self._adapts:
            return 0
        config = self.config
        return parameter_count(
            build_unet(config.unet, patch_size=config.patch.size, image_channels=image_channels, seed=config.seed)
        )

    def inputs(self, normal: Normals) -> Inputs:
        inputs = {**self.network_inputs(), "reconstruction": section_but(self.settings, "adaptation")}
        if self.settings.features != "none":
            inputs["feature_distance"] = _REVISION
            inputs["calibrated_on"] = list(self._first(normal.train, self.settings.calibration_images).identities)
        if self._adapts:
            inputs["adaptation"] = section_but(self.settings.adaptation, "max_steps")
            inputs["adapted_on"] = list(self._first(normal.train, self.settings.adaptation.pairs).identities)
            inputs["training"] = section(self._training)
        return inputs

    def fit_one(self, normal: Normals, report: Report) -> MapOne:
        denoiser = self.denoiser(normal, report)
        if self.settings.features == "none":
            return lambda image, identity: squared_error(image, self.reconstruct(denoiser, image, identity))
        features = self._features(denoiser, normal, report)
        # training normals put both distances on one scale; held-out ones set the threshold
        calibration = self._first(normal.train, self.settings.calibration_images)
        ratio = self._ratio(denoiser, features, calibration)

        def combined(image: Tensor, identity: str) -> Tensor:
            back = self.reconstruct(denoiser, image, identity)
            return ratio * absolute_error(image, back) + feature_distance(features, image, back)

        return combined

    def _ratio(self, denoiser: Denoiser, features: FeatureMaps, calibration: ImageSet) -> float:
        """v · max D_f / max D_p, with the maxima of training normals: those of the scored batch would tie its images together."""
        largest_pixel = largest_feature = 0.0
        with torch.inference_mode():
            for image, identity in zip(torch.split(calibration.images, 1), calibration.identities, strict=True):
                back = self.reconstruct(denoiser, image, identity)
                largest_pixel = max(largest_pixel, absolute_error(image, back).max().item())
                largest_feature = max(largest_feature, feature_distance(features, image, back).max().item())
        return self.settings.pixel_weight * largest_feature / max(largest_pixel, torch.finfo(torch.float32).tiny)

    def _first(self, images: ImageSet, count: int) -> ImageSet:
        return ImageSet(images.images[:count], images.identities[:count])

    def reconstruct(
        self,
        denoiser: Denoiser,
        image: Tensor,
        identity: str,
        towards: Tensor | None = None,
        weight: float | None = None,
    ) -> Tensor:
        """x̂₀ `(1, C, H, W)` in [−1, 1], on the device of the image, pulled to the image itself unless `towards` another."""
        settings, schedule = self.settings, denoiser.schedule
        clean = image.to(denoiser.device)
        target = clean if towards is None else towards.to(denoiser.device)
        noisy = denoiser.noised(clean, denoiser.draw(clean, identity, _START), settings.start)
        back = reverse(
            noisy,
            guided(denoiser.predict, target, schedule=schedule, weight=settings.guidance if weight is None else weight),
            lambda number: denoiser.draw(clean, identity, _START + 1 + number),
            schedule=schedule,
            start=settings.start,
            steps=settings.steps,
            eta=settings.eta,
        )
        return back.clamp(-1, 1).to(image.device)

    @property
    def _adapts(self) -> bool:
        return self.settings.features != "none" and self.settings.adaptation.max_steps > 0

    @property
    def _training(self) -> TrainingConfig:
        adaptation = self.settings.adaptation
        return replace(
            shortened(self.config.training, adaptation.max_steps),
            batch_size=adaptation.batch_size,
            learning_rate=adaptation.learning_rate,
            validation_patches=_HELD_OUT,
        )

    def _features(self, denoiser: Denoiser, normal: Normals, report: Report) -> FeatureMaps:
        """The feature maps, adapted where the config says so."""
        frozen = feature_maps(self.settings.features, denoiser)
        if not self._adapts:
            return frozen
        pairs = Normals(
            self._pairs(denoiser, self._first(normal.train, self.settings.adaptation.pairs)),
            self._pairs(denoiser, self._first(normal.validation, _HELD_OUT)),
        )
        adapted: Any = self.fit_network(
            copy.deepcopy(frozen).requires_grad_(True),
            AdaptationObjective(frozen, distillation=self.settings.adaptation.distillation),
            inputs={
                "adapted": {**self.network_inputs(), "seed": self.config.seed},
                "reconstruction": section_but(
                    self.settings, "adaptation", "guidance", "pixel_weight", "calibration_images"
                ),
                "adaptation": section_but(self.settings.adaptation, "max_steps"),
            },
            training=self._training,
            # whole images, as the features see them later
            patch=PatchConfig(size=min(normal.train.images.shape[-2:]), flips=False, rotations=False),
            normal=pairs,
            report=report,
        )
        maps: FeatureMaps = adapted
        return maps

    @torch.no_grad()
    def _pairs(self, denoiser: Denoiser, images: ImageSet) -> ImageSet:
        """Each image, reconstructed towards the next one, beside that one `(N, 2C, H, W)`."""
        targets = images.images.roll(-1, dims=0)
        parts = zip(torch.split(images.images, 1), images.identities, torch.split(targets, 1), strict=True)
        weight = self.settings.adaptation.guidance
        backs = [self.reconstruct(denoiser, image, identity, target, weight) for image, identity, target in parts]
        return ImageSet(torch.cat([torch.cat(backs), targets], dim=1), images.identities)


def squared_error(image: Tensor, reconstruction: Tensor) -> Tensor:
    """`(B, 1, H, W)`, mean over channels (AnoDDPM)."""
    return (image - reconstruction).square().mean(dim=1, keepdim=True)


def absolute_error(image: Tensor, reconstruction: Tensor) -> Tensor:
    """`(B, 1, H, W)`, mean over channels (DDAD, D_p)."""
    return (image - reconstruction).abs().mean(dim=1, keepdim=True)
