"""DDAD's domain adaptation: features are fine-tuned until they no longer see what tells a reconstruction from a normal image.

Mousakhan et al. 2023 (arXiv 2305.15956), on domain adaptation.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.training.module import DiffusionModule


def level_distance(first: list[Tensor], second: list[Tensor]) -> Tensor:
    """Cosine distance of feature maps `(B, F, h, w)`, mean over images and positions, summed over levels; a scalar."""
    return torch.stack(
        [(1 - F.cosine_similarity(one, other, dim=1)).mean() for one, other in zip(first, second, strict=True)]
    ).sum()


def adaptation_loss(
    features: nn.Module, frozen: nn.Module, pair: tuple[Tensor, Tensor], distillation: float
) -> tuple[Tensor, Tensor]:
    """L_similarity + λ · L_distillation of reconstructions and their targets `(B, C, H, W)`, and L_similarity alone.

    The first brings the features of both together; the second, with λ = `distillation`, holds each near what it was.
    """
    adapted = [features(images) for images in pair]
    with torch.no_grad():
        before = [frozen(images) for images in pair]
    similarity = level_distance(*adapted)
    moved = torch.stack([level_distance(now, then) for now, then in zip(adapted, before, strict=True)]).sum()
    return similarity + distillation * moved, similarity


class AdaptationModule(DiffusionModule):
    """Fine-tunes feature maps on pairs: reconstructions and targets as the channels `(B, 2C, H, W)` of one image."""

    def __init__(
        self, network: nn.Module, *arguments: Any, frozen: nn.Module, distillation: float, **keys: Any
    ) -> None:
        super().__init__(network, *arguments, **keys)
        self._frozen = (frozen,)  # hidden from the module's parameters: it is not trained, and not stored here
        self.distillation = distillation

    def train(self, mode: bool = True) -> AdaptationModule:
        """Leave the network as it scores: statistics of batches stay those that it was trained with."""
        super().train(mode)
        self.unet.eval()
        return self

    def _losses(self, network: nn.Module, pairs: Tensor) -> tuple[Tensor, Tensor]:
        back, target = pairs.chunk(2, dim=1)
        return adaptation_loss(network, self._frozen[0].to(pairs.device), (back, target), self.distillation)

    def training_step(self, patches: Tensor, batch_index: int) -> Tensor:
        loss, _ = self._losses(self.unet, patches)
        self._loss_sum += loss.detach()
        return loss

    def validation_step(self, patches: Tensor, batch_index: int) -> None:
        loss, similarity = self._losses(self.average, patches)
        for name, value in (("validation_loss", loss), ("validation_similarity", similarity)):
            self.log(name, value, batch_size=len(patches), sync_dist=True)
