"""The averaged weights, against a loop written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from radar.training.ema import ExponentialAverage


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.995], ids=["none", "after-warm-up", "in-warm-up"])
def test_average_follows_the_loop_with_warm_up(decay):
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    average = ExponentialAverage(model, decay=decay)
    expected = [parameter.detach().numpy().astype(np.float64) for parameter in model.parameters()]
    for step in range(1, 21):
        for parameter in model.parameters():
            parameter.data = torch.randn_like(parameter)
        average.update(step)
        share = min(decay, (1 + step) / (10 + step))
        expected = [
            share * old + (1 - share) * new.detach().numpy()
            for old, new in zip(expected, model.parameters(), strict=True)
        ]
        for found, wanted in zip(average.average.parameters(), expected, strict=True):
            np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)


def test_average_is_frozen_and_apart():
    model = torch.nn.Linear(2, 1).train()
    average = ExponentialAverage(model, decay=0.9).average
    assert not average.training and not any(parameter.requires_grad for parameter in average.parameters())
    before = average.weight.clone()
    model.weight.data.add_(1)
    assert torch.equal(average.weight, before)


def test_running_statistics_follow_the_model() -> None:
    model = torch.nn.BatchNorm1d(3)
    average = ExponentialAverage(model, decay=0.9)
    model(torch.arange(12.0).reshape(4, 3))
    average.update(1)
    assert torch.equal(average.average.running_mean, model.running_mean)
    assert int(average.average.num_batches_tracked) == 1
