"""A Gaussian density of the one-step residual field, after OSD-IRF (arXiv 2604.18393)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.covariance import LedoitWolf
from torch import Tensor

from radar.methods.denoiser import Denoiser, DenoiserMethod
from radar.methods.interface import Inputs, Normals
from radar.methods.peer import MapOne, fitted_on, section_but, shares
from radar.progress import Report
from radar.seeds import generator

_DRAW = 0


class ResidualFieldMethod(DenoiserMethod):
    """Mahalanobis distance of every position's residuals ε̂ − ε at one timestep under one Gaussian of normal positions."""

    margin = 0  # positions this near the border lie outside the image; no vector of theirs is learnt

    @property
    def network_passes(self) -> int:
        return 1

    @property
    def timestep(self) -> int:
        """Where the residuals are taken."""
        assert self.config.method.residual_field is not None
        own = self.config.method.residual_field.timestep
        return self.config.timestep.value if own is None else own

    def inputs(self, normal: Normals) -> Inputs:
        return {
            **self.network_inputs(),
            **fitted_on(normal),
            "timestep": self.timestep,
            "residual_field": section_but(self.config.method.residual_field, "timestep"),
        }

    def fit_one(self, normal: Normals, report: Report) -> MapOne:
        settings = self.config.method.residual_field
        assert settings is not None
        denoiser = self.denoiser(normal, report)
        vectors = self._normal_vectors(denoiser, normal, report)
        density = LedoitWolf().fit(vectors)
        mean, precision = torch.from_numpy(density.location_), torch.from_numpy(density.precision_)

        def distance(image: Tensor, identity: str) -> Tensor:
            deviation = neighbourhoods(self.residual(denoiser, image, identity), settings.neighbourhood) - mean
            squared = ((deviation @ precision) * deviation).sum(dim=1).clamp(min=0)
            return squared.sqrt().reshape(1, 1, *image.shape[-2:])

        return distance

    def residual(self, denoiser: Denoiser, image: Tensor, identity: str) -> Tensor:
        """ε̂ − ε `(1, C, H, W)` on the host, for the image's own draw."""
        timestep = self.timestep
        clean = image.to(denoiser.device)
        noise = denoiser.draw(clean, identity, _DRAW)
        return (denoiser.predict(denoiser.noised(clean, noise, timestep), timestep) - noise).cpu()

    def _normal_vectors(
        self, denoiser: Denoiser, normal: Normals, report: Report
    ) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """Vectors `(M, C·k²)` at positions of training normals, drawn by the seed."""
        settings, images = self.config.method.residual_field, normal.train
        assert settings is not None
        total, parts = len(images.identities), []
        counts = shares(settings.fitting_positions, total, self.config.seed)
        with torch.inference_mode():
            for index, (identity, count) in enumerate(zip(images.identities, counts, strict=True)):
                if count == 0:
                    continue
                report(index, total, f"Fitting ({self.name})")
                field = self.residual(denoiser, images.images[index : index + 1], identity)
                vectors = self._inside(neighbourhoods(field, settings.neighbourhood), *field.shape[-2:])
                stream = generator("cpu", self.config.seed, "method", identity)
                parts.append(vectors[torch.randperm(len(vectors), generator=stream)[:count]])
        return torch.cat(parts).numpy()

    def _inside(self, vectors: Tensor, height: int, width: int) -> Tensor:
        """Vectors `(height·width, F)` without those of the margin."""
        margin = self.margin
        grid = vectors.reshape(height, width, -1)[margin : height - margin, margin : width - margin]
        return grid.flatten(0, 1)


def neighbourhoods(field: Tensor, side: int) -> Tensor:
    """A field `(1, C, H, W)` → the `side` × `side` square around every position as a vector, `(H·W, C·side²)` float64."""
    padded = F.pad(field, [side // 2] * 4, mode="reflect")
    return F.unfold(padded, side)[0].T.double()
