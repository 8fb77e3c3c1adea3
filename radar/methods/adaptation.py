"""DDAD's domain adaptation: features are fine-tuned until they no longer see what tells a reconstruction from a normal image.

Mousakhan et al. 2023 (arXiv 2305.15956), on domain adaptation.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.seeds import StepClock
from radar.training.objective import Forward, Objective


def level_distance(first: list[Tensor], second: list[Tensor]) -> Tensor:
    """Cosine distance of feature maps `(B, F, h, w)`, mean over images and positions, summed over levels; a scalar."""
    return torch.stack(
        [(1 - F.cosine_similarity(one, other, dim=1)).mean() for one, other in zip(first, second, strict=True)]
    ).sum()


def adaptation_loss(
    features: Forward, frozen: nn.Module, pair: tuple[Tensor, Tensor], distillation: float
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


class AdaptationObjective(Objective):
    """Fine-tunes feature maps on pairs: reconstructions and targets as the channels `(B, 2C, H, W)` of one image."""

    training_mode = False  # statistics of batches stay those that the features were trained with

    def __init__(self, frozen: nn.Module, *, distillation: float) -> None:
        self.frozen = (frozen,)
        self.distillation = distillation

    def _losses(self, network: Forward, pairs: Tensor) -> tuple[Tensor, Tensor]:
        back, target = pairs.chunk(2, dim=1)
        return adaptation_loss(network, self.frozen[0], (back, target), self.distillation)

    def training_loss(self, network: Forward, crops: Tensor, clock: StepClock) -> Tensor:
        return self._losses(network, crops)[0]

    def validation_losses(self, network: Forward, crops: Tensor, clock: StepClock) -> dict[str, Tensor]:
        loss, similarity = self._losses(network, crops)
        return {"validation_loss": loss, "validation_similarity": similarity}
