"""Measure start-up, training and scoring on this machine, beside the U-Nets that one would pick instead.

    python -m scripts.benchmark --out docs/results/benchmark.json     needs the extra `bench`: pip install '.[bench]'

Every figure is a median over `--repeats` rounds that take all candidates in turn, with the smallest and the largest beside
it. A ratio is the median of the ratios within a round. Floors: floating-point operations over the fastest of the measured
matrix products and convolutions, bytes that the layers touch over the measured copy rate, both in float32.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from radar.scoring.scorer import Scorer, features_of
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from torch import Tensor

from radar import install_command
from radar.compose import experiment
from radar.config.schema import Config
from radar.diffusion.objective import DiffusionObjective
from radar.experiment.environment import environment
from radar.files import write_json
from radar.methods.radar import noise_mapper
from radar.networks.build import build_unet
from radar.networks.cost import forward_flops, parameter_count
from radar.progress import silent
from radar.scoring.detector import fit_detector
from radar.scoring.edge_map import anomaly_map, edge_map
from radar.scoring.features import features
from radar.training.fit import fit_network
from scripts.command_line import guarded, positive
from scripts.contenders import (
    PATCH,
    SIZES,
    AtSteps,
    Network,
    build_contender,
    layer_bytes,
    train_plainly,
)

Samples = dict[str, list[float]]
_WARM_STEPS = 5  # of each timed training
_SIDE, _IMAGES, _CALLS = 100, 32, 100  # px, images per batch of scoring, calls of one image alone


def compose(*overrides: str) -> Config:
    """The fast experiment with some keys changed."""
    return experiment(["experiment=fast", *overrides])


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def seconds_of(work: Callable[[], object], times: int = 10) -> float:
    """Median seconds of one call, after two that build kernels."""
    work(), work()
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


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


def training_rate(network: Network, images: Tensor, config: Config, *, loop: str, steps: int) -> float:
    """Patches per second in our loop or in the plain one, without the first steps."""
    marks: dict[int, float] = {}
    follower = AtSteps([_WARM_STEPS, steps], lambda step, module: marks.__setitem__(step, time.perf_counter()))
    if loop == "plain":
        train_plainly(network, images, config=config, steps=steps + 1, learning_rate=1e-3, callback=follower)
    else:
        training = replace(config.training, max_steps=steps + 1, epoch_steps=steps + 1, warmup_steps=0)
        with tempfile.TemporaryDirectory() as folder:
            fit_network(
                network,
                DiffusionObjective(config.diffusion, simplex=None),
                images,
                images[:2],
                patch=config.patch,
                training=training,
                trainer=config.trainer,
                seed=config.seed,
                checkpoints=Path(folder),
                publish=lambda row: None,
                report=silent,
                followers=[follower],
            )
    patches = (steps - _WARM_STEPS) * config.training.batch_size
    return float(patches / (marks[steps] - marks[_WARM_STEPS]))


def training_rates(images: Tensor, *, repeats: int, steps: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Rates of all contenders in both loops, and of ours in bfloat16."""
    config, published = compose(), compose("unet=attention")
    bfloat16 = compose("trainer.precision=bf16-mixed")
    candidates: dict[str, tuple[Callable[[], Network], Config, str]] = {}
    for size, contenders in SIZES.items():
        for name in contenders:
            for loop in ("plain", "our"):
                candidates[f"{size}, {name}, {loop} loop"] = (
                    lambda name=name, size=size: build_contender(name, size, config),  # type: ignore[misc]
                    config,
                    loop,
                )
        candidates[f"{size}, radar, our loop, bf16"] = (
            lambda size=size: build_contender("radar", size, config),  # type: ignore[misc]
            bfloat16,
            "our",
        )
    candidates["84 MFLOP, radar unet=attention, our loop"] = (
        lambda: build_unet(published.unet, patch_size=PATCH, image_channels=1, seed=0),
        published,
        "our",
    )
    rates: Samples = {label: [] for label in candidates}
    for repeat in range(repeats):
        for label, (build, settings, loop) in candidates.items():
            rates[label].append(training_rate(build(), images, settings, loop=loop, steps=steps))
        say(f"training: round {repeat + 1} of {repeats}")
    return {
        label: {
            "patches_per_second": summary(rates[label]),
            "parameters": parameter_count(network := build()),
            "forward_flops": forward_flops(network, torch.zeros(1, 1, PATCH, PATCH)),
            "forward_bytes": layer_bytes(network, torch.zeros(config.training.batch_size, 1, PATCH, PATCH)),
        }
        for label, (build, _, _) in candidates.items()
    } | {"ratios": training_ratios(rates)}


