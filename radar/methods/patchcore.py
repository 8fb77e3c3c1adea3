"""PatchCore: distance to the nearest of a coreset of normal feature vectors (Roth et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from radar.config.fields import number, section
from radar.config.method_settings import ReductionConfig
from radar.methods.parts.embedding import EmbeddingConfig, EmbeddingMethod, FittedEmbedding
from radar.methods.parts.reduced import shares
from radar.networks.efficientnet import EfficientNetFeatures
from radar.scoring.reading import MapReading
from radar.seeds import generator


@dataclass
class PatchCoreEmbeddingConfig(EmbeddingConfig):
    """Pretrained features, and how many vectors of them are kept."""

    fitting_vectors: int = number(minimum=2)  # most vectors that the coreset is chosen from, drawn by seed
    bank: int = number(minimum=1)  # vectors kept


@dataclass
class PatchCoreSettings:
    """Keys of `method=patchcore`."""

    reduction: ReductionConfig = section(ReductionConfig)
    embedding: PatchCoreEmbeddingConfig = section(PatchCoreEmbeddingConfig)


class FittedPatchCore(FittedEmbedding):
    """Distance to the nearest vector of a bank of normal ones."""

    bank: Tensor  # (K, F)

    def __init__(self, reading: MapReading, network: EfficientNetFeatures, channels: int) -> None:
        super().__init__(reading, network, channels)
        self.register_buffer("bank", torch.zeros(0, network.channels))

    def distance(self, features: Tensor) -> Tensor:
        nearest = [torch.cdist(_vectors(each), self.bank).amin(dim=1) for each in features]
        return torch.stack(nearest).reshape(len(features), 1, *features.shape[-2:])


class PatchCoreMethod(EmbeddingMethod[PatchCoreSettings, FittedPatchCore]):
    """A bank of normal vectors, chosen to leave no other far from all of them."""

    name = "patchcore"
    Settings = PatchCoreSettings

    def module(self, network: EfficientNetFeatures, channels: int) -> FittedPatchCore:
        return FittedPatchCore(self.reading, network, channels)

    def learn(self, fitted: FittedPatchCore, features: Iterator[Tensor], count: int) -> None:
        settings, seed = self.settings.embedding, self.config.seed
        stream = generator("cpu", seed, "method", "vectors")
        drawn = []
        for each, share in zip(features, shares(settings.fitting_vectors, count, seed), strict=True):
            vectors = _vectors(each[0])
            drawn.append(vectors[torch.randperm(len(vectors), generator=stream)[:share]])
        fitted.bank = coreset(torch.cat(drawn), settings.bank, stream)


def _vectors(features: Tensor) -> Tensor:
    """Features `(F, h, w)` → vectors `(h·w, F)`."""
    return features.flatten(1).T.contiguous()


def coreset(vectors: Tensor, count: int, stream: torch.Generator) -> Tensor:
    """`count` of the vectors `(M, F)` by greedy k-centre: each is the farthest from those before it (Roth et al. 2022, alg. 1)."""
    if len(vectors) <= count:
        return vectors
    chosen = [int(torch.randint(len(vectors), (1,), generator=stream))]
    nearest = torch.full((len(vectors),), torch.inf, device=vectors.device)
    while len(chosen) < count:
        nearest = torch.minimum(nearest, (vectors - vectors[chosen[-1]]).square().sum(dim=1))
        chosen.append(int(nearest.argmax()))
    return vectors[chosen]
