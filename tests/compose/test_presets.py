"""Every experiment file names itself as the preset, and none sets tags, which are the user's free words."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

FILES = sorted((Path(__file__).resolve().parents[2] / "conf" / "experiment").glob("*.yaml"))
OF_PAPER = ("paper_prints", "paper_tile")  # the same recipe with a data set, so the same preset


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_experiment_names_its_preset(file: Path) -> None:
    content = OmegaConf.load(file)
    assert "tags" not in content
    if file.stem in OF_PAPER:
        assert "preset" not in content
        assert "paper" in content["defaults"]
    else:
        assert content["preset"] == file.stem
