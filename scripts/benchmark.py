"""Measure start-up, training and scoring on this machine, beside the U-Nets that one would pick instead.

    python -m scripts.benchmark --out docs/results/benchmark.json     needs the extra `bench`: pip install '.[bench]'

Every figure is a median over `--repeats` rounds that take all candidates in turn, with the smallest and the largest beside
it. A ratio is the median of the ratios within a round. Floors: floating-point operations over the fastest of the measured
matrix products and convolutions, bytes that the layers touch over the measured copy rate, both in float32.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from radar import install_command
from radar.experiment.environment import environment
from radar.files import write_json
from scripts.command_line import guarded, positive
from scripts.compared_unets import PATCH
from scripts.measuring import peak_memory, seconds_of, summary
from scripts.scoring_speed import SIDE, scoring_times
from scripts.training_speed import training_rates


def machine_rates() -> dict[str, float]:
    """What this machine can do: floating-point operations and bytes per second."""
    a = torch.randn(1024, 1024)
    product = 2 * 1024**3 / seconds_of(lambda: a @ a)
    maps = torch.randn(64, 64, PATCH, PATCH).contiguous(memory_format=torch.channels_last)
    layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.inference_mode():
        convolution = 2 * 9 * 64 * 64 * maps.numel() / 64 / seconds_of(lambda: layer(maps))
    source = torch.randn(16 << 20)
    target = torch.empty_like(source)
    copied = 2 * source.nbytes / seconds_of(lambda: target.copy_(source))
    return {"matrix_product_flops": product, "convolution_flops": convolution, "copy_bytes": copied}


def start_up() -> float:
    """Seconds of `radar --help`."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "radar", "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def peaks() -> dict[str, float]:
    """Peak memory in MiB of fresh processes that do nothing, train, or score."""
    stages = {"imports alone": ["nothing"], "training, compact": ["training"], "scoring, compact": ["scoring"]}
    stages |= {
        "training, unet=attention": ["training", "unet=attention"],
        "scoring, unet=attention": ["scoring", "unet=attention", "scoring.field=stitched"],
    }
    return {label: peak_memory(*arguments) for label, arguments in stages.items()}


def versions() -> dict[str, str]:
    """Versions of the peers, and of what MONAI's attention needs."""
    return {name: importlib.metadata.version(name) for name in ("diffusers", "monai", "einops")}


def show(figures: dict[str, Any]) -> None:
    """Print the figures as tables."""
    rates = figures["machine_rates"]
    flops = max(rates["matrix_product_flops"], rates["convolution_flops"])
    training = Table(
        "training", "patches/s", "smallest", "largest", "MFLOP", "arithmetic floor", "copy floor", box=SIMPLE
    )
    for label, figure in figures["training"].items():
        if label == "ratios":
            continue
        rate = figure["patches_per_second"]
        # forward, gradient of the input and gradient of the weights cost about the same
        floors = (flops / (3 * figure["forward_flops"]), rates["copy_bytes"] / (3 * figure["forward_bytes"]))
        values = [rate["median"], rate["min"], rate["max"], figure["forward_flops"] / 1e6]
        known = [] if label.endswith("bf16") else floors  # the floors are those of float32
        training.add_row(label, *(f"{value:,.0f}" for value in (*values, *known)))
    scoring = Table(
        "scoring, ms/image", "batch", "alone p50", "alone p99", "arithmetic floor", "copy floor", box=SIMPLE
    )
    for label, figure in figures["scoring"].items():
        floors = (figure["whole_image_flops"] / flops, figure["whole_image_bytes"] / rates["copy_bytes"])
        medians = [figure[name]["median"] for name in ("ms_per_image", "ms_alone_p50", "ms_alone_p99")]
        scoring.add_row(label, *(f"{value:.2f}" for value in (*medians, *(1000 * floor for floor in floors))))
    stages = Table("stages, ms for one image", *figures["scoring"]["compact, whole image"]["stages_ms"], box=SIMPLE)
    for label, figure in figures["scoring"].items():
        stages.add_row(label, *(f"{value:.2f}" for value in figure["stages_ms"].values()))
    console = Console(width=140)
    for table in (training, scoring, stages):
        console.print(table)
    console.print(*(f"{value:.2f} × {label}" for label, value in figures["training"]["ratios"].items()), sep="\n")
    console.print(
        f"start-up {figures['start_up_seconds']['median']:.2f} s; peak memory, MiB: {figures['peak_memory_mib']}"
    )


def main() -> int:
    """Run the benchmark as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=positive, default=5)
    parser.add_argument("--steps", type=positive, default=25, help="training steps per round and candidate")
    parser.add_argument("--out", type=Path, default=Path("outputs/benchmark.json"))
    parsed = parser.parse_args()
    try:
        peers = versions()
    except importlib.metadata.PackageNotFoundError as missing:
        print(f"benchmark: {missing.name} is not installed; {install_command('bench')}", file=sys.stderr)
        return 2
    images = torch.rand(64, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    figures = {
        "environment": environment(torch.device("cpu"), "none", None),
        "peers": peers,
        "machine_rates": machine_rates(),
        "start_up_seconds": summary([start_up() for _ in range(parsed.repeats)]),
        "training": training_rates(images, repeats=parsed.repeats, steps=parsed.steps, say=print),
        "scoring": scoring_times(repeats=parsed.repeats, say=print),
        "peak_memory_mib": peaks(),
    }
    parsed.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(parsed.out, figures)
    show(figures)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
