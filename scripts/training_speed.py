"""Patches per second of the compared networks, in our training loop and in the plain one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from radar.config.schema import Config
from radar.networks.build import build_unet
from radar.networks.cost import forward_flops, parameter_count
from radar.rasters import Rasters
from scripts.compared_unets import PATCH, SIZES, build_network
from scripts.measuring import fast_config, layer_bytes, summary
from scripts.training_loops import AtSteps, train_in_our_loop, train_plainly

Samples = dict[str, list[float]]
_WARM_STEPS = 5  # of each timed training


def training_rate(network: nn.Module, images: Tensor, config: Config, *, loop: str, steps: int) -> float:
    """Patches per second in our loop or in the plain one, without the first steps."""
    marks: dict[int, float] = {}
    follower = AtSteps([_WARM_STEPS, steps], lambda step, module: marks.__setitem__(step, time.perf_counter()))
    if loop == "plain":
        train_plainly(network, images, config=config, steps=steps + 1, learning_rate=1e-3, callback=follower)
    else:
        training = replace(config.training, max_steps=steps + 1, epoch_steps=steps + 1, warmup_steps=0)
        train_in_our_loop(
            network,
            Rasters.of(images),
            Rasters.of(images[:2]),
            config=replace(config, training=training),
            followers=[follower],
        )
    patches = (steps - _WARM_STEPS) * config.training.batch_size
    return float(patches / (marks[steps] - marks[_WARM_STEPS]))


def training_rates(images: Tensor, *, repeats: int, steps: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Rates of all networks in both loops, and of ours in bfloat16."""
    config, published = fast_config(), fast_config("unet=attention")
    bfloat16 = fast_config("trainer.precision=bf16-mixed")
    candidates: dict[str, tuple[Callable[[], nn.Module], Config, str]] = {}
    for size, widths in SIZES.items():
        for name in widths:
            for loop in ("plain", "our"):
                candidates[f"{size}, {name}, {loop} loop"] = (
                    lambda name=name, size=size: build_network(name, size, config),  # type: ignore[misc]
                    config,
                    loop,
                )
        candidates[f"{size}, radar, our loop, bf16"] = (
            lambda size=size: build_network("radar", size, config),  # type: ignore[misc]
            bfloat16,
            "our",
        )
    candidates["84 MFLOP, radar unet=attention, our loop"] = (
        lambda: build_unet(published.unet, patch_size=PATCH, image_channels=1, seed=0),
        published,
        "our",
    )
    rates: Samples = {label: [] for label in candidates}
    for repeat in range(repeats):
        for label, (build, settings, loop) in candidates.items():
            rates[label].append(training_rate(build(), images, settings, loop=loop, steps=steps))
        say(f"training: round {repeat + 1} of {repeats}")
    return {
        label: {
            "patches_per_second": summary(rates[label]),
            "parameters": parameter_count(network := build()),
            "forward_flops": forward_flops(network, torch.zeros(1, 1, PATCH, PATCH)),
            "forward_bytes": layer_bytes(network, torch.zeros(config.training.batch_size, 1, PATCH, PATCH)),
        }
        for label, (build, _, _) in candidates.items()
    } | {"ratios": training_ratios(rates)}


def training_ratios(rates: Samples) -> dict[str, float]:
    """Ours over the faster peer, round by round: network and loop together, then the network alone in either loop."""

    def ratio(size: str, mine: tuple[str, str], loop: str) -> float:
        ours = rates[f"{size}, {mine[0]}, {mine[1]} loop"]
        peers = zip(*(rates[f"{size}, {peer}, {loop} loop"] for peer in ("diffusers", "monai")), strict=True)
        return float(statistics.median(a / max(b) for a, b in zip(ours, peers, strict=True)))

    ratios = {}
    for size in SIZES:
        ratios[f"{size}: our network in our loop / faster peer in the plain loop"] = ratio(
            size, ("radar", "our"), "plain"
        )
        ratios[f"{size}: our network / faster peer, both in our loop"] = ratio(size, ("radar", "our"), "our")
        ratios[f"{size}: our network / faster peer, both in the plain loop"] = ratio(size, ("radar", "plain"), "plain")
    return ratios
