"""How much shares a pass when images are scored: less, where memory runs out; scores do not depend on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from radar.errors import RunError
from radar.memory import is_out_of_memory
from radar.methods.method import FittedMethod
from radar.runtime.terminal import tell
from radar.scoring.denoiser import Denoiser

_LEAST = {"micro_batch": 1, "tile": 64}  # windows; px: with less, what a tile reads around itself is most of it
Result = TypeVar("Result")


def in_passes(fitted: FittedMethod, count: int, images: int, work: Callable[[slice], Result]) -> Iterator[Result]:
    """What `work` returns of each slice of `count` images, `images` of them at a time.

    Where memory runs out, half as many share a pass from there on; then half as many windows of an image, then smaller tiles.
    Raises `RunError` where it runs out and nothing is left to halve.
    """
    start = 0
    while start < count:
        batch = slice(start, min(count, start + images))
        try:
            done = work(batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        else:
            start = batch.stop
            yield done
            continue
        if fitted.device.type == "cuda":  # here, where what the failed pass held is free
            torch.cuda.empty_cache()
        images, halved = (images // 2, "images_per_pass") if images > 1 else (1, _halve_windows(fitted))
        now = f" is {images}" if halved == "images_per_pass" else " is half of what it was"
        tell(
            f"note: out of memory while scoring: scoring.{halved}{now} from here; scores stay the same but for rounding"
        )


def gathered(parts: Iterable[Sequence[Tensor]], count: int) -> list[Tensor]:
    """Tensors `(count, …)` on the host of parts `(n, …)` of each, in order; none is held beside the whole."""
    whole: list[Tensor] = []
    start = 0
    for part in parts:
        whole = whole or [torch.empty((count, *each.shape[1:]), dtype=each.dtype) for each in part]
        stop = start + len(part[0])
        for target, each in zip(whole, part, strict=True):
            target[start:stop] = each
        start = stop
    return whole


def _halve_windows(fitted: FittedMethod) -> str:
    """The key below `scoring` whose value was halved."""
    for denoiser in (module for module in fitted.modules() if isinstance(module, Denoiser)):
        key = "micro_batch" if denoiser.windows.field == "stitched" else "tile"
        value = getattr(denoiser.windows, key) // 2
        if value >= _LEAST[key]:
            denoiser.windows = replace(denoiser.windows, **{key: value})
            return key
    raise RunError("dataset.image.size: out of memory with one image in a pass; lower it, or use trainer=cpu")
