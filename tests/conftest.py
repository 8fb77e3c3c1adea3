"""What all tests share: capped threads, the config tree, and the real images where they are present."""

from __future__ import annotations

import copy
import logging
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from radar import plugins
from radar.compose import experiment
from radar.config.schema import Config

REPOSITORY = Path(__file__).resolve().parent.parent
THREADS = 1  # two do not pay for the small tensors of tests


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shuffle", type=int, metavar="SEED", help="run the tests in an order drawn from this seed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In any order: what a test leaves behind must matter to no other."""
    seed = config.getoption("--shuffle")
    if seed is not None:
        random.Random(seed).shuffle(items)


@pytest.fixture(autouse=True, scope="session")
def _capped_threads() -> None:
    torch.set_num_threads(THREADS)


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    """Hydra's `--info` ends a process and cares for no later one: it leaves the root logger talking to a stream that a test closes."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)


@pytest.fixture(autouse=True)
def _no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test imports as a plug-in is named by no later one: a process imports for one command line."""
    monkeypatch.setattr(plugins, "_imported", {})


@pytest.fixture(autouse=True)
def _quiet_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")


@cache
def _composed(overrides: tuple[str, ...]) -> Config:
    """Composing takes longer than most tests."""
    return experiment([], presets=[f"trainer.threads={THREADS}", *overrides])


@pytest.fixture
def composed(tmp_path: Path) -> Callable[..., Config]:
    """Composes and checks a config from overrides, with outputs below the test's own folder.

    What the method does not read is left out, as of a preset: one short list of settings suits the tests of all methods.
    """

    def compose(*overrides: str) -> Config:
        config = copy.deepcopy(_composed(overrides))
        named = any(override.startswith("output_root=") for override in overrides)
        return config if named else replace(config, output_root=str(tmp_path / "outputs"))

    return compose


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images; the test is skipped where it is absent."""
    folder = Path(os.environ.get("RADAR_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real images: {folder} is not there; set RADAR_DATA to their folder")
    return folder
