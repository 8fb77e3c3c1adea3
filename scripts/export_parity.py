"""How far exported models are from the ones that they were exported from, on real images, into docs/results/export_parity.jsonl.

    python -m scripts.export_parity --data FOLDER --work FOLDER [--sets grid …] [--presets recommended …]

Networks are trained for a moment only, on a few images of each set: whether two runtimes compute the same does not depend on
how good a network is. A record of a set, a preset and a target takes the place of an older one.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from radar.cli.main import main as radar
from radar.compose import experiment
from radar.compose.settings import verb_settings
from radar.config.verbs import PredictConfig
from radar.data.dataset import open_dataset
from radar.data.layouts.files import FilesLayout
from radar.data.manifest import write_manifest
from radar.data.sample import Sample
from radar.deploy.export import written
from radar.deploy.graph import onnx_graph, size_of
from radar.deploy.parity import parity
from radar.errors import RunError
from radar.files import read_lines, write_lines
from radar.methods.relevance import unread_by
from radar.model import Model
from radar.model_folder import load
from radar.runtime.exported import load as load_exported
from radar.runtime.manifest import TARGETS
from scripts.command_line import guarded
from scripts.pages.committed import RESULTS

SETS = (
    "grid", "wood_quads", "leather_quads", "magnetic_tile", "aitex_00", "piped_PA_BDP01_TL", "piped_PA_BRG01_RL", "piped_PA_BRG03_TL",
    "piped_PA_BTN01_RL", "piped_PA_FVN01_TL", "piped_PA_GLA01_TL",
)  # fmt: skip
PRESETS = ("recommended", "paper", "noise_free", "density", "patchcore", "padim")
_KEPT = {"train": 16, "validation": 6, "normal": 4, "anomalous": 4}  # images, the last two of the test images
_QUICK = (
    "trainer.threads=1", "trainer.accelerator=cpu", "logger=csv", "evaluation.figures=false", "evaluation.panels=0",
    "dataset.near_duplicates=ignore",
)  # fmt: skip
_BRIEF = {
    "training.max_steps": 20,
    "training.warmup_steps": 5,
    "training.epoch_steps": 20,
}  # where a network is trained
_RECORDS = "export_parity.jsonl"


def main() -> int:
    """Add the records; returns the exit code, 1 where a model and its export disagree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="data_root")
    parser.add_argument("--work", type=Path, required=True, help="for runs and exports")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, metavar="SET")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=("recommended",), metavar="PRESET")
    parser.add_argument("--records", type=Path, default=RESULTS / _RECORDS)
    parsed = parser.parse_args()
    holds = True
    for name in parsed.sets:
        for preset in parsed.presets:
            model, files = _trained(name, preset, parsed.data, parsed.work)
            for record in _records(name, preset, model, files, parsed.work):
                _add(parsed.records, record)
                print(json.dumps(record), flush=True)
                holds = holds and record["holds"]
    return 0 if holds else 1


def _trained(name: str, preset: str, data: Path, work: Path) -> tuple[Model, list[Path]]:
    """A model of a few images of a set, and the test images to ask it about."""
    words = [f"experiment={preset}", f"dataset={name}", f"data_root={data}", *_QUICK]
    config = experiment(words)
    words += [f"{key}={value}" for key, value in _BRIEF.items() if unread_by(config, key) is None]
    dataset = open_dataset(config.dataset)
    folder = cast(FilesLayout, dataset.layout).folder  # as all of SETS are files
    samples = list(_few(dataset.samples))
    manifest = work / f"{name}.csv"
    write_manifest(samples, manifest)
    root = work / f"{name}_{preset}"
    with redirect_stdout(sys.stderr):
        code = radar([*words, f"dataset.manifest={manifest}", f"output_root={root}"])
    if code:
        raise RunError(f"{preset} on {name}: exit code {code}")
    (run,) = {path.parent.parent for path in root.glob("*/model/model.json")}
    return load(run), [folder / sample.path for sample in samples if sample.split == "test"]


def _few(samples: Sequence[Sample]) -> Iterator[Sample]:
    """The first of each part, one of a group after the other so that sheets are not mixed."""
    for split in ("train", "validation"):
        yield from [each for each in samples if each.split == split][: _KEPT[split]]
    test = [each for each in samples if each.split == "test"]
    for label, kind in ((0, "normal"), (1, "anomalous")):
        own = [each for each in test if each.label == label]
        yield from own[:: max(1, len(own) // _KEPT[kind])][: _KEPT[kind]]


def _records(name: str, preset: str, model: Model, files: Sequence[Path], work: Path) -> Iterator[dict[str, Any]]:
    """One of each target, whose graph is traced once."""
    size = size_of(model)
    graph, settings = onnx_graph(model, size), verb_settings(PredictConfig, "predict", [])
    for target in TARGETS:
        folder = work / f"{name}_{preset}_{target}"
        written(model, graph, size, folder, target, settings=settings)
        found = parity(model, load_exported(folder), files)
        disagreements = [{**asdict(each), "path": Path(each.path).name} for each in found.disagreements]
        yield {
            "set": name, "preset": preset, "target": target, **asdict(found), "disagreements": disagreements, "holds": found.holds(),
            "made": datetime.now(UTC).date().isoformat(),
            "command": f"python -m scripts.export_parity --sets {name} --presets {preset}",
            "machine": f"{platform.machine()}, {platform.system()}",
            "versions": {each: version(each) for each in ("torch", "onnxruntime", "openvino", "numpy", "pillow")},
        }  # fmt: skip


def _add(path: Path, record: dict[str, Any]) -> None:
    """In the order of sets, presets and targets."""
    keys = ("set", "preset", "target")
    known = [json.loads(line) for line in read_lines(path)] if path.exists() else []
    kept = [each for each in known if [each[key] for key in keys] != [record[key] for key in keys]]
    rows = sorted(
        [*kept, record], key=lambda each: (SETS.index(each["set"]), PRESETS.index(each["preset"]), each["target"])
    )
    write_lines(path, [json.dumps(each) for each in rows])


if __name__ == "__main__":
    sys.exit(guarded(main))
