"""Deviation of a DDIM-inverted image from the prior, after InvAD (arXiv 2504.05662)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from radar.diffusion.sampling import invert
from radar.methods.denoiser import DenoiserMethod
from radar.methods.interface import Inputs, Normals
from radar.methods.peer import MapOne, section
from radar.progress import Report


class InversionMethod(DenoiserMethod):
    """How far the mean energy of the latent inside a window is from that of the prior N(0, 1), which is 1."""

    @property
    def network_passes(self) -> int:
        assert self.config.method.inversion is not None
        return len(self.config.method.inversion.timesteps)

    def inputs(self, normal: Normals) -> Inputs:
        return {**self.network_inputs(), "inversion": section(self.config.method.inversion)}

    def fit_one(self, normal: Normals, report: Report) -> MapOne:
        settings = self.config.method.inversion
        assert settings is not None
        denoiser = self.denoiser(normal, report)

        def deviation(image: Tensor, identity: str) -> Tensor:
            latent = invert(
                image.to(denoiser.device), denoiser.predict, schedule=denoiser.schedule, timesteps=settings.timesteps
            )
            return prior_deviation(latent, settings.window).to(image.device)

        return deviation


def prior_deviation(latent: Tensor, window: int) -> Tensor:
    """|mean of z² in the window − 1| `(B, 1, H, W)` of latents z `(B, C, H, W)`; about 0 where z is white and of variance 1."""
    energy = latent.square().mean(dim=1, keepdim=True)
    padded = F.pad(energy, [window // 2] * 4, mode="reflect")
    return (F.avg_pool2d(padded, window, stride=1) - 1).abs()
