"""Reconstruction by diffusion: DDPM and AnoDDPM (Wyatt et al. 2022), and DDAD's conditioned DDIM (arXiv 2305.15956)."""

from __future__ import annotations

import torch
from torch import Tensor

from radar.config import Config
from radar.diffusion.sampling import guided, reverse
from radar.diffusion.unet import parameter_count
from radar.methods.denoiser import Denoiser, DenoiserMethod
from radar.methods.feature_maps import FeatureMaps, feature_distance, feature_maps, pretrained_maps
from radar.methods.interface import Inputs, Normals, Recall
from radar.methods.peer import MapOne, section
from radar.methods.radar import Train
from radar.progress import Report

_START = 0  # number of the draw that noises the image; those on the way back follow
_REVISION = 2  # of the feature distance; raised when it comes out otherwise


class ReconstructionMethod(DenoiserMethod):
    """Distance between an image and what the reverse process makes of its noised self."""

    def __init__(self, config: Config, recall: Recall, train: Train, identity: Inputs) -> None:
        super().__init__(config, recall, train, identity)
        assert config.method.reconstruction is not None
        self.settings = config.method.reconstruction

    @property
    def network_passes(self) -> int:
        return self.settings.steps + (0 if self.settings.features == "none" else 2)  # features of both images

    def own_parameters(self, image_channels: int) -> int:
        return parameter_count(pretrained_maps()) if self.settings.features == "efficientnet" else 0

    def inputs(self, normal: Normals) -> Inputs:
        inputs = {**self.network_inputs(), "reconstruction": section(self.settings)}
        if self.settings.features != "none":
            inputs["feature_distance"] = _REVISION
            inputs["calibrated_on"] = list(self._calibration(normal)[1])
        return inputs

    def _calibration(self, normal: Normals) -> tuple[Tensor, list[str]]:
        """The training normals that put both distances on one scale; held-out ones set the threshold."""
        count = self.settings.calibration_images
        return normal.train.images[:count], list(normal.train.identities[:count])

    def fit_one(self, normal: Normals, report: Report) -> MapOne:
        denoiser = self.denoiser(normal, report)
        if self.settings.features == "none":
            return lambda image, identity: squared_error(image, self.reconstruct(denoiser, image, identity))
        features = feature_maps(self.settings.features, denoiser)
        images, identities = self._calibration(normal)
        ratio = self._ratio(denoiser, features, images, identities)

        def combined(image: Tensor, identity: str) -> Tensor:
            back = self.reconstruct(denoiser, image, identity)
            return ratio * absolute_error(image, back) + feature_distance(features, image, back)

        return combined

    def _ratio(self, denoiser: Denoiser, features: FeatureMaps, images: Tensor, identities: list[str]) -> float:
        """v · max D_f / max D_p, with the maxima of training normals: those of the scored batch would tie its images together."""
        largest_pixel = largest_feature = 0.0
        with torch.inference_mode():
            for index, identity in enumerate(identities):
                image = images[index : index + 1]
                back = self.reconstruct(denoiser, image, identity)
                largest_pixel = max(largest_pixel, absolute_error(image, back).max().item())
                distance = feature_distance(features, image, back)
                largest_feature = max(largest_feature, distance.max().item())
        return self.settings.pixel_weight * largest_feature / max(largest_pixel, torch.finfo(torch.float32).tiny)

    def reconstruct(self, denoiser: Denoiser, image: Tensor, identity: str) -> Tensor:
        """x̂₀ `(1, C, H, W)` in [−1, 1], on the device of the image."""
        settings, schedule = self.settings, denoiser.schedule
        clean = image.to(denoiser.device)
        noisy = denoiser.noised(clean, denoiser.draw(clean, identity, _START), settings.start)
        back = reverse(
            noisy,
            guided(denoiser.predict, clean, schedule=schedule, weight=settings.guidance),
            lambda number: denoiser.draw(clean, identity, _START + 1 + number),
            schedule=schedule,
            start=settings.start,
            steps=settings.steps,
            eta=settings.eta,
        )
        return back.clamp(-1, 1).to(image.device)


def squared_error(image: Tensor, reconstruction: Tensor) -> Tensor:
    """`(B, 1, H, W)`, mean over channels (AnoDDPM)."""
    return (image - reconstruction).square().mean(dim=1, keepdim=True)


def absolute_error(image: Tensor, reconstruction: Tensor) -> Tensor:
    """`(B, 1, H, W)`, mean over channels (DDAD, D_p)."""
    return (image - reconstruction).abs().mean(dim=1, keepdim=True)