def training_ratios(rates: Samples) -> dict[str, float]:
    """Ours over the faster peer, round by round: network and loop together, then the network alone in either loop."""

    def ratio(size: str, mine: tuple[str, str], loop: str) -> float:
        ours = rates[f"{size}, {mine[0]}, {mine[1]} loop"]
        peers = zip(*(rates[f"{size}, {peer}, {loop} loop"] for peer in ("diffusers", "monai")), strict=True)
        return float(statistics.median(a / max(b) for a, b in zip(ours, peers, strict=True)))

    ratios = {}
    for size in SIZES:
        ratios[f"{size}: our network in our loop / faster peer in the plain loop"] = ratio(
            size, ("radar", "our"), "plain"
        )
        ratios[f"{size}: our network / faster peer, both in our loop"] = ratio(size, ("radar", "our"), "our")
        ratios[f"{size}: our network / faster peer, both in the plain loop"] = ratio(size, ("radar", "plain"), "plain")
    return ratios


class Scoring:
    """One way to score, with an untrained network: its cost does not depend on the weights."""

    def __init__(self, *overrides: str) -> None:
        self.config = compose(*overrides)
        unet = self.config.unet
        self.network = build_unet(unet, patch_size=self.config.patch.size, image_channels=1, seed=0)
        self.mapper = noise_mapper(self.config, self.network)
        points = np.random.default_rng(0).random((50, 2)) + 0.1
        config = self.config
        detector = fit_detector(points, points, detector=config.detector, contamination=config.contamination, seed=0)
        self.scorer = Scorer(self.mapper, config.scoring, detector, features_of)

    def batch(self, images: Tensor) -> float:
        """Milliseconds per image when many are scored in one call."""
        names = [str(index) for index in range(len(images))]
        began = time.perf_counter()
        self.scorer.score(images, names)
        return 1000 * (time.perf_counter() - began) / len(images)

    def alone(self, images: Tensor) -> list[float]:
        """Milliseconds of single calls with one image."""
        spent = []
        for call in range(_CALLS):
            image = images[call % len(images)][None]
            began = time.perf_counter()
            self.scorer.score(image, ["alone"])
            spent.append(1000 * (time.perf_counter() - began))
        return spent

    def stages(self, images: Tensor) -> dict[str, float]:
        """Milliseconds of each stage for one image."""
        scoring, image = self.config.scoring, images[:1]
        with torch.inference_mode():
            noise_map = self.mapper(image, ["alone"])
            edges = edge_map(noise_map, scoring)
            points = features(edges, scoring.window).double().numpy()
            work: dict[str, Callable[[], object]] = {
                "noise_map": lambda: self.mapper(image, ["alone"]),
                "edge_map": lambda: edge_map(noise_map, scoring),
                "features": lambda: features(edges, scoring.window),
                "anomaly_map": lambda: anomaly_map(edges, scoring.smoothing),
                "detector": lambda: self.scorer.detector.score(points),
            }
            return {stage: 1000 * seconds_of(run, 30) for stage, run in work.items()}


SCORINGS = {
    "compact, whole image": (),
    "compact, windows every 24 px": ("scoring.field=stitched", "scoring.stride=24"),
    "compact, windows every 14 px": ("scoring.field=stitched", "scoring.stride=14"),
    "compact_wide, whole image": ("unet=compact_wide",),
    "unet=attention, windows every 14 px": ("unet=attention", "scoring.field=stitched", "scoring.stride=14"),
}


def scoring_times(*, repeats: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Milliseconds per image of all ways to score images of 100 × 100 px in grey."""
    images = torch.rand(_IMAGES, 1, _SIDE, _SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    ways = {label: Scoring(*overrides) for label, overrides in SCORINGS.items()}
    batch: Samples = {label: [] for label in ways}
    p50: Samples = {label: [] for label in ways}
    p99: Samples = {label: [] for label in ways}
    for way in ways.values():
        way.batch(images)  # builds kernels
    for repeat in range(repeats):
        for label, way in ways.items():
            batch[label].append(way.batch(images))
            spent = way.alone(images)
            p50[label].append(float(np.percentile(spent, 50)))
            p99[label].append(float(np.percentile(spent, 99)))
        say(f"scoring: round {repeat + 1} of {repeats}")
    return {
        label: {
            "parameters": parameter_count(way.network),
            "ms_per_image": summary(batch[label]),
            "ms_alone_p50": summary(p50[label]),
            "ms_alone_p99": summary(p99[label]),
            "stages_ms": way.stages(images),
            "whole_image_flops": forward_flops(way.network, images[:1]),
            "whole_image_bytes": layer_bytes(way.network, images[:1]),
        }
        for label, way in ways.items()
    }


def peaks() -> dict[str, float]:
    """Peak memory in MiB of fresh processes that do nothing, train, or score."""
    stages = {"imports alone": ["nothing"], "training, compact": ["training"], "scoring, compact": ["scoring"]}
    stages |= {
        "training, unet=attention": ["training", "unet=attention"],
        "scoring, unet=attention": ["scoring", "unet=attention", "scoring.field=stitched"],
    }
    return {label: peak_memory(*arguments) for label, arguments in stages.items()}


def peak_memory(*arguments: str) -> float:
    """MiB that a fresh `scripts.peak_memory` with these arguments reports."""
    command = [sys.executable, "-m", "scripts.peak_memory", *arguments]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


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
    images = torch.rand(64, 1, _SIDE, _SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    figures = {
        "environment": environment(torch.device("cpu"), "none"),
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
