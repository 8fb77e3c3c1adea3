"""The networks that a method is handed, by name: trained and pretrained ones, or as they are before training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from radar.methods.method import Method, Training
from radar.networks.untrained import awake, drawn_anew


class LazyNetworks(Mapping[str, nn.Module]):
    """Each is made when it is first asked for, with its weights frozen, and lies on `device`."""

    def __init__(self, makers: Mapping[str, Callable[[], nn.Module]], device: torch.device) -> None:
        self._makers = makers
        self._device = device
        self._made: dict[str, nn.Module] = {}

    def __getitem__(self, name: str) -> nn.Module:
        if name not in self._made:
            self._made[name] = self._makers[name]().to(self._device).eval().requires_grad_(False)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def untrained_networks(method: Method[Any], trainings: Sequence[Training], device: torch.device) -> LazyNetworks:
    """All of a method's networks with their initial weights; what is pretrained has drawn ones in place of its own."""
    builds, pretrained, seed = {each.name: each.build for each in trainings}, method.pretrained, method.config.seed

    def make(name: str) -> nn.Module:
        if name in builds:
            return awake(builds[name](networks), seed, name)
        return drawn_anew(pretrained[name](), seed, name)

    networks = LazyNetworks({name: partial(make, name) for name in (*builds, *pretrained)}, device)
    return networks
