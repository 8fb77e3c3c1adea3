"""Exported models answer as radar does on any size and number of images, without torch, and are refused once a byte has changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from deploy_builders import settings
from export_builders import MODELS, PRETRAINED, model_of, photos
from PIL import Image

from radar.cli.main import main as radar_main
from radar.config.schema import RegionConfig
from radar.data.preprocessing import plane_names
from radar.data.region_of_interest import region_of_interest
from radar.deploy.export import export
from radar.deploy.parity import parity
from radar.errors import DataError, RunError, WriteError
from radar.files import refuse_unwritable
from radar.model import Model
from radar.networks.efficientnet import is_installed
from radar.runtime.__main__ import main
from radar.runtime.drawn_pictures import TOLERANCE
from radar.runtime.errors import ImageError
from radar.runtime.exported import ExportedModel, checked, load
from radar.runtime.graph import Graph, Inputs
from radar.runtime.picture import Answers, Picture
from radar.thresholds import Thresholds

pytest.importorskip("onnxscript")


def assert_alike(model: Model, exported: ExportedModel, count: int, height: int, width: int) -> None:
    """Maps, scores and decisions of drawn images, which only scores at the threshold may differ in."""
    planes = np.random.default_rng(count).uniform(-1, 1, (count, len(exported.manifest.input.planes), height, width))
    if model.method.reading.has_region:  # of every image another
        slope = np.linspace(-2, 1, width) + np.linspace(0, 1, height)[:, None] + np.arange(count)[:, None, None] / 9
        planes[:, -1] = np.where(slope > 0, 1, -1)
    names = [f"{count}/{place}" for place in range(count)]
    images = planes.astype(np.float32)
    said = exported.ask(images, names)
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
    if name in PRETRAINED and not is_installed():
        pytest.skip("no pretrained features")
    pytest.importorskip(target)
    model = model_of(name)
    size = export(model, tmp_path / "export", target, settings()).size
    exported = load(tmp_path / "export", threads=1)
    assert exported.manifest.input.size == size.fixed
    sizes = [size.fixed] if size.fixed else [(size.least, size.least), (33, 47), (97, 120)]
    for height, width in sizes:
        for count in (1, 3):
            assert_alike(model, exported, count, height, width)
    if size.fixed:
        with pytest.raises(ImageError, match="alone"):
            assert_alike(model, exported, 1, size.fixed[0] + 1, size.fixed[1])


def test_what_decides_otherwise_is_found_and_listed(model: Model, written: Path, tmp_path: Path) -> None:
    files, exported = photos(tmp_path, 4), load(written, threads=1)
    found = parity(model, exported, files)
    assert found.holds() and found.images == 4 and 0 < found.map_error <= TOLERANCE and not found.disagreements
    highest = float(model.score(files).scores.max())
    for shift, holds in ((-1e-5, True), (-0.1, False)):  # at the threshold rounding decides, below it nothing does
        other = replace(model.thresholds.current, name="other", value=highest + shift)
        shifted = parity(replace(model, thresholds=Thresholds((other,), "other")), exported, files)
        (only,) = shifted.disagreements
        assert only.score == highest and only.within == holds == shifted.holds()
    with pytest.raises(DataError, match="no images to compare on"):
        parity(model, exported, [])
    with pytest.raises(DataError, match=r"nowhere\.png: no such file; leave it out"):
        parity(model, exported, [tmp_path / "nowhere.png"])
    needs = replace(exported.manifest, input=replace(exported.manifest.input, least_side=400))
    exported.manifest = needs
    with pytest.raises(DataError, match=r"this model takes no side below 400 px; leave it out"):
        parity(model, exported, files)


@pytest.mark.parametrize("kind", ["file", "below a file", "dangling link"])
def test_what_is_no_folder_is_told_before_the_work(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "there"
    if kind == "dangling link":
        place.symlink_to(tmp_path / "nowhere")
    else:
        place.write_text("a file")
    with pytest.raises(WriteError, match=r"it is no folder|Not a directory"):
        refuse_unwritable(place / "export" if kind == "below a file" else place)


def test_where_nothing_may_be_written_nothing_is_traced(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) != tmp_path
    )  # root may write, but where a disk forbids it
    monkeypatch.setattr("radar.deploy.export.onnx_graph", lambda *_: pytest.fail("the work was begun"))
    with pytest.raises(WriteError, match="nothing may be written there") as caught:
        export(model, tmp_path / "above" / "exported", "onnx", settings())
    assert str(tmp_path) in str(caught.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("word", ["device=cuda", "threads=2"])
def test_what_an_export_does_not_hold_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert radar_main(["export", str(tmp_path), "--to", "onnx", "opacity=0.4", word]) == 3
    assert f"{word}: what is exported does not read it; leave it out" in capsys.readouterr().err


@pytest.mark.parametrize("field", ["maps", "scores"])
@pytest.mark.parametrize("place", range(3))
def test_what_is_no_number_agrees_with_nothing(
    model: Model, written: Path, tmp_path: Path, field: str, place: int
) -> None:
    """On whichever photo it comes."""
    files, exported = photos(tmp_path, 3), load(written, threads=1)
    for wrong in (np.nan, np.inf):
        with pytest.raises(RunError, match=rf"{files[place].name}: what was exported answers with what is no number"):
            parity(model, Spoilt(exported, field, wrong, place), files)


class Spoilt:
    """An exported model one of whose answers holds a number that is none, in the field of that name, on the photo at `place`."""

    def __init__(self, exported: ExportedModel, field: str, wrong: float, place: int) -> None:
        self._exported, self._field, self._wrong, self._left = exported, field, wrong, place

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exported, name)

    def answers(self, pictures: Sequence[Picture]) -> Answers:
        found, self._left = self._exported.answers(pictures), self._left - 1
        values = getattr(found, self._field).copy()
        values.flat[0] = self._wrong if self._left == -1 else values.flat[0]
        return replace(found, **{self._field: values})


def test_too_small_an_image_is_refused(written: Path) -> None:
    exported = load(written, threads=1)
    least = exported.manifest.input.least_side
    planes = np.zeros((1, least - 1, least), dtype=np.float32)
    with pytest.raises(ImageError, match=f"no side below {least} px"):
        exported.ask(planes[None], ["small"])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.5, "has a plane of its region of interest, the last, with other values than 1, inside, and -1, outside"),
        (-1.0, "has no pixel inside its region of interest"),
    ],
)
def test_a_picture_whose_last_plane_is_no_region_is_refused(
    model: Model, written: Path, value: float, words: str
) -> None:
    image, exported = model.config.dataset.image, load(written, threads=1)
    section = RegionConfig("polygons", [[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]], None, None, None, None)
    region = replace(image, region_of_interest=section)
    of_region = replace(model, config=replace(model.config, dataset=replace(model.config.dataset, image=region)))
    reading = replace(exported.manifest.preprocessing, region_of_interest=region_of_interest(region))
    asked = ExportedModel(replace(exported.manifest, preprocessing=reading), never)
    planes = np.full((2, len(plane_names(region)), 64, 64), 1, dtype=np.float32)
    planes[1, -1] = value
    with pytest.raises(ImageError, match=words):
        asked.ask(planes, ["a", "b"])
    with pytest.raises(DataError, match=f"image 2 of 2 {words}") as told:
        of_region.score(torch.from_numpy(planes))
    assert "\n" not in str(told.value)


def never(*_: object) -> Any:
    raise AssertionError("the graph is asked")


def distorted(monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], object]) -> None:
    """Let the runtime answer otherwise, as one does that rewrites graphs wrongly for a processor."""

    def ask(graph: Graph, inputs: Inputs) -> dict[str, Any]:
        said = right(graph, inputs)
        change(said)
        return said

    right = Graph.__call__
    monkeypatch.setattr(Graph, "__call__", ask)


OTHERWISE: dict[str, Callable[[dict[str, Any]], object]] = {
    "one pixel": lambda said: said["map"][-1, 7].__setitem__(3, said["map"].max() * 1.5),
    "blur": lambda said: said.update(map=(said["map"] + np.roll(said["map"], 1, -1)) / 2),
    "points": lambda said: said.update(points=said["points"] * 1.001),
    "scores": lambda said: said.update(score=said["score"] + 0.1 * np.abs(said["score"]) + 0.1),
    "decisions": lambda said: said.update(decision=~said["decision"].astype(bool)),
    "no number": lambda said: said["map"][0, 0].__setitem__(0, np.nan),
    "another size": lambda said: said.update(map=said["map"][:, 1:]),
}


@pytest.mark.parametrize("change", OTHERWISE.values(), ids=OTHERWISE)
def test_a_runtime_that_answers_otherwise_here_is_refused(
    model: Model,
    written: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[dict[str, Any]], object],
) -> None:
    load(written, threads=1)
    distorted(monkeypatch, change)
    with pytest.raises(
        RunError, match=f"^{written}: (onnxruntime [0-9.]+ answers on this machine otherwise|a drawn pict)"
    ) as told:
        load(written, threads=1)
    assert "\n" not in str(told.value)
    with pytest.raises(RunError, match=r"answers on this machine otherwise|a drawn picture"):
        export(model, tmp_path / "export", "onnx", settings())
    with pytest.raises(RunError, match="is no exported model"):
        load(tmp_path / "export", threads=1)


def test_rounding_is_no_other_answer(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distorted(monkeypatch, lambda said: said.update(map=said["map"] * (1 + 1e-5), score=said["score"] + 1e-4))
    _, found = checked(written, threads=1)
    assert found.maps == pytest.approx(1e-5, rel=0.2) and found.scores == pytest.approx(1e-4, rel=0.2)
    assert found.points < 1e-5 and found.decisions == 0


@pytest.mark.parametrize("name", ["model.onnx", "drawn_answers.float32", "manifest.json", "manifest.json.sha256"])
def test_one_changed_byte_is_refused(copied: Path, name: str) -> None:
    load(copied, threads=1)
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(RunError, match="its checksum differs") as error:
        load(copied, threads=1)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("replace", [None, Path.mkdir], ids=["missing", "folder"])
def test_a_file_that_is_not_there_is_said(copied: Path, replace: Callable[[Path], None] | None) -> None:
    graph = copied / "model.onnx"
    graph.unlink()
    if replace is not None:
        replace(graph)
    with pytest.raises(
        RunError, match=rf"model\.onnx: {'is missing' if replace is None else 'is no file'}; copy the"
    ) as told:
        load(copied, threads=1)
    assert "checksum" not in str(told.value)


@pytest.mark.parametrize("words", [[], ["--watch", "x"], ["", "a.png"], ["a.png", "--masks"], ["absent.png"]])
def test_the_command_is_named_once(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), *words]) == 3
    said = capsys.readouterr().err
    assert said.startswith("radar-runtime: ") and said.count("radar-runtime") == 1 and said.count("\n") == 1


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no exported model"):
        load(tmp_path)


def test_the_manifest_names_the_threshold_and_no_path(model: Model, written: Path) -> None:
    text = (written / "manifest.json").read_text()
    facts = json.loads(text)
    assert facts["threshold"]["name"] == "fitted" and facts["threshold"]["value"] == model.threshold
    assert facts["fingerprint"] == model.fingerprint and facts["predict"]["regions"] == 7
    here = str(Path(__file__).resolve().parents[2]).encode()
    assert here not in b"".join(file.read_bytes() for file in written.iterdir())


def test_a_method_without_a_graph_is_refused(model: Model, tmp_path: Path) -> None:
    from deploy_builders import quick_model  # noqa: PLC0415 - of this test alone

    with pytest.raises(RunError, match="mean_brightness: cannot be exported; methods that can"):
        export(quick_model(tmp_path / "normals"), tmp_path / "export", "onnx", settings())


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Photos, one of them white but for a stripe, one cut off."""
    photos(tmp_path / "parts", 3)
    values = np.random.default_rng(9).integers(100, 110, (64, 90), dtype=np.uint8)
    values[:, 12:] = 255
    Image.fromarray(values).save(tmp_path / "parts" / "spot.png")
    (tmp_path / "parts" / "cut.png").write_bytes(b"\x89PNG")
    return tmp_path / "parts"


