"""Rasters of several sizes in one memory: each is what went in, views share it, batches are of one size and in order."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from radar.rasters import Rasters

SIZES = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=7)


def of_sizes(sizes: list[tuple[int, int]], channels: int = 2) -> list[Tensor]:
    stream = torch.Generator().manual_seed(0)
    return [torch.rand(channels, *size, generator=stream) for size in sizes]


@given(SIZES, st.integers(1, 3), st.data())
def test_each_is_what_went_in(sizes: list[tuple[int, int]], channels: int, data: st.DataObject) -> None:
    parts = of_sizes(sizes, channels)
    rasters = Rasters.joined(parts)
    start = data.draw(st.integers(0, len(parts)))
    stop = data.draw(st.integers(start, len(parts)))
    places = data.draw(st.lists(st.integers(0, len(parts) - 1), max_size=9))
    first = data.draw(st.integers(1, channels))
    for found, expected in (
        (rasters, parts),
        (rasters.some(slice(start, stop)), parts[start:stop]),
        (rasters.at(places), [parts[place] for place in places]),
        (rasters.first(first), [part[:first] for part in parts]),
        (rasters.first(first).at(places), [parts[place][:first] for place in places]),
    ):
        assert len(found) == len(expected)
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@given(SIZES, st.integers(1, 4))
def test_batches_are_all_of_them_in_order_and_of_one_size(sizes: list[tuple[int, int]], most: int) -> None:
    rasters = Rasters.joined(of_sizes(sizes))
    batches = list(rasters.batches(most))
    assert [place for batch in batches for place in range(batch.start, batch.stop)] == list(range(len(sizes)))
    for batch in batches:
        stack = rasters.stack(batch)
        assert 1 <= len(stack) <= most
        assert all(torch.equal(each, rasters[batch.start + place]) for place, each in enumerate(stack))
    # neighbours of one size share a batch until it is full
    for before, after in pairwise(batches):
        full = before.stop - before.start == most
        assert full or sizes[before.stop - 1] != sizes[after.start]


def test_views_share_the_memory() -> None:
    rasters = Rasters.zeros([(4, 5)] * 3, 2)
    rasters[1].fill_(1)
    rasters.first(1).some(slice(2, 3))[0].fill_(2)
    stack = rasters.whole
    assert stack[0].eq(0).all() and stack[1].eq(1).all() and stack[2, 0].eq(2).all() and stack[2, 1].eq(0).all()
    assert stack.data_ptr() == rasters.values.data_ptr()
    grey = torch.rand(3, 1, 4, 5)
    assert Rasters.of(grey).values.data_ptr() == grey.data_ptr()


def test_what_is_no_stack_and_what_does_not_fit_is_told() -> None:
    rasters = Rasters.joined(of_sizes([(2, 3), (3, 2)]))
    with pytest.raises(ValueError, match="2 sizes"):
        _ = rasters.whole
    with pytest.raises(ValueError, match="side by side"):
        rasters.some(slice(None, None, 2))
