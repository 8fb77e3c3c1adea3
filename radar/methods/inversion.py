"""The likelihood of a DDIM-inverted image under the prior, after InvAD (arXiv 2504.05662)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from radar.diffusion.sampling import invert
from radar.methods.denoiser import DenoiserMethod
from radar.methods.interface import Inputs, Normals
from radar.methods.peer import MapOne, section
from radar.progress import Report


class InversionMethod(DenoiserMethod):
    """The latent under the prior N(0, 1): its mean energy inside a window, or how far that is from the prior's, which is 1."""

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

        def score(image: Tensor, identity: str) -> Tensor:
            latent = invert(
                image.to(denoiser.device), denoiser.predict, schedule=denoiser.schedule, timesteps=settings.timesteps
            )
            energy = latent_energy(latent, settings.window).to(image.device)
            return (energy - 1).abs() if settings.score == "deviation" else energy

        return score


def latent_energy(latent: Tensor, window: int) -> Tensor:
    """Mean of z² in the window `(B, 1, H, W)` of latents z `(B, C, H, W)`: twice the negative log likelihood of a coordinate, but
    for a constant; about 1 where z is white and of variance 1."""
    energy = latent.square().mean(dim=1, keepdim=True)
    return F.avg_pool2d(F.pad(energy, [window // 2] * 4, mode="reflect"), window, stride=1)
