"""Measure how cost grows with the number of images, the image's side, the patch, the stride and the batch; and draw it.

    python -m scripts.growth --out docs/results/growth.json --figure docs/images/growth.png

Times are medians over `--repeats` rounds that take all values in turn. Peak memory is that of a fresh process. Memory kept for
the backward pass is counted, not sampled: the bytes of all tensors that autograd stores for one training step.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from radar.diffusion.schedule import build_schedule
from radar.experiment.environment import environment
from radar.files import write_atomically, write_json
from radar.networks.build import build_unet
from scripts.command_line import guarded, positive
from scripts.measuring import fast_config, peak_memory, untrained_model

Work = Callable[[], object]
Row = dict[str, float]

IMAGES = (8, 16, 32, 64, 128)
SIDES = (100, 200, 400, 800, 1400, 2000)
PATCHES = (14, 28, 56)
STRIDES = (4, 7, 14, 24, 28)
BATCHES = (8, 16, 32, 64, 128, 256)
_TURN = 0.3  # seconds
WIDEST = 4000  # px, for peak memory


def pictures(count: int, side: int) -> Tensor:
    """Random images in [−1, 1]."""
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def scoring(images: Tensor, *overrides: str) -> Work:
    """Score `images` with an untrained model, which gives their maps, features, scores and decisions."""
    model = untrained_model(fast_config(*overrides))
    return lambda: model.score(images)


def training_step(batch: int, patch: int, *overrides: str) -> Work:
    """One forward and backward pass over random patches."""
    config = fast_config(f"patch.size={patch}", *overrides)
    unet = build_unet(config.unet, patch_size=patch, image_channels=1, seed=0)
    schedule, clean = build_schedule(config.diffusion), pictures(batch, patch)
    timestep = torch.randint(1, 1000, (batch,), generator=torch.Generator().manual_seed(0))

    def step() -> None:
        unet.zero_grad()
        (unet(schedule(clean, clean, timestep), timestep) - clean).square().mean().backward()

    return step


def timed(work: dict[float, Work], repeats: int) -> dict[float, float]:
    """Median seconds of each piece of work; the pieces take turns, and one that is short is done several times in its turn."""
    spent: dict[float, list[float]] = {value: [] for value in work}
    for _ in range(repeats):
        for value, run in work.items():
            began = time.perf_counter()
            run()  # after another size: builds kernels and fills caches
            times = max(1, int(_TURN / (time.perf_counter() - began)))
            began = time.perf_counter()
            for _ in range(times):
                run()
            spent[value].append((time.perf_counter() - began) / times)
    return {value: statistics.median(times) for value, times in spent.items()}


def kept_for_backward(batch: int, patch: int, *overrides: str) -> float:
    """MiB of all tensors, parameters left out, that autograd keeps for the backward pass of one training step."""
    config = fast_config(f"patch.size={patch}", f"dataset.synthetic.side={max(200, patch)}",
                     "dataset.image.size=null", *overrides)  # fmt: skip
    unet = build_unet(config.unet, patch_size=patch, image_channels=1, seed=0)
    own = {parameter.untyped_storage().data_ptr() for parameter in unet.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = unet(pictures(batch, patch), torch.ones(batch, dtype=torch.long)).square().mean()
    del loss
    return sum(kept.values()) / 2**20


def rows(seconds: dict[float, float], columns: Callable[[float, float], Row]) -> list[Row]:
    """One row per value: the value's own columns."""
    return [columns(value, spent) for value, spent in seconds.items()]


