"""What reads foreign bytes reads them or refuses them in one line: sound inputs, spoilt. `make fuzz` goes on for longer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radar.runtime.terminal import printable
from scripts.fuzz import TARGETS, attacked, seeds

SEEDS = seeds()


@st.composite
def spoilt(draw: st.DrawFn, target: str) -> bytes:
    """A sound input with some bytes changed, cut out, repeated or put in; or any bytes at all."""
    content = bytearray(draw(st.sampled_from(SEEDS[target])))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        stop = min(len(content), start + draw(st.integers(0, 8)))
        content[start:stop] = draw(st.binary(max_size=8) | st.just(bytes(content[start:stop]) * 40))
    return bytes(content) if draw(st.integers(0, 5)) else draw(st.binary(max_size=60))


@pytest.mark.parametrize("target", TARGETS)
def test_foreign_bytes_are_read_or_refused_in_one_line(target: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(spoilt(target))
    def attack(content: bytes) -> None:
        said = attacked(target, content)
        assert said is None or (printable(said) == said and len(said) < 1000)

    attack()


@pytest.mark.parametrize("target", TARGETS)
def test_sound_inputs_are_what_spoilt_ones_are_made_of(target: str) -> None:
    assert [attacked(target, content) for content in SEEDS[target]] == [None] * len(SEEDS[target])


def test_what_is_no_prediction_is_told_from_one() -> None:
    assert "the prediction has no path" in str(attacked("prediction", b"{}"))
