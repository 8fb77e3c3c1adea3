"""What a network is taught; how it is trained is `TrainingModule`'s."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from radar.seeds import StepClock

Forward = Callable[..., Any]
"""The pass of the network that is trained, compiled or not: of what, and to what, its objective knows."""


class Objective(Protocol):
    """A plain object: no module, so that nothing of it is trained or stored in a checkpoint."""

    training_mode: bool = (
        True  # False: the network trains as it scores, without dropout and with fixed batch statistics
    )
    compiles: bool = (
        False  # whether the pass may be compiled: CUDA graphs overwrite the result of an earlier pass of a step
    )
    frozen: Sequence[nn.Module] = ()  # what the objective asks beside the network; brought to the training device

    def training_loss(self, network: Forward, crops: Tensor, clock: StepClock) -> Tensor:
        """The scalar to descend on, of crops `(B, C, p, p)` of normals; random draws come from streams of `clock`."""
        ...

    def validation_losses(self, network: Forward, crops: Tensor, clock: StepClock) -> Mapping[str, Tensor]:
        """What is logged of held-out crops under the averaged weights, "validation_loss" among it, each a scalar or several to
        average; the same at every validation."""
        ...
