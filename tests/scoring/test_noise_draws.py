"""The noise that an image is scored with: its own, whatever is scored beside it, and of the distribution that is asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from radar.config.method_settings import SimplexConfig
from radar.scoring.noise_draws import NoiseDraws, drawn

SHAPE = (2, 16, 12)
KINDS = pytest.mark.parametrize(
    "simplex", [None, SimplexConfig(wavelength=4.0, octaves=2, persistence=0.8)], ids=["white", "simplex"]
)


@KINDS
def test_a_draw_is_a_function_of_seed_identity_and_number(simplex):
    state = torch.random.get_rng_state()
    noise = NoiseDraws(2, simplex).of(["a", "b", "a"], SHAPE, 3)
    assert noise.shape == (3, 2, *SHAPE) and noise.dtype == torch.float32
    assert torch.equal(noise[0], noise[2])
    assert torch.equal(NoiseDraws(3, simplex).of(["a"], SHAPE, 3)[0, :2], noise[0])
    different = [*noise[:2].flatten(0, 1), NoiseDraws(1, simplex).of(["a"], SHAPE, 4)[0, 0]]
    assert len({tuple(each.flatten().tolist()) for each in different}) == 5
    assert torch.equal(state, torch.random.get_rng_state())


@KINDS
def test_draws_have_variance_one_and_are_independent(simplex):
    noise = NoiseDraws(2, simplex).of([str(index) for index in range(60)], SHAPE, 0).double()
    assert noise.mean().item() == pytest.approx(0, abs=0.05)
    assert noise.var().item() == pytest.approx(1, abs=0.05)
    first, second = noise[:, 0].flatten(), noise[:, 1].flatten()
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
    if simplex is None:
        assert stats.kstest(first.numpy(), "norm").pvalue > 1e-3


def test_without_draws_there_is_none():
    assert NoiseDraws(0).of(["a"], SHAPE, 0) is None
    with pytest.raises(ValueError, match="none was handed in"):
        drawn(None)
