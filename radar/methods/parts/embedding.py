"""Models of pretrained feature vectors at the positions of an image (PatchCore, PaDiM)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
import torch.nn.functional as F
from omegaconf import MISSING
from torch import Tensor

from radar.config.fields import number
from radar.files import Plain
from radar.methods.method import FittedMethod, Networks, Normals, Structure, channels_of
from radar.methods.parts.pretrained import block_problems, extra_problems
from radar.methods.parts.reduced import HasReduction, ReducedMethod
from radar.networks.efficientnet import EfficientNetFeatures, locally_aware
from radar.progress import Report
from radar.scoring.reading import MapReading
from radar.training.device import resolve_device


@dataclass
class EmbeddingConfig:
    """Pretrained features; needs the extra `pretrained`."""

    side: int = number(minimum=32)  # px that images are resized to
    blocks: list[int] = MISSING  # EfficientNet-Lite0 blocks whose outputs are concatenated


class HasEmbedding(HasReduction, Protocol):
    """Settings with a section `embedding`."""

    @property
    def embedding(self) -> EmbeddingConfig: ...


class FittedEmbedding(FittedMethod):
    """How far the feature vector at every position is from normal ones, on the image."""

    network_passes = 1

    def __init__(self, reading: MapReading, network: EfficientNetFeatures, channels: int) -> None:
        super().__init__(reading)
        self.network = network
        self.channels = channels

    def structure(self) -> dict[str, Plain]:
        return {"channels": self.channels}

    def respond(self, images: Tensor, noise: Tensor | None) -> Tensor:
        coarse = self.distance(self.features(images))
        return F.interpolate(coarse, size=images.shape[-2:], mode="bilinear").float()

    def features(self, images: Tensor) -> Tensor:
        """Feature vectors `(N, F, h, w)` of images `(N, P, H, W)`."""
        return locally_aware(self.network(images[:, : self.channels]))

    @abstractmethod
    def distance(self, features: Tensor) -> Tensor:
        """Of features `(N, F, h, w)`: `(N, 1, h, w)` ≥ 0."""


EmbeddingSettings = TypeVar("EmbeddingSettings", bound=HasEmbedding)
Fitted = TypeVar("Fitted", bound=FittedEmbedding)


class EmbeddingMethod(ReducedMethod[EmbeddingSettings], Generic[EmbeddingSettings, Fitted]):
    """A method that trains no network: its model of vectors is fitted to those of all training normals."""

    @abstractmethod
    def module(self, network: EfficientNetFeatures, channels: int) -> Fitted:
        """The fitted method's module, without its model."""

    @abstractmethod
    def learn(self, fitted: Fitted, features: Iterator[Tensor], count: int) -> None:
        """Fit the model to the features `(1, F, h, w)` of each of `count` training normals."""

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        embedding = self.settings.embedding
        yield from block_problems("method.embedding", embedding.blocks, embedding.side)
        yield from extra_problems(self.name)

    @torch.inference_mode()
    def fit(self, normals: Normals, networks: Networks, report: Report) -> FittedMethod:
        images = normals.train
        fitted = self._of(images.network_planes.shape[1], pretrained=True).to(resolve_device(self.config.trainer))

        def features() -> Iterator[Tensor]:
            for index in range(len(images)):
                report(index, len(images), f"Fitting ({self.name})")
                yield fitted.features(images.planes[index : index + 1])

        self.learn(fitted, features(), len(images))
        return fitted

    def empty(self, structure: Structure) -> FittedMethod:
        return self._of(channels_of(structure), pretrained=False)

    def _of(self, channels: int, *, pretrained: bool) -> Fitted:
        blocks, side = self.settings.embedding.blocks, self.settings.embedding.side
        return self.module(EfficientNetFeatures(blocks=blocks, side=side, pretrained=pretrained), channels)
