"""Score a finished run again at other overlaps, and print what quality and cost each has.

    python -m scripts.overlap RUN… [--strides 4 7 14 24 28] --out docs/results/overlap.jsonl

The network stays as it was trained; noise maps, the detector and its threshold are made anew for each overlap, from normal images
alone. Milliseconds are those of an image from noise map to features, in this one run.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import radar
from radar.errors import RunError
from radar.experiment.environment import environment
from radar.experiment.session import Session
from radar.methods.radar import FittedRadar
from radar.progress import silent
from scripts.command_line import guarded, positive
from scripts.image_auroc import RadarOnData


def overlaps(path: Path, strides: list[int]) -> list[dict[str, Any]]:
    """One row per stride, and one for the whole image in one pass."""
    model = radar.load(path)
    if not isinstance(model.method, FittedRadar) or model.method.density is not None:
        raise RunError(f"{path}: method.name={model.config.method.name}: name a run of RADAR without a density")
    config, network = model.config, model.method.denoiser.network
    data = Session(afresh=None).open(config, silent)
    rows = []
    for stride in (*strides, None):
        field = "whole" if stride is None else "stitched"
        scoring = replace(config.scoring, field=field, stride=stride or config.scoring.stride)
        scored = RadarOnData(replace(config, scoring=scoring), data)
        began = time.perf_counter()
        for images in data.images.values():
            scored.maps(network, images)
        spent = time.perf_counter() - began
        rows.append(
            {
                "dataset": config.dataset.name,
                "unet": config.unet.kind,
                "channels": config.unet.channels,
                "seed": config.seed,
                "field": field,
                "stride": stride,
                **scored.aurocs(network),
                "ms_per_image": 1000 * spent / sum(len(images) for images in data.images.values()),
                "environment": environment(torch.device("cpu"), data.dataset.manifest_hash, data.dataset.masks_hash),
            }
        )
    return rows


def main() -> int:
    """Score the runs that the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--strides", type=positive, nargs="+", default=[4, 7, 14, 24, 28])
    parser.add_argument("--out", type=Path, required=True)
    parsed = parser.parse_args()
    if parsed.out.exists():
        print(f"overlap: {parsed.out}: is there already; name another file", file=sys.stderr)
        return 2
    for path in parsed.runs:
        for row in overlaps(path, parsed.strides):
            with parsed.out.open("a") as file:
                file.write(json.dumps(row, sort_keys=True) + "\n")
            print(row["seed"], row["field"], row["stride"], row["image_auroc"], f"{row['ms_per_image']:.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
