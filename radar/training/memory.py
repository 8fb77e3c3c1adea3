"""What a training takes of memory: known before its first step, from one crop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from radar.config.schema import PatchConfig, TrainingConfig
from radar.memory import require
from radar.training.module import TrainingModule

Network = TypeVar("Network", bound=nn.Module)
_COPIES = 5  # of every weight: itself, its gradient, AdamW's two moments, its average
ADVICE = "lower training.batch_size, patch.size or the network's channels"


def built_within_memory(build: Callable[[], Network], device: torch.device) -> Network:
    """The network that `build` makes, where all that training keeps of its weights finds room. Raises `ConfigError`."""
    with torch.device("meta"):  # shapes without memory
        weights = sum(parameter.numel() * parameter.element_size() for parameter in build().parameters())
    require(_COPIES * weights, device, "the network's channels", "give it fewer or narrower levels")
    return build()


def check_step(learner: TrainingModule[Any], crop: Tensor, patch: PatchConfig, training: TrainingConfig) -> None:
    """Raise `ConfigError` where a step on `training.batch_size` crops would not find room, given one crop `(1, C, p, p)`.

    What the backward pass keeps is counted in one forward pass, in evaluation mode, so that the network stays as it is.
    """
    kept: dict[int, torch.UntypedStorage] = {}  # held, so that no two have one place

    def count(tensor: Tensor) -> None:
        # the tensor itself would be held by the graph that made it, for ever
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()

    network, device = learner.network, crop.device
    for frozen in learner.objective.frozen:
        frozen.to(device)
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    network.eval()
    precision = learner.trainer_config.precision
    kind = torch.float16 if precision == "16-mixed" else torch.bfloat16
    autocast = torch.autocast(device.type, kind, enabled=precision.endswith("mixed"))
    try:
        with autocast, torch.autograd.graph.saved_tensors_hooks(count, _unasked):
            learner.objective.training_loss(network.forward, crop, learner.clock(0))
    finally:
        learner.train()
    activations = sum(storage.nbytes() for place, storage in kept.items() if place not in own)
    require(activations * training.batch_size, device, step_key(patch, training), ADVICE)


def _unasked(kept: None) -> Tensor:
    raise RuntimeError("the backward pass is not taken")


def step_key(patch: PatchConfig, training: TrainingConfig) -> str:
    """What a step's memory grows with, as a user writes it."""
    return f"training.batch_size={training.batch_size}, patch.size={patch.size}"
