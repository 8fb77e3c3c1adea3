"""Networks without training: their initial weights, drawn where training would start at zero or where weights are pretrained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn

from radar.seeds import stream_seed

Network = TypeVar("Network", bound=nn.Module)


def awake(network: Network, seed: int, name: str) -> Network:
    """`network`, whose layers that are zero get weights: before training, they would have it answer nothing at all.

    All others keep theirs, to the bit. The draws are those of (seed, name); the global generator is left as it was.
    """
    asleep = [layer for layer in _layers(network) if not _weight(layer).any()]
    return _drawn(network, asleep, seed, name)


def drawn_anew(network: Network, seed: int, name: str) -> Network:
    """`network` with weights of (seed, name) in place of all it has, as each of its layers draws its first ones."""
    return _drawn(network, list(_layers(network)), seed, name)


def _drawn(network: Network, layers: Iterable[nn.Module], seed: int, name: str) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "untrained", name))
        for layer in layers:
            layer.reset_parameters()  # type: ignore[operator]  # a layer with weights has it
    return network


def _layers(network: nn.Module) -> Iterable[nn.Module]:
    return (
        layer
        for layer in network.modules()
        if hasattr(layer, "reset_parameters") and isinstance(_weight(layer), Tensor)
    )


def _weight(layer: nn.Module) -> Tensor:
    weight: Tensor = getattr(layer, "weight", None)  # type: ignore[assignment]  # None where it has none
    return weight
