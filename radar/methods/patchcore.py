"""PatchCore: distance to the nearest of a coreset of normal feature vectors (Roth et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from radar.config.fields import number, section
from radar.config.method_settings import ReductionConfig
from radar.methods.parts.coreset import coreset, nearest_distance, vectors_of
from radar.methods.parts.embedding import EmbeddingConfig, EmbeddingMethod, FittedEmbedding
from radar.methods.parts.reduced import shares
from radar.networks.efficientnet import EfficientNetFeatures
from radar.scoring.reading import MapReading
from radar.seeds import generator


@dataclass
class PatchCoreEmbeddingConfig(EmbeddingConfig):
    """Pretrained features, and how many vectors of them are kept."""

    fitting_vectors: int = number(
        minimum=2, maximum=100_000_000
    )  # most vectors that the coreset is chosen from, drawn by seed
    bank: int = number(minimum=1, maximum=10_000_000)  # vectors kept


@dataclass
class PatchCoreSettings:
    """Keys of `method=patchcore`."""

    reduction: ReductionConfig = section(ReductionConfig)
    embedding: PatchCoreEmbeddingConfig = section(PatchCoreEmbeddingConfig)


class FittedPatchCore(FittedEmbedding):
    """Distance to the nearest vector of a bank of normal ones."""

    bank: Tensor  # (K, F)

    def __init__(
        self, reading: MapReading, network: EfficientNetFeatures, settings: EmbeddingConfig, channels: str
    ) -> None:
        super().__init__(reading, network, settings, channels)
        self.register_buffer("bank", torch.zeros(0, network.channels))

    def distance(self, features: Tensor) -> Tensor:
        distances = [nearest_distance(vectors_of(each), self.bank) for each in features]
        return torch.stack(distances).reshape(len(features), *features.shape[-2:])


class PatchCoreMethod(EmbeddingMethod[PatchCoreSettings, FittedPatchCore]):
    """A bank of normal vectors, chosen to leave no other far from all of them."""

    name = "patchcore"
    version = 2
    Settings = PatchCoreSettings

    def module(self, network: EfficientNetFeatures) -> FittedPatchCore:
        return FittedPatchCore(self.reading, network, self.settings.embedding, self.config.dataset.image.channels)

    def learn(self, fitted: FittedPatchCore, features: Iterator[Tensor], count: int) -> None:
        settings, seed = self.settings.embedding, self.config.seed
        stream = generator("cpu", seed, "method", "vectors")
        drawn = []
        for each, share in zip(features, shares(settings.fitting_vectors, count, seed), strict=True):
            vectors = vectors_of(each[0])
            drawn.append(vectors[torch.randperm(len(vectors), generator=stream)[:share]])
        vectors = torch.cat(drawn)
        first = int(torch.randint(len(vectors), (1,), generator=stream))
        fitted.bank = vectors[coreset(vectors, settings.bank, first)]
