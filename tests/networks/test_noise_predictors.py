"""What holds of every noise predictor, whatever it is built of."""

from __future__ import annotations

import pytest
import torch
from network_builders import random_unet, unet_config

from radar.networks.build import build_unet

KINDS = pytest.mark.parametrize("kind", [{"kind": "ddpm"}, {"kind": "compact", "fold": 2}], ids=["ddpm", "compact"])


@KINDS
def test_the_first_prediction_is_zero(kind):
    unet = build_unet(unet_config(**kind), patch_size=28, image_channels=1, seed=0)
    with torch.inference_mode():
        assert not unet(torch.randn(2, 1, 28, 28), torch.tensor([1, 500])).any()


@KINDS
@pytest.mark.parametrize("levels", [[], [0, 1]], ids=["no_attention", "attention"])
def test_gradients_reach_every_parameter(kind, levels):
    unet = random_unet(attention_levels=levels, **kind).train()
    unet(torch.randn(2, 1, 28, 28), torch.tensor([1, 700])).square().mean().backward()
    assert [name for name, weight in unet.named_parameters() if weight.grad is None or not weight.grad.any()] == []


@KINDS
def test_the_timestep_changes_the_output_of_its_own_image_alone(kind):
    image = torch.randn(1, 1, 28, 28).expand(3, 1, 28, 28)
    with torch.inference_mode():
        first, again, later = random_unet(**kind)(image, torch.tensor([1, 1, 400]))
    torch.testing.assert_close(first, again)
    assert (first - later).abs().max() > 1e-2


@KINDS
def test_dropout_acts_in_training_alone(kind):
    unet = random_unet(dropout=0.5, **kind)
    image, timestep = torch.randn(1, 1, 12, 12), torch.tensor([1])
    with torch.inference_mode():
        assert torch.equal(unet(image, timestep), unet(image, timestep))
        unet.train()
        assert not torch.equal(unet(image, timestep), unet(image, timestep))
