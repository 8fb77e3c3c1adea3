"""Print the peak memory of this process, in MiB, after one kind of work on random images, as `experiment=fast` does it.

python -m scripts.peak_memory training|scoring|nothing [--side 100] [--images 32] [--steps 10] [key=value …]
"""

from __future__ import annotations

import argparse
import platform
import resource
import sys
from dataclasses import replace
from pathlib import Path

import torch

from radar.compose import experiment
from radar.config.schema import Config
from radar.networks.build import build_unet
from radar.rasters import Rasters
from scripts.command_line import guarded, positive
from scripts.measuring import untrained_model
from scripts.training_loops import train_in_our_loop


def work(stage: str, config: Config, images: torch.Tensor, steps: int) -> None:
    """Train a few steps on `images`, score them, or do nothing."""
    if stage == "training":
        training = replace(config.training, max_steps=steps, epoch_steps=steps, warmup_steps=0)
        network = build_unet(config.unet, patch_size=config.patch.size, image_channels=1, seed=config.seed)
        train_in_our_loop(
            network, Rasters.of(images), Rasters.of(images[:2]), config=replace(config, training=training)
        )
    elif stage == "scoring":
        untrained_model(config).score(images)


def peak_memory_mib() -> float:
    """Largest resident memory of this process so far, MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux hands ru_maxrss on from the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if platform.system() == "Darwin" else peak / 1024


def main() -> int:
    """Do the work that the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["training", "scoring", "nothing"])
    parser.add_argument("--side", type=positive, default=100)
    parser.add_argument("--images", type=positive, default=32)
    parser.add_argument("--steps", type=positive, default=10)
    parser.add_argument("overrides", nargs="*")
    parsed = parser.parse_intermixed_args()
    config = experiment(["experiment=fast", *parsed.overrides])
    work(parsed.stage, config, torch.rand(parsed.images, 1, parsed.side, parsed.side) * 2 - 1, parsed.steps)
    print(peak_memory_mib())
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