def told(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]


def test_the_command_tells_and_draws_what_radar_predict_does(
    model: Model, written: Path, parts: Path, tmp_path: Path
) -> None:
    words = [str(parts), f"{parts}/spot.png#xywh=10,10,60,40", "--overlays", "--masks", "--out"]
    assert radar_main(["predict", str(written.parent), *words, str(tmp_path / "own")]) == 2
    assert main([str(written), *words, str(tmp_path / "exported"), "--threads", "1"]) == 2
    own, exported = told(tmp_path / "own"), told(tmp_path / "exported")
    assert len(own) == len(exported) == 6
    assert {line["decision"] for line in own} == {"good", "defective", "unreadable"}
    assert any(line["regions"] for line in own)
    varying = {"time", "milliseconds", "score", "regions"}
    for one, other in zip(own, exported, strict=True):
        assert {key: one[key] for key in one if key not in varying} == {
            key: other[key] for key in other if key not in varying
        }
        assert one["score"] == pytest.approx(other["score"], abs=1e-3)
        assert other["regions"] == [
            {**region, "peak": pytest.approx(region["peak"], rel=1e-3)} for region in one["regions"]
        ]
    for file in (tmp_path / "own").rglob("*.png"):
        name = file.relative_to(tmp_path / "own")
        same = [each for each in (tmp_path / "exported" / name.parent).iterdir() if each.name[:15] == file.name[:15]]
        assert len(same) == 1
        drawn = [np.asarray(Image.open(each), dtype=int) for each in (file, same[0])]
        assert drawn[0].shape == drawn[1].shape and (np.abs(drawn[0] - drawn[1]) > 1).mean() < 0.01


