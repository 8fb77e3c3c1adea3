"""One model and what `radar export` leaves of it: tracing takes seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from export_builders import model_of, photos

from radar.cli.main import main as radar_main
from radar.model import Model
from radar.model_card import COUNTS
from radar.model_folder import save


@pytest.fixture(scope="session")
def model() -> Model:
    return model_of("residual")


@pytest.fixture(scope="session")
def written(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command leaves."""
    run = tmp_path_factory.mktemp("run")
    save(model, run / "model", dict.fromkeys(COUNTS, 0))
    photos(run / "photos", 3)
    assert radar_main(["export", str(run), "--to", "onnx", "regions=7", "--verify", str(run / "photos")]) == 0
    return run / "export_onnx"


@pytest.fixture
def copied(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "copied"))
