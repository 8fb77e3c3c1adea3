"""Exported models answer as radar does on any size and number of images, without torch, and are refused once a byte has changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from export_builders import MODELS, model_of, photos

from radar.cli.main import main as radar_main
from radar.deploy.export import TOLERANCE, export
from radar.errors import RunError
from radar.model import Model
from radar.model_folder import save
from radar.networks.efficientnet import is_installed
from radar.runtime.__main__ import main
from radar.runtime.errors import ImageError, RuntimeFolderError
from radar.runtime.exported import ExportedModel, Picture, load
from radar.runtime.preprocessing import frame_of

QUICK = "residual"  # the one of which most is asked: tracing takes seconds
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def model() -> Model:
    return model_of(QUICK)


@pytest.fixture(scope="module")
def written(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command leaves."""
    run = tmp_path_factory.mktemp("run")
    save(model, run / "model")
    assert radar_main(["export", str(run), "--to", "onnx"]) == 0
    return run / "export_onnx"


@pytest.fixture
def copied(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "copied"))


def assert_alike(model: Model, exported: ExportedModel, count: int, height: int, width: int) -> None:
    """Maps, scores and decisions of drawn images, which only scores at the threshold may differ in."""
    planes = np.random.default_rng(count).uniform(-1, 1, (count, len(exported.manifest.planes), height, width))
    names = [f"{count}/{place}" for place in range(count)]
    images, frame = planes.astype(np.float32), frame_of(height, width, "stretch")
    said = exported.score([Picture(image, frame, name) for image, name in zip(images, names, strict=True)])
    noise = model.method.draws.of(names, model.method.noise_shape(*images.shape[1:]), model.config.seed)
    with torch.inference_mode():
        wanted = model.judged(model.method(torch.from_numpy(images), noise))
    maps = wanted.anomaly_maps.numpy()
    assert said.maps.shape == maps.shape and maps.max() > 0
    assert np.abs(said.maps - maps).max() <= TOLERANCE * maps.max()
    np.testing.assert_allclose(said.points, wanted.points, rtol=TOLERANCE)
    np.testing.assert_allclose(said.scores, wanted.scores, atol=1e-3)
    clear = np.abs(wanted.scores - model.threshold) > 1e-3
    assert (said.decisions == wanted.decisions)[clear].all()


def test_a_graph_answers_alike_on_any_size_and_number(model: Model, written: Path) -> None:
    exported = load(written, threads=1)
    for count, height, width in ((1, 40, 40), (3, 33, 47), (2, 64, 35), (1, 97, 120)):
        assert_alike(model, exported, count, height, width)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["onnx", "openvino"])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_method_answers_alike(name: str, target: str, tmp_path: Path) -> None:
    if name in ("patchcore", "padim") and not is_installed():
        pytest.skip("no pretrained features")
    pytest.importorskip(target)
    model = model_of(name)
    size = export(model, tmp_path / "export", target).size
    exported = load(tmp_path / "export", threads=1)
    assert exported.manifest.size == size.fixed
    sizes = [size.fixed] if size.fixed else [(size.least, size.least), (33, 47), (97, 120)]
    for height, width in sizes:
        for count in (1, 3):
            assert_alike(model, exported, count, height, width)
    if size.fixed:
        with pytest.raises(ImageError, match="alone"):
            assert_alike(model, exported, 1, size.fixed[0] + 1, size.fixed[1])


def test_files_are_read_to_the_bit_and_decided_alike(model: Model, written: Path, tmp_path: Path) -> None:
    files, exported = photos(tmp_path, 4), load(written, threads=1)
    wanted = model.score(files)
    for place, file in enumerate(files):
        picture = exported.read(file)
        said = exported.score([picture])
        assert said.scores[0] == pytest.approx(wanted.scores[place], abs=1e-3)
        assert bool(said.decisions[0]) == bool(wanted.decisions[place])
    assert len({*wanted.scores}) == 4


def test_too_small_an_image_is_refused(written: Path) -> None:
    exported = load(written, threads=1)
    least = exported.manifest.least_side
    planes = np.zeros((1, least - 1, least), dtype=np.float32)
    with pytest.raises(ImageError, match=f"no side below {least} px"):
        exported.score([Picture(planes, frame_of(least - 1, least, "stretch"), "small")])


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json", "manifest.json.sha256"])
def test_one_changed_byte_is_refused(copied: Path, name: str) -> None:
    load(copied, threads=1)
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(RuntimeFolderError, match="is not as it was exported") as error:
        load(copied, threads=1)
    assert "\n" not in str(error.value)


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFolderError, match="is no exported model"):
        load(tmp_path)


def test_the_manifest_names_the_threshold_and_no_path(model: Model, written: Path) -> None:
    text = (written / "manifest.json").read_text()
    facts = json.loads(text)
    assert facts["threshold"]["name"] == "fitted" and facts["threshold"]["value"] == model.threshold
    assert facts["fingerprint"] == model.fingerprint
    here = str(Path(__file__).resolve().parents[2]).encode()
    assert here not in b"".join(file.read_bytes() for file in written.iterdir())


def test_a_method_without_a_graph_is_refused(model: Model, tmp_path: Path) -> None:
    from deploy_builders import quick_model  # noqa: PLC0415 - of this test alone

    with pytest.raises(RunError, match="mean_brightness: cannot be exported; methods that can"):
        export(quick_model(tmp_path / "normals"), tmp_path / "export", "onnx")


def test_the_command_says_what_it_decides(
    model: Model, written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [*photos(tmp_path, 3), tmp_path / "missing.png"]
    wanted = model.score(files[:3])
    code = main([str(written), *map(str, files), "--maps", str(tmp_path / "maps"), "--threads", "1"])
    header, *lines = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    assert header[:3] == ["path", "decision", "score"] and code == 2
    said = ["defective" if decision else "good" for decision in wanted.decisions]
    assert [line[1] for line in lines] == [*said, "unreadable"]
    maps = sorted((tmp_path / "maps").iterdir())
    assert len(maps) == 3 and np.load(maps[0]).shape == (40, 40)
    assert main([str(tmp_path), str(files[0])]) == 3


def test_it_runs_where_neither_torch_nor_radar_is(written: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(Path(sys.modules[ExportedModel.__module__].__file__ or "").parent, site / "radar_runtime")
    (file,) = photos(tmp_path, 1)
    script = (
        "import sys\n"
        "for name in ('torch', 'radar', 'scipy', 'sklearn', 'kornia', 'omegaconf'): sys.modules[name] = None\n"
        "from radar_runtime.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, str(written), str(file), "--threads", "1"], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode in (0, 1), answer.stderr
    assert answer.stdout.splitlines()[1].startswith(f"{file},")
