"""What is typed of a group and decided by a preset of one's own, or a primary config, is refused: values come after groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from radar.compose import command_line
from radar.compose.plan import plan
from radar.errors import ConfigError

PRESET = """# @package _global_
defaults:
  - override /detector: upper_tail
preset: mine
contamination: {value: 0.2}
diffusion: {timestep_sampling: log_uniform}
evaluation: {figures: false}
"""
PRIMARY = "defaults: [config, _self_]\ntimestep: {value: 3}\n"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(PRESET)
    (tmp_path / "primary.yaml").write_text(PRIMARY)
    return f"--config-dir={tmp_path}"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["experiment=mine", "contamination=c01"],
         "contamination=c01: experiment=mine decides contamination.value in its place, 0.2; leave one of both out, or say "
         "contamination.value=0.01 as well"),
        (["contamination=c05", "experiment=mine"], "contamination=c05: experiment=mine decides contamination.value in its place, 0.2"),
        (["-m", "experiment=mine,fast", "contamination=c01,c10"], "contamination=c01: experiment=mine decides"),
        (["--config-name=primary", "timestep=t5"], "timestep=t5: config primary decides timestep.value in its place, 3"),
    ],
)  # fmt: skip
def test_an_option_of_which_nothing_is_left_is_refused(folder: str, words: list[str], told: str) -> None:
    with pytest.raises(ConfigError) as error:
        plan(command_line.read([folder, *words]))
    assert str(error.value).startswith(told)


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["experiment=mine", "contamination=c01", "contamination.value=0.01"], "contamination.value", 0.01),
        (["experiment=mine", "contamination=c20"], "contamination.value", 0.2),
        (["experiment=mine", "contamination.value=0.1"], "contamination.value", 0.1),
        (["experiment=mine", "diffusion=cosine"], "diffusion.schedule", "cosine"),
        (["experiment=mine", "detector=shifted_tail"], "detector.threshold", "shifted"),
        (["experiment=recommended", "contamination=c10"], "contamination.value", 0.1),
        (["--config-name=primary", "timestep.value=4"], "timestep.value", 4),
        (["--config-name=primary", "patch=14x14"], "patch.size", 14),
    ],
)
def test_an_option_that_decides_something_is_taken(folder: str, words: list[str], key: str, value: object) -> None:
    (job,) = plan(command_line.read([folder, *words])).jobs
    section, leaf = key.split(".")
    assert getattr(getattr(job.config, section), leaf) == value
