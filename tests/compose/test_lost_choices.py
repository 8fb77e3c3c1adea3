"""What is typed of a group and decided by a preset of one's own, or a primary config, is refused: values come after groups."""

from __future__ import annotations

from dataclasses import replace
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


OPTIONS = {
    "experiment/mine": PRESET,
    "experiment/levels": "# @package _global_\ndefaults:\n  - override /unet: small\nunet: {attention_levels: [0]}\n",
    "experiment/resolved": "# @package _global_\ncontamination:\n  value: ${oc.decode:'0.01'}\n",
    "experiment/brings": "# @package _global_\ndefaults: [/extra: a]\ncontamination: {value: 0.2}\n",
    "extra/a": "# @package timestep\nvalue: 2\n",
    "extra/b": "# @package timestep\nvalue: 3\n",
    "contamination/quoted": "value: '0.05'\n",
    "contamination/late": "# five percent, – so far\n# @package _global_\nvalue: 0.03\n",
    "contamination/tail": "value: 0.03\n# @package nowhere\n",
    "working_size/rate": "# @package contamination\nvalue: 0.07\n",
    "primary": PRIMARY,
}


@pytest.fixture
def folder(tmp_path: Path) -> str:
    for name, text in OPTIONS.items():
        (tmp_path / f"{name}.yaml").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return f"--config-dir={tmp_path}"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["experiment=mine", "contamination=c01"],
         "contamination=c01: experiment=mine decides contamination.value in its place, 0.2; leave one of both out, or say "
         "contamination.value=0.01 as well"),
        (["contamination=c05", "experiment=mine"], "contamination=c05: experiment=mine decides contamination.value in its place, 0.2"),
        (["-m", "experiment=mine,fast", "contamination=c01,c10"], "contamination=c01: experiment=mine decides"),
        (["experiment=mine", "contamination=c01.yaml"], "contamination=c01.yaml: experiment=mine decides contamination.value"),
        (["experiment=mine", "contamination=late"], "contamination=late: experiment=mine decides contamination.value"),
        (["experiment=brings", "extra=b", "contamination=c01"], "contamination=c01: experiment=brings decides contamination.value"),
        (["--config-name=primary", "timestep=t5"], "timestep=t5: config primary decides timestep.value in its place, 3"),
        (["--config-name=primary", "experiment=fast", "timestep=t5"], "timestep=t5: config primary decides timestep.value"),
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
        (["experiment=levels", "unet=no_attention"], "unet.channels", [16, 32, 64]),
        (["experiment=resolved", "contamination=c01"], "contamination.value", 0.01),
        (["experiment=debug", "contamination=quoted"], "contamination.value", 0.05),
        (["experiment=debug", "contamination=late"], "contamination.value", 0.03),
        (["experiment=debug", "contamination=tail"], "contamination.value", 0.03),
        (["experiment=brings", "extra=b"], "contamination.value", 0.2),
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


@pytest.mark.parametrize(("typed", "refused"), [((), False), (("experiment=mine",), True)])
def test_what_a_run_keeps_is_not_typed_but_a_preset_that_is_may_decide_in_its_place(
    folder: str, typed: tuple[str, ...], refused: bool
) -> None:
    stored = ("contamination=c01", *(() if typed else ("experiment=mine",)))
    line = replace(command_line.read([folder, *typed]), presets=stored)
    if refused:
        with pytest.raises(ConfigError, match="contamination=c01: experiment=mine decides"):
            plan(line)
    else:
        assert plan(line).jobs[0].config.contamination.value == 0.2
