"""The W&B workspace: every key that a panel asks for is one that a run logs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest

from radar.config.schema import Config
from radar.experiment.run import Experiment, run_experiment
from radar.experiment.session import Session
from radar.progress import silent
from radar.report.observer import RunObserver
from radar.report.settings import flat
from scripts import wandb_workspace
from scripts.wandb_workspace import AXES, LOSSES, workspace

SMALL = (
    "dataset.synthetic.side=48", "dataset.synthetic.train=12", "dataset.synthetic.test_normal=6", "dataset.validation_fraction=0.25",
    "dataset.synthetic.test_defective=8", "dataset.image.size=48", "patch=14x14", "unet=small", "scoring.stride=7",
    "training.max_steps=4", "training.epoch_steps=4", "training.batch_size=4", "training.validation_patches=8",
    "training.warmup_steps=1", "trainer=cpu", "logger=csv", "evaluation.figures=false",
)  # fmt: skip


def built() -> dict[str, Any]:
    return json.loads(workspace("someone", "parts", AXES)._to_model().model_dump_json(by_alias=True))


def texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    for each in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from texts(each)


def test_panels_ask_for_what_a_run_logs(composed: Callable[..., Config]) -> None:
    outcome = run_experiment(Experiment(composed(*SMALL), silent, Session(afresh=None)), observer=RunObserver(None))
    logged, found = set(outcome.metrics.flat()), set(texts(built()))
    summary = {
        each.removeprefix("summary:").removeprefix("summary_metrics.") for each in found if each.startswith("summary")
    }
    assert len(summary) >= 10
    of_other_methods = {"controls/same_without_network/image/auroc"}  # this one is nothing without its network
    assert summary - of_other_methods <= logged
    assert of_other_methods <= summary
    columns = (outcome.directory / "history.csv").read_text().splitlines()[0].split(",")
    assert {"step", *LOSSES} <= set(columns)


def test_axes_are_keys_of_the_config(composed: Callable[..., Config]) -> None:
    keys = set(flat(asdict(composed())))
    assert set(AXES) | {"dataset.name"} <= keys
    assert "config:timestep.value.value" in set(texts(built()))


def test_printing_needs_no_network(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["wandb_workspace", "--entity", "someone", "--project", "parts", "--print", "--axes", "seed"]
    monkeypatch.setattr(sys, "argv", command)
    assert wandb_workspace.main() == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["entity"], printed["project"], printed["displayName"]) == ("someone", "parts", "radar")
    assert "config:seed.value" in set(texts(printed))


def test_a_refusal_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(self: object) -> None:
        raise wandb_workspace.WandbError("not logged in")

    monkeypatch.setattr("scripts.wandb_workspace.Workspace.save_as_new_view", refuse)
    monkeypatch.setattr(sys, "argv", ["wandb_workspace", "--entity", "someone", "--project", "parts"])
    assert wandb_workspace.guarded(wandb_workspace.main) == 2
    assert "not logged in" in capsys.readouterr().err
