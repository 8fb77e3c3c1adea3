"""Pretrained features of normal images: PatchCore (Roth et al. 2022) and PaDiM (Defard et al. 2021)."""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from radar.config.schema import Config
from radar.methods.interface import Inputs, Normals, Recall
from radar.methods.peer import MapOne, PeerMethod, fitted_on, section, shares
from radar.networks.cost import parameter_count
from radar.networks.efficientnet import EfficientNetFeatures, locally_aware
from radar.progress import Report
from radar.seeds import generator


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


class EmbeddingMethod(PeerMethod):
    """A model of feature vectors at the positions of a pretrained network's maps."""

    def __init__(self, config: Config, recall: Recall, device: torch.device) -> None:
        super().__init__(config, recall)
        assert config.method.embedding is not None
        self.settings = config.method.embedding
        self.device = device

    @property
    def network_passes(self) -> int:
        return 1

    def own_parameters(self, image_channels: int) -> int:
        return parameter_count(self._network())

    def _network(self) -> EfficientNetFeatures:
        return EfficientNetFeatures(blocks=self.settings.blocks, side=self.settings.side)

    def inputs(self, normal: Normals) -> Inputs:
        return {**fitted_on(normal), "embedding": section(self.settings)}

    @abstractmethod
    def fit_vectors(self, vectors: list[Tensor], report: Report) -> MapOne:
        """Learn from the vectors `(h·w, F)` of every training normal; the result takes an image's vectors for the image."""

    def fit_one(self, normal: Normals, report: Report) -> MapOne:
        network = self._network().to(self.device)
        vectors, total = [], len(normal.train.identities)
        with torch.inference_mode():
            for index in range(total):
                report(index, total, f"Fitting ({self.name})")
                vectors.append(self._vectors(network, normal.train.images[index : index + 1])[0])
            distance = self.fit_vectors(vectors, report)

        def upsampled(image: Tensor, identity: str) -> Tensor:
            found, height, width = self._vectors(network, image)
            coarse = distance(found, identity).reshape(1, 1, height, width)
            return F.interpolate(coarse, size=image.shape[-2:], mode="bilinear").to(image.device)

        return upsampled

    def _vectors(self, network: EfficientNetFeatures, image: Tensor) -> tuple[Tensor, int, int]:
        maps = locally_aware(network(image))
        height, width = maps.shape[-2:]
        return maps[0].flatten(1).T.contiguous(), height, width


class PatchCoreMethod(EmbeddingMethod):
    """Distance to the nearest vector of a coreset of normal vectors."""

    def fit_vectors(self, vectors: list[Tensor], report: Report) -> MapOne:
        counts = shares(self.settings.fitting_vectors, len(vectors), self.config.seed)
        stream = generator("cpu", self.config.seed, "method", "vectors")
        drawn = torch.cat(
            [
                one[torch.randperm(len(one), generator=stream)[:count]]
                for one, count in zip(vectors, counts, strict=True)
            ]
        )
        bank = coreset(drawn, self.settings.bank, stream)
        return lambda found, _: torch.cdist(found, bank).amin(dim=1)


class PadimMethod(EmbeddingMethod):
    """Mahalanobis distance under a Gaussian of each position's own."""

    def fit_vectors(self, vectors: list[Tensor], report: Report) -> MapOne:
        stream = generator("cpu", self.config.seed, "method", "channels")
        channels = torch.randperm(vectors[0].shape[1], generator=stream)[: self.settings.dimensions]
        stack = torch.stack([one[:, channels] for one in vectors], dim=1)  # (h·w, N, D)
        mean = stack.mean(dim=1)
        precision = position_precisions(stack - mean[:, None], self.settings.regularisation)

        def distance(found: Tensor, identity: str) -> Tensor:
            deviation = found[:, channels] - mean
            squared: Tensor = torch.einsum("pi,pij,pj->p", deviation, precision, deviation)
            return squared.clamp(min=0).sqrt()

        return distance


def position_precisions(centred: Tensor, regularisation: float) -> Tensor:
    """Inverse covariances `(P, D, D)` of centred vectors `(P, N, D)`, `regularisation` added to the diagonal (Defard et al. 2021)."""
    identity = torch.eye(centred.shape[2], device=centred.device)
    covariance = centred.transpose(1, 2) @ centred / (centred.shape[1] - 1)
    precisions: Tensor = torch.linalg.inv(covariance + regularisation * identity)
    return precisions
