"""What methods check that use pretrained features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from radar.networks.efficientnet import STRIDES

FEATURES = "pretrained_features"  # the name of the network that is read with its weights


def block_problems(key: str, blocks: Sequence[int], side: int) -> Iterator[str]:
    """What is wrong with the section `key`, whose `blocks` see images of `side` px."""
    last = len(STRIDES) - 1
    if not blocks or not all(0 <= block <= last for block in blocks):
        yield f"{key}.blocks={list(blocks)}: needs at least one block between 0 and {last}"
    if len(set(blocks)) < len(blocks):
        yield f"{key}.blocks={list(blocks)}: names a block twice; name each once"
    if side % STRIDES[-1]:
        yield f"{key}.side={side}: must be a multiple of {STRIDES[-1]} px"
