"""A server on a model that is fitted in an instant, asked without a network."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from deploy_builders import quick_model, save_model, settings
from fastapi.testclient import TestClient

from radar.compose.settings import verb_settings
from radar.config.verbs import InspectConfig
from radar.inspect.guard import Access
from radar.inspect.inspection import Inspection
from radar.inspect.server import guarded
from radar.model_folder import load

LOOPBACK = Access(frozenset({"127.0.0.1", "localhost"}), False, None)
Started = Callable[..., TestClient]


@pytest.fixture(scope="session")
def _stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fitted")
    save_model(quick_model(folder / "normals"), folder / "model")
    return folder


@pytest.fixture
def run(_stored: Path, tmp_path: Path) -> Path:
    """A run's folder of the test's own."""
    copy = tmp_path / "run" / "model"
    copy.mkdir(parents=True)
    for each in (_stored / "model").iterdir():
        (copy / each.name).write_bytes(each.read_bytes())
    return copy.parent


@pytest.fixture
def started(run: Path) -> Started:
    """Starts a server with settings and access of its own."""

    def start(*overrides: str, access: Access = LOOPBACK) -> TestClient:
        inspection = Inspection(
            run,
            load(run),
            reviews=run / "reviewed.csv",
            asking=settings(),
            settings=verb_settings(InspectConfig, "inspect", overrides),
            prepare=lambda: None,
            say=lambda text: print(text, file=sys.stderr),
        )
        return TestClient(guarded(inspection, access), base_url="http://127.0.0.1:8731", follow_redirects=False)

    return start


@pytest.fixture
def client(started: Started) -> TestClient:
    return started()
