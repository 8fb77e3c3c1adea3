"""Quality after fixed numbers of training steps: our network and recipe beside a peer's U-Net, over several seeds.

    python -m scripts.training_curves dataset=grid data_root=DATA      needs the extra `bench`

Three trainings per seed, of networks with equal FLOPs: our compact U-Net with the recipe of `experiment=fast`; the peer's U-Net
in our loop with the same recipe; the peer's U-Net in a plain Lightning loop (uniform timesteps, AdamW at a constant 1e-3, no
average of the weights). Each is scored at the same steps, never chosen by the score. Seconds count training alone. A finished
training is appended to `--out` as it ends; one that is there already is not repeated.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import nn

from radar.compose import experiment
from radar.config.schema import Config
from radar.experiment.environment import environment
from radar.experiment.session import OpenData, Session
from radar.progress import silent
from radar.training.module import TrainingModule
from scripts.command_line import guarded, positive
from scripts.compared_unets import build_network
from scripts.image_auroc import RadarOnData
from scripts.training_loops import AtSteps, train_in_our_loop, train_plainly

SIZE = "34 MFLOP"
TRAININGS = {  # name: network, loop, how it is scored
    "radar, fast recipe": ("radar", "our", "whole"),
    "peer, fast recipe": ("{peer}", "our", "stitched"),
    "peer, plain loop": ("{peer}", "plain", "stitched"),
}
Row = dict[str, float]


def scored_as(config: Config, data: OpenData, field: str) -> RadarOnData:
    """How a network's quality is taken: with `field` stitched, in windows of the training size, 24 px apart.

    Those suit networks that look at the whole map, and 24 px is the cheapest distance that covers it.
    """
    return RadarOnData(replace(config, scoring=replace(config.scoring, field=field, stride=24)), data)


def curve(network: nn.Module, config: Config, *, loop: str, scored: RadarOnData, milestones: list[int]) -> list[Row]:
    """Train once, and take the quality at the milestones."""
    rows: list[Row] = []
    began = 0.0

    def measure(step: int, module: lightning.LightningModule) -> None:
        nonlocal began
        if step == 1:  # the first step builds kernels
            began = time.perf_counter()
            return
        paused = time.perf_counter()
        trained: nn.Module = module.average if isinstance(module, TrainingModule) else network
        was_training = trained.training
        rows.append({"step": step, "seconds": paused - began, **scored.aurocs(trained)})
        trained.train(was_training)
        began += time.perf_counter() - paused

    follower = AtSteps([1, *milestones], measure)
    steps = milestones[-1] + 1
    train, held_out = (scored.data.images[split].network_planes for split in ("train", "validation"))
    if loop == "plain":
        train_plainly(network, train.whole, config=config, steps=steps, learning_rate=1e-3, callback=follower)
    else:
        training = replace(config.training, max_steps=steps, epoch_steps=steps)
        train_in_our_loop(network, train, held_out, config=replace(config, training=training), followers=[follower])
    return rows


def study(
    config: Config, *, peer: str, seeds: list[int], milestones: list[int], out: Path, say: Callable[[str], None]
) -> None:
    """All trainings that `out` does not have yet; each is appended as it ends."""
    data = Session(afresh=None).open(config, silent)
    known = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    done = {(each["dataset"], each["training"], each["seed"], tuple(each["milestones"])) for each in known}
    for seed in seeds:
        for name, (kind, loop, field) in TRAININGS.items():
            if (config.dataset.name, name, seed, tuple(milestones)) in done:
                continue
            settings = replace(config, seed=seed)
            chosen = kind.format(peer=peer)
            rows = curve(
                build_network(chosen, SIZE, settings),
                settings,
                loop=loop,
                scored=scored_as(settings, data, field),
                milestones=milestones,
            )
            record: dict[str, Any] = {
                "dataset": config.dataset.name,
                "training": name,
                "network": f"{chosen}, {SIZE}",
                "seed": seed,
                "milestones": milestones,
                "rows": rows,
                "environment": environment(torch.device("cpu"), data.dataset.manifest_hash, data.dataset.masks_hash),
            }
            with out.open("a") as file:
                file.write(json.dumps(record, sort_keys=True) + "\n")
            say(f"{name}, seed {seed}: {rows}")


def main() -> int:
    """Run the study as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", choices=["diffusers", "monai"], default="diffusers")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--milestones", type=positive, nargs="+", default=[25, 50, 100, 200, 400, 800])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("overrides", nargs="*")
    parsed = parser.parse_intermixed_args()
    config = experiment(["experiment=fast", *parsed.overrides])
    study(config, peer=parsed.peer, seeds=parsed.seeds, milestones=sorted(parsed.milestones), out=parsed.out, say=print)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
