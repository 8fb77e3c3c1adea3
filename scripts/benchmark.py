"""Measure start-up, training and scoring on this machine, and write the figures as JSON.

    python scripts/benchmark.py --out outputs/benchmark.json

Every figure is a median over `--repeats` rounds that take the U-Nets in turn, with the smallest and the largest beside it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from radar.cli.composing import jobs, parse_arguments
from radar.config import Config
from radar.data.dataset import open_dataset
from radar.data.sample import Split
from radar.diffusion.build import build_unet
from radar.diffusion.unet import parameter_count
from radar.experiment.environment import describe_device, environment, peak_memory_mib
from radar.experiment.stored_model import image_channels
from radar.experiment.training import resolve_device, train_network
from radar.files import write_json
from radar.methods.radar import noise_mapper
from radar.progress import silent
from radar.scoring.scorer import measure

Figures = dict[str, list[float]]


def compose(unet: str, steps: int) -> Config:
    """The default experiment with this U-Net and this many steps."""
    overrides = [
        f"unet={unet}",
        f"training.max_steps={steps}",
        f"training.epoch_steps={steps}",
        "training.warmup_steps=0",
    ]
    return jobs(parse_arguments(overrides))[0].config


def start_up() -> float:
    """Seconds of `radar --help`."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "radar", "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def training_rate(config: Config, images: torch.Tensor) -> float:
    """Patches per second of the trainer's own loop, without its first steps and its validation."""
    marks: list[tuple[int, float]] = []

    def mark(done: int, total: int, description: str) -> None:
        marks.append((done, time.perf_counter()))

    with tempfile.TemporaryDirectory() as folder:
        train_network(config, images, images[:2], checkpoints=Path(folder), publish=lambda row: None, report=mark)
    (first, began), (last, ended) = marks[0], marks[-1]
    return (last - first) * config.training.batch_size / (ended - began)


def scoring_times(config: Config, images: torch.Tensor) -> tuple[float, float]:
    """Milliseconds per image: in one call for all `images`, and for one image alone."""
    unet = build_unet(config.unet, patch_size=28, image_channels=image_channels(config), seed=config.seed).to(
        resolve_device(config)
    )
    mapper = noise_mapper(config, unet)

    def score(count: int) -> float:
        began = time.perf_counter()
        measure(mapper(images[:count], [str(index) for index in range(count)]), config.scoring)
        return 1000 * (time.perf_counter() - began) / count

    score(1)  # builds kernels
    return score(len(images)), score(1)


def benchmark(unets: Sequence[str], *, repeats: int, steps: int, say: Callable[[str], None]) -> dict[str, object]:
    """All figures of all U-Nets."""
    configs = {unet: compose(unet, steps) for unet in unets}
    first = next(iter(configs.values()))
    dataset = open_dataset(first.dataset, silent)
    split: Split = "test"
    images = dataset.load(dataset.split(split)[:16]).images
    figures: dict[str, Figures] = {
        unet: {"patches_per_second": [], "ms_per_image": [], "ms_alone": []} for unet in unets
    }
    start = []
    for repeat in range(repeats):
        start.append(start_up())
        for unet, config in configs.items():
            figures[unet]["patches_per_second"].append(training_rate(config, images))
            batch, alone = scoring_times(config, images)
            figures[unet]["ms_per_image"].append(batch)
            figures[unet]["ms_alone"].append(alone)
        say(f"round {repeat + 1} of {repeats}")
    device = resolve_device(first)
    return {
        "environment": environment(device, dataset.manifest_hash),
        "start_up_seconds": summary(start),
        "unets": {
            unet: {
                "parameters": parameter_count(build_unet(config.unet, patch_size=28, image_channels=1, seed=0)),
                **{name: summary(values) for name, values in figures[unet].items()},
            }
            for unet, config in configs.items()
        },
        "peak_memory_mib": peak_memory_mib(),
        "device": describe_device(device),
    }


def summary(values: list[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def main() -> int:
    """Run the benchmark as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unets", nargs="+", default=["small", "attention"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60, help="training steps per round and U-Net")
    parser.add_argument("--out", type=Path, default=Path("outputs/benchmark.json"))
    parsed = parser.parse_args()
    figures = benchmark(parsed.unets, repeats=parsed.repeats, steps=parsed.steps, say=print)
    parsed.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(parsed.out, figures)
    print(json.dumps({name: figures[name] for name in ("device", "start_up_seconds", "unets")}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
