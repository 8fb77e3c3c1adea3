"""PaDiM: a Gaussian of pretrained features at every position (Defard et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from radar.config.fields import number, section
from radar.config.method_settings import ReductionConfig
from radar.methods.parts.embedding import EmbeddingConfig, EmbeddingMethod, FittedEmbedding
from radar.methods.parts.gaussian import Gaussian
from radar.networks.efficientnet import EfficientNetFeatures
from radar.scoring.reading import MapReading
from radar.seeds import generator


@dataclass
class PadimEmbeddingConfig(EmbeddingConfig):
    """Pretrained features, and how a density of them is fitted."""

    dimensions: int = number(minimum=1, maximum=65_536)  # channels kept, drawn by seed
    regularisation: float = number(minimum=1e-9, maximum=1e6)  # added to every covariance's diagonal


@dataclass
class PadimSettings:
    """Keys of `method=padim`."""

    reduction: ReductionConfig = section(ReductionConfig)
    embedding: PadimEmbeddingConfig = section(PadimEmbeddingConfig)


class FittedPadim(FittedEmbedding):
    """Mahalanobis distance under a Gaussian of each position's own."""

    kept: Tensor  # (D,) channels of the network

    def __init__(
        self, reading: MapReading, network: EfficientNetFeatures, settings: EmbeddingConfig, channels: str
    ) -> None:
        super().__init__(reading, network, settings, channels)
        self.register_buffer("kept", torch.zeros(0, dtype=torch.long))
        self.densities = Gaussian.empty()  # one for each of h·w positions

    def distance(self, features: Tensor) -> Tensor:
        vectors = features[:, self.kept].flatten(2).permute(2, 1, 0).double()  # (h·w, D, N)
        distances = self.densities.squared(vectors).sqrt()
        return distances.T.reshape(features.shape[0], *features.shape[-2:])


class PadimMethod(EmbeddingMethod[PadimSettings, FittedPadim]):
    """What is normal at a position, whatever is normal elsewhere."""

    name = "padim"
    version = 2
    Settings = PadimSettings

    def module(self, network: EfficientNetFeatures) -> FittedPadim:
        return FittedPadim(self.reading, network, self.settings.embedding, self.config.dataset.image.channels)

    def learn(self, fitted: FittedPadim, features: Iterator[Tensor], count: int) -> None:
        settings = self.settings.embedding
        stream = generator("cpu", self.config.seed, "method", "channels")
        kept = torch.randperm(fitted.network.channels, generator=stream)[: settings.dimensions]
        fitted.kept = kept.to(fitted.device)
        vectors = torch.stack([each[0, fitted.kept].flatten(1) for each in features], dim=-1)  # (D, h·w, N)
        fitted.densities = position_densities(vectors.transpose(0, 1), settings.regularisation)


def position_densities(vectors: Tensor, regularisation: float) -> Gaussian:
    """Of vectors `(P, D, N)` a density at each of P positions, `regularisation` added to every variance (Defard et al. 2021)."""
    identity = torch.eye(vectors.shape[1], dtype=torch.float64, device=vectors.device)
    covariances = torch.stack([torch.cov(each.double()) for each in vectors]) + regularisation * identity
    return Gaussian.of_covariance(vectors.mean(dim=2, dtype=torch.float64), covariances)
