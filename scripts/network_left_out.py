"""What leaving an image out of the network changes, beside leaving it out of the densities alone.

    python -m scripts.network_left_out experiment=recommended dataset=grid data_root=DATA output_root=FOLDER

A cross-fitted score comes from densities fitted without the image's group, and from a network that has learnt from it. Here each
fold of groups is scored a second time, as test images are, by the whole recipe fitted on the other folds: network, densities and
scales have seen nothing of it. Scores are those before the detector, whose unit (normals' median and spread) would differ from fold
to fold; it changes no order. The command is told by overrides of the experiment's config; trainings lie in the store below
`output_root`, so an interrupted one goes on.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np

from radar.compose import experiment
from radar.config.schema import Config
from radar.data.images import Images
from radar.data.sample import Split
from radar.errors import RunError
from radar.experiment.context import Context
from radar.experiment.devices import configure_torch
from radar.experiment.environment import environment
from radar.experiment.method_stages import MethodStages
from radar.experiment.session import OpenData, Session
from radar.files import write_text
from radar.methods.parts.cross_fitting import fold_numbers
from radar.methods.registry import method_of
from radar.progress import silent
from radar.report.result import NORMAL_HASH_DIGITS
from radar.training.device import resolve_device
from scripts.command_line import guarded

OUT = Path("docs/results/network_left_out.json")
NORMAL_SPLITS: tuple[Split, ...] = ("train", "validation")
_DIGITS = 6  # of a score


def left_out(config: Config) -> dict[str, Any]:
    """Scores of every normal, with densities left out and with everything left out, and what they say of the test normals."""
    if config.detector.threshold_on != "cross_fitted":
        raise RunError("its normals are not cross-fitted; give an experiment with detector=cross_fitted")
    session = Session(afresh=None)
    configure_torch(config.trainer, session.threads)
    data = session.open(config, silent)

    def stages(images: dict[Split, Images]) -> MethodStages:
        opened = OpenData(data.dataset, images)
        context = Context(session.store(config), opened, resolve_device(config.trainer), silent, lambda row: None)
        return MethodStages(method_of(config), context)

    whole, folds = stages(data.images), config.method.settings.fused_densities.folds
    normals = {split: data.images[split] for split in NORMAL_SPLITS}
    numbers = iter(fold_numbers([group for each in normals.values() for group in each.groups], folds))
    fold_of = {split: np.array([next(numbers) for _ in images.samples]) for split, images in normals.items()}
    unseen = {split: np.zeros(len(images)) for split, images in normals.items()}
    test = data.images["test"]
    for fold in sorted({*fold_of["train"], *fold_of["validation"]}):
        others = {split: images[np.flatnonzero(fold_of[split] != fold).tolist()] for split, images in normals.items()}
        for split, images in normals.items():
            places = np.flatnonzero(fold_of[split] == fold).tolist()
            if places:
                unseen[split][places] = stages({**others, "test": images[places]}).points["test"].value[:, 0]
    return {
        "dataset": config.dataset.name,
        "seed": config.seed,
        "folds": folds,
        "contamination": config.contamination.value,
        "test_normals": _rounded(whole.points["test"].value[test.labels == 0, 0]),
        "normals": [
            {
                "split": split,
                "folds": fold_of[split].tolist(),
                "content_hashes": [identity[:NORMAL_HASH_DIGITS] for identity in images.identities],
                "densities": _rounded(whole.points[split].value[:, 0]),
                "network_and_densities": _rounded(unseen[split]),
            }
            for split, images in normals.items()
        ],
        "environment": environment(resolve_device(config.trainer), data.dataset.manifest_hash, None),
    }


def _rounded(values: Any) -> list[float]:
    return [float(f"{value:.{_DIGITS}g}") for value in values]


def main() -> int:
    """Measure and write; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="+", help="of the experiment's config")
    parser.add_argument("--out", type=Path, default=OUT, help="JSON file")
    parsed = parser.parse_args()
    told = [text for text in parsed.overrides if not text.startswith(("data_root=", "output_root="))]
    command = shlex.join(["python", "-m", "scripts.network_left_out", *told])
    found = {"command": command, **left_out(experiment(parsed.overrides))}
    write_text(parsed.out, json.dumps(found, separators=(",", ":")) + "\n")
    print(f"written: {parsed.out}")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