def test_exit_codes_are_those_of_radar_predict(written: Path, parts: Path, tmp_path: Path) -> None:
    good = [str(path) for path in sorted(parts.glob("*.png")) if path.name not in ("spot.png", "cut.png")]
    codes = {main([str(written), path]) for path in good}
    assert codes <= {0, 1} and main([str(written), *good]) == max(codes)
    assert main([str(written), str(parts / "spot.png")]) == 1
    assert main([str(written), str(parts)]) == 2
    assert main([str(tmp_path), *good]) == 3, "no exported model"
    assert main([str(written), *good, "--masks"]) == main([str(written), "--nonsense"]) == 3


def test_it_runs_where_neither_torch_nor_radar_is(written: Path, parts: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(Path(sys.modules[ExportedModel.__module__].__file__ or "").parent, site / "radar_runtime")
    script = (
        "import sys, time\n"
        "for name in ('torch', 'radar', 'scipy', 'sklearn', 'kornia', 'omegaconf', 'tifffile'): sys.modules[name] = None\n"
        "from radar_runtime.__main__ import main\n"
        "imported = time.process_time()\n"
        "code = main(sys.argv[1:])\n"
        "print('seconds', imported, time.process_time(), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    words = [str(written), str(parts), "--threads", "1", "--out", "out", "--overlays", "--masks"]
    answer = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 2, answer.stderr
    assert len(told(tmp_path / "out")) == 5 and len(list((tmp_path / "out" / "masks").iterdir())) == 4
    imported, done = map(float, answer.stderr.split("seconds")[-1].split())
    assert imported < 1 and done < 2, "seconds of CPU: those of the clock depend on what else is running"


@pytest.mark.parametrize("package", ["onnxruntime", "openvino"])
def test_runtimes_write_nothing_into_the_home_folder(tmp_path: Path, package: str) -> None:
    pytest.importorskip("onnxruntime")
    script = "import sys\nfrom radar.runtime.graph import imported\nimported(sys.argv[1])\n"
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script, package], env=environment, check=True)
    assert not list(tmp_path.rglob("*"))
