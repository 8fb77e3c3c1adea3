"""The wheel carries the config tree and the committed manifests, and runs from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import radar

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_installed_wheel_runs_from_another_folder(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path / "dist"), str(REPOSITORY)],
        check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.name.startswith(radar.DISTRIBUTION.replace("-", "_"))
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    assert (site / "radar" / "conf" / "config.yaml").exists()
    assert list((site / "radar" / "data" / "manifests").glob("*.csv"))
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    quick = ["experiment=debug", "training.max_steps=2", "training.epoch_steps=2", "trainer.threads=1",
             "dataset.validation_fraction=0.4",
    "dataset.synthetic.train=6", "dataset.synthetic.test_normal=2", "dataset.synthetic.test_defective=5",
             "method.controls=[]"]  # fmt: skip
    answer = subprocess.run(
        [sys.executable, "-c", "import sys, radar; print(radar.__file__); from radar.cli.main import main; sys.exit(main())", *quick],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(str(site))
    assert list((folder / "outputs").glob("printed_layers-*/metrics.json"))
