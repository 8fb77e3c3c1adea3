"""What defective images among the normal ones do to a recipe, and how many of them a run names.

    python -m scripts.contaminated_normals experiment=recommended dataset=grid seed=0 data_root=DATA output_root=FOLDER

Some defective test images, drawn by the seed, are learnt from as good ones; the other images of their groups are left out. Three runs
are tested on the same images that are left: learnt from sound images alone, from these with the bad ones among them, and from what
remains of those once all that the run named is taken away, sound ones among it, too. Rows are added to the file, in the place of those
of the same command and share.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from radar.compose import experiment
from radar.data.manifest import write_manifest
from radar.data.sample import NORMAL_DEFECT, Sample
from radar.errors import RunError
from radar.experiment.run_directory import RunDirectory
from radar.experiment.session import Session
from radar.files import write_json
from radar.progress import silent
from radar.report.result import Result
from radar.report.stored import read_run
from radar.report.suspects import suspects
from scripts.command_line import circumstances, guarded

OUT = Path("docs/results/contaminated_normals.json")
SHARES = (0.05, 0.1)
_WORDS = (
    "method.controls=[]",
    "dataset.near_duplicates=ignore",
    "trainer.progress=false",
    "logger=csv",
    "evaluation.figures=false",
)
_FOLDER = re.compile(r"^(?:Results|Done before, reused .*): (.+)$", re.MULTILINE)  # of a run, as it prints it


def contaminated(samples: Sequence[Sample], share: float, seed: int) -> tuple[list[Sample], set[str]]:
    """The split with defective test images among its training normals, a `share` of these, and their paths.

    Other test images of their groups are left out. Raises `RunError` where the test images are too few for it.
    """
    normals = [each for each in samples if each.split == "train"]
    defective = [each for each in samples if each.split == "test" and each.label == 1]
    wanted = max(1, round(share * len(normals)))
    if 2 * wanted > len(defective):
        raise RunError(
            f"{wanted} of {len(defective)} defective images leave too few to test with; ask for a smaller share"
        )
    order = np.random.default_rng(seed).permutation(len(defective))
    planted = [defective[place] for place in order[:wanted]]
    paths, groups = {each.path for each in planted}, {each.group for each in planted}
    kept = [each for each in samples if each.split != "test" or each.group not in groups]
    bad = [replace(each, split="train", label=0, defect=NORMAL_DEFECT, mask=None) for each in planted]
    return [*kept, *bad], paths


def ran(overrides: Sequence[str], samples: Sequence[Sample], folder: Path) -> Result:
    """The result of the experiment on a split. Raises `RunError`."""
    manifest = folder / "manifest.csv"
    write_manifest(samples, manifest)
    words = [*overrides, *_WORDS, f"dataset.manifest={manifest}"]
    ended = subprocess.run([sys.executable, "-m", "radar", *words], text=True, capture_output=True, check=False)
    found = _FOLDER.search(ended.stdout)
    if ended.returncode or found is None:
        raise RunError(f"{shlex.join(words)}: exit code {ended.returncode}: {ended.stderr.strip()[-300:]}")
    return read_run(RunDirectory(Path(found[1])))


def row(overrides: Sequence[str], samples: Sequence[Sample], share: float, seed: int, folder: Path) -> dict[str, Any]:
    """The three runs of one share of bad images."""
    with_bad, planted = contaminated(samples, share, seed)
    sound = ran(overrides, [each for each in with_bad if each.path not in planted], folder)
    bad = ran(overrides, with_bad, folder)
    named = set(suspects(bad)[0])
    sorted_out = ran(overrides, [each for each in with_bad if each.path not in named], folder)
    return {
        "dataset": sound.dataset,
        "seed": seed,
        "share": share,
        "normals": sum(len(each.scores) for each in sound.normals),
        "planted": len(planted),
        "planted_named": len(named & planted),
        "sound_named": len(named - planted),
        "sound_named_without_planted": len(suspects(sound)[0]),
        **{
            name: {"image_auroc": result.metrics.image.auroc, "f1": result.metrics.image.f1,
                   "false_positive_rate": result.metrics.image.false_positive_rate, "recall": result.metrics.image.recall}
            for name, result in (("sound", sound), ("contaminated", bad), ("sorted_out", sorted_out))
        },
    }  # fmt: skip


def main() -> int:
    """Measure and write, a row at a time; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="+", help="of the experiment's config")
    parser.add_argument("--to", type=Path, default=OUT, help="JSON file")
    parsed = parser.parse_args()
    config = experiment(parsed.overrides)
    samples = Session(afresh=None).open(config, silent).dataset.samples
    told = [text for text in parsed.overrides if not text.startswith(("data_root=", "output_root="))]
    for share in SHARES:
        with TemporaryDirectory() as folder:
            found = row(parsed.overrides, samples, share, config.seed, Path(folder))
        found |= circumstances(shlex.join(["python", "-m", "scripts.contaminated_normals", *told]))
        _add(parsed.to, found)
        print(json.dumps(found))
    return 0


def _add(path: Path, found: dict[str, Any]) -> None:
    known = json.loads(path.read_text())["rows"] if path.exists() else []
    own = [found[name] for name in ("command", "share")]
    rows = [each for each in known if [each[name] for name in ("command", "share")] != own]
    rows.append(found)
    write_json(path, {"rows": sorted(rows, key=lambda each: (each["dataset"], each["seed"], each["share"]))})


if __name__ == "__main__":
    sys.exit(guarded(main))
