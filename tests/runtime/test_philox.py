"""The scoring noise: Philox4x64-10 written out anew, and the distribution of what is made of its bits."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from radar.config.method_settings import SimplexConfig
from radar.runtime.philox import PhiloxStream
from radar.scoring.noise_draws import NoiseDraws

MASK = 2**64 - 1


def philox(key: tuple[int, int], counter: int) -> list[int]:
    """One block of four numbers (Salmon et al. 2011, section 3.3): ten rounds, in Python's own integers."""
    words, (low, high) = [counter & MASK, counter >> 64 & MASK, 0, 0], key
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * words[0], 0xCA5A826395121157 * words[2]
        words = [second >> 64 ^ words[1] ^ low, second & MASK, first >> 64 ^ words[3] ^ high, first & MASK]
        low, high = low + 0x9E3779B97F4A7C15 & MASK, high + 0xBB67AE8584CAA73B & MASK
    return words


def raw(seed: int, identity: str, number: int, count: int) -> list[int]:
    """NumPy counts from 1."""
    digest = hashlib.sha256(f"{seed}/scoring/{identity}/{number}".encode()).digest()
    key = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")
    blocks = [philox(key, counter) for counter in range(1, count // 4 + 2)]
    return [word for block in blocks for word in block][:count]


def test_gaussian_numbers_are_box_muller_pairs_of_philox_bits() -> None:
    bits = [value >> 11 for value in raw(3, "abc", 1, 10)]
    pairs = [(bits[index] * 2.0**-53, bits[index + 5] * 2.0**-53) for index in range(5)]
    radii = [math.sqrt(-2 * math.log1p(-first)) for first, _ in pairs]
    angles = [2 * math.pi * second for _, second in pairs]
    expected = [r * math.cos(a) for r, a in zip(radii, angles, strict=True)]
    expected += [r * math.sin(a) for r, a in zip(radii, angles, strict=True)]
    found = PhiloxStream(3, "abc", 1).gaussian((1, 3, 3))
    np.testing.assert_allclose(found.ravel(), expected[:9], rtol=2e-7)


def test_uniform_numbers_are_the_upper_bits_and_go_on() -> None:
    expected = [(value >> 40) * 2.0**-24 for value in raw(0, "x", 0, 7)]
    stream = PhiloxStream(0, "x", 0)
    np.testing.assert_array_equal([*stream.uniform((2, 2)).ravel(), *stream.uniform((3,))], np.float32(expected))


def test_gaussian_numbers_are_gaussian() -> None:
    values = PhiloxStream(0, "many", 0).gaussian((200_000,))
    assert kstest(values, "norm").pvalue > 0.01
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.01


@pytest.mark.parametrize("simplex", [None, SimplexConfig(wavelength=8.0, octaves=2, persistence=0.5)])
def test_a_draw_is_a_function_of_seed_content_and_number_alone(simplex: SimplexConfig | None) -> None:
    draws = NoiseDraws(2, simplex)
    both, alone = draws.of(["a", "b"], (1, 12, 10), 0), draws.of(["b"], (1, 12, 10), 0)
    assert both.shape == (2, 2, 1, 12, 10)
    assert torch.equal(both[1:], alone)
    distinct = [both[0, 0], both[0, 1], both[1, 0], draws.of(["a"], (1, 12, 10), 1)[0, 0]]
    assert all(not torch.equal(one, other) for index, one in enumerate(distinct) for other in distinct[:index])


def test_no_draw_is_nothing() -> None:
    assert NoiseDraws(0).of(["a"], (1, 4, 4), 0) is None
