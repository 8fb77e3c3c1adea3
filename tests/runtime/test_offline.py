"""The runtime installs from a folder of wheels, without an index, and decides there."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from deploy_builders import settings
from export_builders import model_of, photos

from radar.deploy.export import export

pytest.importorskip("onnxscript")
RUNTIME = Path(__file__).parents[2] / "radar" / "runtime"
NOWHERE = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "PIP_CONFIG_FILE": os.devnull}


def python(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program, *rest = words
    surroundings = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [program, *rest], env={**surroundings, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_runtime_installs_from_wheels_without_an_index(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    fetched = python(sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(wheels), f"{RUNTIME}[onnx]")
    if fetched.returncode and "radar" not in {file.name[:5] for file in wheels.glob("*.whl")}:
        pytest.skip(f"no index to fetch from: {fetched.stderr[-200:]}")
    venv.create(tmp_path / "pc", with_pip=True)
    program = str(tmp_path / "pc" / "bin" / "python")
    wanted = ["--no-index", "--find-links", str(wheels), "radar-patch-diffusion-runtime[onnx]"]
    installed = python(program, "-m", "pip", "install", "--quiet", *wanted, **NOWHERE)
    assert installed.returncode == 0, installed.stderr
    assert python(program, "-c", "import torch").returncode == 1
    export(model_of("residual"), tmp_path / "line", "onnx", settings())
    (photo,) = photos(tmp_path / "parts", 1)
    command = str(tmp_path / "pc" / "bin" / "radar-runtime")
    said = python(command, str(tmp_path / "line"), str(photo), **NOWHERE)
    assert said.returncode in (0, 1), said.stderr
    assert said.stdout.splitlines()[1].startswith(f"{photo},")
