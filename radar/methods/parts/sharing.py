"""How much shares a pass when images are scored: less, where memory runs out; scores do not depend on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TypeVar

import torch
from torch import Tensor

from radar.memory import OutOfMemoryError, is_out_of_memory
from radar.methods.method import FittedMethod
from radar.rasters import Rasters, Size
from radar.runtime.terminal import tell
from radar.scoring.denoiser import Denoiser

_LEAST = {"micro_batch": 1, "tile": 64}  # windows; px: with less, what a tile reads around itself is most of it
Result = TypeVar("Result")


def in_passes(
    fitted: FittedMethod, sizes: Sequence[Size], images: int, work: Callable[[slice], Result]
) -> Iterator[Result]:
    """What `work` returns of each slice of images of these sizes, neighbours of one size, at most `images` of them at a time.

    Where memory runs out, half as many share a pass from there on; then half as many windows of an image, then smaller tiles.
    Raises `OutOfMemoryError` where it runs out and nothing is left to halve.
    """
    start = 0
    while start < len(sizes):
        _, alike = next(groupby(sizes[start : start + images]))
        batch = slice(start, start + len(list(alike)))
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


def collected(parts: Iterable[Tensor], sizes: Sequence[Size]) -> Rasters:
    """Rasters `(C, H, W)` of these sizes on the host, of stacks `(n, C, H, W)` in order; none is held beside the whole."""
    whole: Rasters | None = None
    start = 0
    for part in parts:
        whole = whole or Rasters.zeros(sizes, part.shape[1])
        whole.stack(slice(start, start + len(part))).copy_(part)
        start += len(part)
    return whole or Rasters.zeros((), 1)


def _halve_windows(fitted: FittedMethod) -> str:
    """The key below `scoring` whose value was halved."""
    for denoiser in (module for module in fitted.modules() if isinstance(module, Denoiser)):
        key = "micro_batch" if denoiser.windows.field == "stitched" else "tile"
        value = getattr(denoiser.windows, key) // 2
        if value >= _LEAST[key]:
            denoiser.windows = replace(denoiser.windows, **{key: value})
            return key
    raise OutOfMemoryError("dataset.image.size: out of memory with one image in a pass; lower it, or use trainer=cpu")
