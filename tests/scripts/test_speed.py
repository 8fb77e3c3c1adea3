"""The benchmark compares like with like: equal FLOPs, crops that are crops, both loops really training."""

from __future__ import annotations

import importlib.util
import statistics

import pytest
import torch

from radar import install_command
from radar.networks.cost import forward_flops
from radar.rasters import Rasters
from scripts.compared_unets import SIZES, build_network
from scripts.growth import kept_for_backward
from scripts.measuring import layer_bytes
from scripts.scoring_speed import Scoring
from scripts.training_loops import AtSteps, PlainCrops, train_in_our_loop, train_plainly
from scripts.training_speed import training_ratios

PEERS = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("diffusers", "monai", "einops")),
    reason=f"diffusers, MONAI or its einops is not installed; {install_command('bench')}",
)


@PEERS
@pytest.mark.parametrize("size", SIZES)
def test_compared_networks_cost_the_same(composed, size):
    config = composed("unet=compact")
    networks = [build_network(name, size, config) for name in SIZES[size]]
    costs = dict(zip(SIZES[size], (forward_flops(each, torch.zeros(1, 1, 28, 28)) for each in networks), strict=True))
    assert costs["radar"] == pytest.approx(float(size.split()[0]) * 1e6, rel=0.02)
    assert all(cost == pytest.approx(costs["radar"], rel=0.1) for cost in costs.values())
    for network in networks:
        assert network(torch.zeros(2, 1, 28, 28), torch.tensor([1, 1000])).shape == (2, 1, 28, 28)


def test_flops_and_bytes_of_one_layer_by_hand():
    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = torch.nn.Conv2d(1, 3, 3, padding=1, bias=False)

        def forward(self, x, timestep):
            return self.convolution(x)

    assert forward_flops(Layer(), torch.zeros(1, 1, 10, 10)) == 2 * 9 * 3 * 100
    assert layer_bytes(Layer(), torch.zeros(2, 1, 10, 10)) == 4 * (100 + 300) + 4 * 27 / 2


def test_flops_of_attention_are_counted():
    class Attention(torch.nn.Module):
        def forward(self, x, timestep):
            return torch.nn.functional.scaled_dot_product_attention(x, x, x)

    assert forward_flops(Attention(), torch.zeros(1, 4, 49, 16)) == 2 * 2 * 4 * 49 * 49 * 16


def test_plain_crops_are_every_position_of_every_image():
    images = torch.arange(2 * 6 * 7).view(2, 1, 6, 7).float()
    crops = PlainCrops(images, 4)
    expected = [
        images[image, :, top : top + 4, left : left + 4] for image in range(2) for top in range(3) for left in range(4)
    ]
    assert len(crops) == len(expected)
    assert all(torch.equal(crops[index], crop) for index, crop in enumerate(expected))


@pytest.mark.parametrize("loop", ["plain", "our"])
def test_both_loops_train(composed, loop):
    config = composed(
        "unet=compact", "unet.channels=[8,16]", "training.max_steps=40", "training.epoch_steps=40",
        "training.warmup_steps=0", "training.batch_size=16", "training.learning_rate=0.003", "trainer=cpu",
    )  # fmt: skip
    images = torch.rand(4, 1, 40, 40, generator=torch.Generator().manual_seed(0)) * 0.2
    network = build_network("radar", "34 MFLOP", config)
    start = [weight.clone() for weight in network.parameters()]
    seen: list[int] = []
    follower = AtSteps([3, 39], lambda step, module: seen.append(step))
    if loop == "plain":
        train_plainly(network, images, config=config, steps=40, learning_rate=3e-3, callback=follower)
    else:
        train_in_our_loop(network, Rasters.of(images), Rasters.of(images), config=config, followers=[follower])
    assert seen == [3, 39]
    assert any(not torch.equal(a, b) for a, b in zip(start, network.parameters(), strict=True))
    noisy = torch.randn(32, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        predicted = network(noisy, torch.full((32,), 1000))
    assert (
        predicted - noisy
    ).square().mean() < 0.5  # at the last step the noisy image is the noise; nothing predicted is 1


def test_ratios_are_taken_within_a_round():
    rates = {
        f"{size}, {name}, {loop} loop": [100.0, 200.0, 400.0]
        for size in SIZES
        for name in ("diffusers", "monai")
        for loop in ("plain", "our")
    }
    for size in SIZES:
        rates[f"{size}, monai, plain loop"] = [50.0, 250.0, 100.0]
        rates |= {f"{size}, radar, {loop} loop": [300.0, 500.0, 1000.0] for loop in ("plain", "our")}
    ratios = training_ratios(rates)
    assert len(ratios) == 3 * len(SIZES)
    for label, ratio in ratios.items():
        fastest = [100.0, 200.0, 400.0] if label.endswith("both in our loop") else [100.0, 250.0, 400.0]
        assert ratio == statistics.median(a / b for a, b in zip([300.0, 500.0, 1000.0], fastest, strict=True))


def test_scoring_is_timed_for_every_stage():
    images = torch.rand(3, 1, 100, 100)
    way = Scoring("unet.channels=[8,16]")
    assert way.batch(images) > 0
    stages = way.stages(images)
    assert list(stages) == ["noise_map", "edge_map", "features", "anomaly_map", "detector"]
    assert all(spent > 0 for spent in stages.values())


def test_memory_kept_for_backward_grows_with_the_pixels():
    one, four, wide = (kept_for_backward(*shape, "unet.channels=[8,16]") for shape in ((1, 28), (4, 28), (1, 56)))
    assert one > 28 * 28 * 4 / 2**20
    assert four == pytest.approx(4 * one, rel=0.1)
    assert wide == pytest.approx(4 * one, rel=0.1)