def growth(repeats: int, say: Callable[[str], None]) -> dict[str, list[Row]]:
    """All tables."""
    tables: dict[str, list[Row]] = {}

    def add(name: str, work: Iterable[tuple[float, Work]], columns: Callable[[float, float], Row]) -> None:
        tables[name] = rows(timed(dict(work), repeats), columns)
        say(name)

    def per_image(value: float, spent: float) -> Row:
        return {"value": value, "ms_per_image": 1000 * spent}

    add(
        "images, compact whole",
        ((count, scoring(pictures(count, 100))) for count in IMAGES),
        lambda count, spent: {"value": count, "seconds": spent, "ms_per_image": 1000 * spent / count},
    )
    for name, overrides in (
        ("compact whole", ()),
        ("unet=attention, windows every 14 px", ("unet=attention", "scoring.field=stitched")),
    ):
        add(
            f"side, {name}",
            ((side, scoring(pictures(1, side), *overrides)) for side in SIDES),
            lambda side, spent: {"value": side, "ms_per_image": 1000 * spent, "us_per_pixel": 1e6 * spent / side**2},
        )
    for name, unet in (("compact", "compact"), ("unet=attention", "attention")):
        add(
            f"stride, {name}",
            (
                (
                    stride,
                    scoring(pictures(4, 100), f"unet={unet}", "scoring.field=stitched", f"scoring.stride={stride}"),
                )
                for stride in STRIDES
            ),
            lambda stride, spent: per_image(stride, spent / 4),
        )
        add(
            f"patch, {name}",
            ((patch, training_step(64, patch, f"unet={unet}")) for patch in PATCHES),
            lambda patch, spent: {
                "value": patch,
                "patches_per_second": 64 / spent,
                "us_per_pixel": 1e6 * spent / 64 / patch**2,
            },
        )
        add(
            f"batch, {name}",
            ((batch, training_step(batch, 28, f"unet={unet}")) for batch in BATCHES),
            lambda batch, spent: {"value": batch, "patches_per_second": batch / spent},
        )
    return tables


def memory(say: Callable[[str], None]) -> dict[str, Any]:
    """Peak memory against the image's side, and the paper's claim on patches."""
    nothing = peak_memory("nothing")
    peaks = []
    for side in (*SIDES, WIDEST):
        arguments = ["scoring", "--images", "1", "--side", str(side)]
        row = {"value": float(side), "compact_whole_mib": peak_memory(*arguments) - nothing}
        row["attention_windows_mib"] = peak_memory(*arguments, "unet=attention", "scoring.field=stitched") - nothing
        peaks.append(row)
        say(f"memory at {side} px")
    claim = [
        {"network": unet, "batch": batch, "side": side, "kept_mib": kept_for_backward(batch, side, f"unet={unet}")}
        for unet in ("attention", "no_attention", "compact")
        for batch, side in ((1, 500), (1, 25), (64, 25))
    ]
    return {"imports_mib": nothing, "peak_above_imports": peaks, "kept_for_backward": claim}


def draw(figures: dict[str, Any], path: Path) -> None:
    """One panel per axis, both scales logarithmic."""
    axes_of = ("images", "side", "stride", "patch", "batch")
    figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
    for axis, kind in zip(axes.flat, axes_of, strict=False):
        for name, table in figures["growth"].items():
            if name.startswith(kind):
                unit = next(column for column in table[0] if column != "value")
                axis.loglog(
                    [row["value"] for row in table], [row[unit] for row in table], "o-", label=name[len(kind) + 2 :]
                )
                axis.set(xlabel=kind, ylabel=unit.replace("_", " "))
        axis.legend(fontsize="small")
    peaks, axis = figures["memory"]["peak_above_imports"], axes.flat[5]
    for column in ("compact_whole_mib", "attention_windows_mib"):
        axis.loglog(
            [row["value"] for row in peaks], [row[column] for row in peaks], "o-", label=column.replace("_", " ")
        )
    axis.set(xlabel="side", ylabel="peak memory above imports, MiB")
    axis.legend(fontsize="small")
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    write_atomically(path, lambda file: figure.savefig(file, format="png", dpi=90))
    plt.close(figure)


def main() -> int:
    """Measure and draw; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=positive, default=3)
    parser.add_argument("--out", type=Path, default=Path("outputs/growth.json"))
    parser.add_argument("--figure", type=Path, default=Path("outputs/growth.png"))
    parsed = parser.parse_args()
    figures = {
        "environment": environment(torch.device("cpu"), "none", None),
        "growth": growth(parsed.repeats, print),
        "memory": memory(print),
    }
    write_json(parsed.out, figures)
    draw(figures, parsed.figure)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
