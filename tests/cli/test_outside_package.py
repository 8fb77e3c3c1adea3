"""A package of someone else's, built and installed: its method and its layout train, resume, sweep, report and are loaded again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from radar.cli.exit_codes import REFUSED

REPOSITORY = Path(__file__).resolve().parents[2]
# a network, something learnt, a key of its own: the two files that the page on methods shows
PAGE = (REPOSITORY / "docs" / "extending.md").read_text(encoding="utf-8").partition("# A method of your own")[2]
METHOD, METHOD_CONFIG = (PAGE.partition(f"```{kind}\n")[2].partition("```")[0] for kind in ("python", "yaml"))

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "inspection-additions"
version = "1.0"

[project.entry-points."radar.methods"]
nearest_mean = "inspection_additions.nearest_mean:NearestMeanMethod"

[project.entry-points."radar.layouts"]
shifts = "inspection_additions.shifts:ShiftsLayout"
"""

LAYOUT = '''
from dataclasses import dataclass

from radar.config.fields import number
from radar.data.layouts.files import FilesLayout, image_files, mask_file, relative, subfolders
from radar.data.layouts.layout import Entry
from radar.data.sample import NORMAL_DEFECT


@dataclass
class ShiftsSettings:
    shifts: int = number(minimum=1)  # folders of normal images


class ShiftsLayout(FilesLayout):
    """`shift<K>/*` are normal; other folders are defects, with masks in `<defect>/where`."""

    name = "shifts"
    Settings = ShiftsSettings

    def find(self, folder):
        normal = [f"shift{index}" for index in range(self.settings.shifts)]
        for each in subfolders(folder):
            for path in image_files(each):
                shown = relative(path, folder)
                if each.name in normal:
                    yield Entry(shown, 0, NORMAL_DEFECT, None, shown, None)
                else:
                    yield Entry(shown, 1, each.name, relative(mask_file(each / "where", path), folder), shown, None)
'''

DATASET_CONFIG = """
defaults: [_base]
name: shifts
layout: shifts
category: null
root: ???
split: random
near_duplicates: ignore
validation_fraction: 0.2
shifts: {shifts: 2}
"""

DRAWN = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
random = np.random.default_rng(0)
root = Path(sys.argv[1])
for name, count in (("shift0", 8), ("shift1", 8), ("scratch", 4)):
    (root / name / "where").mkdir(parents=True)
    for index in range(count):
        values = random.integers(90, 160, (32, 32), dtype=np.uint8)
        if name == "scratch":
            values[8:20, 8:20] = 255
            mask = np.zeros((32, 32), dtype=np.uint8)
            mask[8:20, 8:20] = 255
            Image.fromarray(mask).save(root / name / "where" / f"{index}.png")
        Image.fromarray(values).save(root / name / f"{index}.png")
"""

ASKED = """
import csv, sys
from pathlib import Path
import radar
model = radar.load(sys.argv[1])
rows = [row for row in csv.DictReader(open(Path(sys.argv[1]) / "scores.csv")) if row["split"] == "test"]
found = model.score([Path(sys.argv[2]) / row["path"] for row in rows])
assert [float(row["score"]) for row in rows] == list(found.scores), "other scores"
print("equal", len(rows))
"""

QUICK = (
    "method=nearest_mean", "dataset=shifts", "dataset.image.size=32", "experiment=debug", "patch=14x14", "trainer.threads=1",
    "evaluation.figures=false", "training.max_steps=8", "training.epoch_steps=4",
)  # fmt: skip


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The python of a new environment in which the built package is installed, beside what these tests run with."""
    folder = tmp_path_factory.mktemp("outside")
    source = folder / "source" / "inspection_additions"
    (source / "conf" / "method").mkdir(parents=True)
    (source / "conf" / "dataset").mkdir()
    for path, text in {
        source.parent / "pyproject.toml": PROJECT,
        source / "__init__.py": "",
        source / "nearest_mean.py": METHOD,
        source / "shifts.py": LAYOUT,
        source / "conf" / "method" / "nearest_mean.yaml": METHOD_CONFIG,
        source / "conf" / "dataset" / "shifts.yaml": DATASET_CONFIG,
    }.items():
        path.write_text(text)
    run(sys.executable, "-m", "venv", "--without-pip", str(folder / "env"))
    python = folder / "env" / "bin" / "python"
    site = Path(run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source.parent)]
    run(*build)
    (wheel,) = folder.glob("*.whl")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel))
    (site / "beside.pth").write_text(f"{REPOSITORY}\n{sysconfig.get_path('purelib')}\n")
    run(str(python), "-c", DRAWN, str(folder / "images"))
    return python


def run(*command: str, code: int = 0, **environment: str) -> str:
    answer = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1", **environment}, capture_output=True, text=True, check=False
    )
    assert answer.returncode == code, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


@pytest.mark.slow
def test_a_package_outside_the_repository_adds_a_method_and_a_layout(environment: Path, tmp_path: Path) -> None:
    images, outputs = environment.parents[2] / "images", tmp_path / "outputs"
    places = (f"dataset.root={images}", f"output_root={outputs}")

    def radar(*arguments: str, code: int = 0, **variables: str) -> str:
        return run(str(environment), "-m", "radar", *arguments, code=code, **variables)

    assert "nearest_mean" in radar(*QUICK, *places)
    (directory,) = outputs.glob("shifts-*")
    metrics = json.loads((directory / "metrics.json").read_text())
    assert list(metrics["features"]) == ["map_statistic"]
    assert metrics["pixel"]["auroc"] > 0.5
    assert list(metrics["controls"]) == ["mean_brightness", "raw_sobel", "same_untrained"]
    assert "reused" in radar(*QUICK, *places)
    (directory / "status.json").unlink()  # as if it had been killed after its training
    assert "reused" not in radar(*QUICK, *places)
    assert not json.loads((directory / "metrics.json").read_text())["network"]["trained_by_this_run"]
    sweep = radar("-m", *QUICK[1:], *places, "method=nearest_mean,pca", "contamination=c05,c20")
    assert sweep.count("shifts-") >= 4
    assert run(str(environment), "-c", ASKED, str(directory), str(images)).startswith("equal")
    radar("report", str(outputs), "--out", str(tmp_path / "report"))
    assert "nearest_mean" in (tmp_path / "report" / "tables" / "tables.md").read_text()


@pytest.mark.slow
def test_its_key_is_checked_and_its_name_is_needed(environment: Path, tmp_path: Path) -> None:
    images = environment.parents[2] / "images"
    places = (f"dataset.root={images}", f"output_root={tmp_path}")
    refused = run(str(environment), "-m", "radar", *QUICK, *places, "method.strength=-1", code=REFUSED)
    assert "method.strength=-1" in refused
    assert "must be > 0" in refused
    without = run(
        sys.executable, "-m", "radar", "experiment=debug", "+method.name=nearest_mean", *places[1:], code=REFUSED
    )
    assert without.startswith("radar: ")
    assert len(without.splitlines()) == 1
