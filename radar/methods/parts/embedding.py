"""Models of pretrained feature vectors at the positions of an image (PatchCore, PaDiM)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.config.fields import number, numbers
from radar.config.schema import BorderConfig
from radar.data.preprocessing import rgb
from radar.methods.method import FittedMethod, Networks, Normals, Structure
from radar.methods.parts.pretrained import FEATURES, block_problems
from radar.methods.parts.reduced import HasReduction, ReducedMethod
from radar.networks.efficientnet import STRIDES, EfficientNetFeatures
from radar.progress import Report
from radar.scoring.border import Border
from radar.scoring.reading import MapReading
from radar.training.device import resolve_device


@dataclass
class EmbeddingConfig:
    """Pretrained features; needs the extra `pretrained`."""

    side: int = number(minimum=32, maximum=16_384)  # px that images are resized to
    margin: int = number(minimum=0, maximum=16_384)  # px by which they are mirrored beyond each border
    trim: int = number(
        minimum=0, maximum=16_384
    )  # outermost positions per side that are left out; the map there goes on as further inside
    rings: int = number(
        minimum=0, maximum=16_384
    )  # of positions inside those that are brought to the interior's scale, as held-out normals tell
    blocks: list[int] = numbers(minimum=0, maximum=63)  # EfficientNet-Lite0 blocks whose outputs are concatenated


class HasEmbedding(HasReduction, Protocol):
    """Settings with a section `embedding`."""

    @property
    def embedding(self) -> EmbeddingConfig: ...


class FittedEmbedding(FittedMethod):
    """How far the feature vector at every position is from normal ones, on the image."""

    network_passes = 1

    def __init__(
        self, reading: MapReading, network: EfficientNetFeatures, settings: EmbeddingConfig, channels: str
    ) -> None:
        """`channels` is how images were read."""
        super().__init__(reading)
        self.network = network
        self.trim = settings.trim
        self.rings = Border(BorderConfig("standardised" if settings.rings else "none", settings.rings))
        self.channels = channels

    def respond(self, images: Tensor, noise: Tensor | None) -> Tensor:
        evened = self.rings.evened(self.distance(self.features(images)))[:, None]
        whole = F.pad(evened, [self.trim] * 4, mode="replicate")
        return F.interpolate(whole, size=images.shape[-2:], mode="bilinear").float()

    def features(self, images: Tensor) -> Tensor:
        """Feature vectors `(N, F, h, w)` of images `(N, P, H, W)`, without the outermost positions."""
        joined = self.network.joined(rgb(images, self.channels))
        last = self.network.positions - self.trim
        return joined[..., self.trim : last, self.trim : last]

    @abstractmethod
    def distance(self, features: Tensor) -> Tensor:
        """Of features `(N, F, h, w)`: `(N, h, w)` ≥ 0."""


EmbeddingSettings = TypeVar("EmbeddingSettings", bound=HasEmbedding)
Fitted = TypeVar("Fitted", bound=FittedEmbedding)


class EmbeddingMethod(ReducedMethod[EmbeddingSettings], Generic[EmbeddingSettings, Fitted]):
    """A method that trains no network: its model of vectors is fitted to those of all training normals."""

    @abstractmethod
    def module(self, network: EfficientNetFeatures) -> Fitted:
        """The fitted method's module, without its model."""

    @abstractmethod
    def learn(self, fitted: Fitted, features: Iterator[Tensor], count: int) -> None:
        """Fit the model to the features `(1, F, h, w)` of each of `count` training normals."""

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        embedding, key = self.settings.embedding, "method.embedding"
        of_blocks = list(block_problems(key, embedding.blocks, embedding.side))
        yield from of_blocks or _border_problems(key, embedding)

    @property
    def pretrained(self) -> Mapping[str, Callable[[], nn.Module]]:
        return {FEATURES: partial(self._network, pretrained=True)}

    @property
    def scales_by_held_out(self) -> bool:
        return super().scales_by_held_out or self.settings.embedding.rings > 0

    @torch.inference_mode()
    def fit(self, normals: Normals, networks: Networks, report: Report) -> FittedMethod:
        images = normals.train
        fitted = self.module(cast(EfficientNetFeatures, networks[FEATURES])).to(resolve_device(self.config.trainer))

        def features() -> Iterator[Tensor]:
            for index in range(len(images)):
                report(index, len(images), f"Fitting ({self.name})")
                yield fitted.features(images.planes[index][None])

        self.learn(fitted, features(), len(images))
        if fitted.rings.rings:
            held_out = normals.validation.planes
            fitted.rings.learn(fitted.distance(fitted.features(image[None])) for image in held_out)
        return fitted

    def empty(self, structure: Structure) -> FittedMethod:
        return self.module(self._network(pretrained=False))

    def _network(self, *, pretrained: bool) -> EfficientNetFeatures:
        own = self.settings.embedding
        return EfficientNetFeatures(blocks=own.blocks, side=own.side, margin=own.margin, pretrained=pretrained)


def _border_problems(key: str, embedding: EmbeddingConfig) -> Iterator[str]:
    positions = embedding.side // STRIDES[min(embedding.blocks)]
    if embedding.margin % STRIDES[-1] or embedding.margin >= embedding.side:
        yield f"{key}.margin={embedding.margin}: must be a multiple of {STRIDES[-1]} px below {key}.side={embedding.side}"
    outer = embedding.trim + embedding.rings
    if 2 * outer >= positions:
        yield f"{key}.trim={embedding.trim}, {key}.rings={embedding.rings}: leave none of {positions} positions per side"
