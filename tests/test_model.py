"""One thing that is saved, loaded and asked: to the bit, whole, without running anything of what it reads."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from image_builders import normals
from network_builders import untrained
from PIL import Image

import radar
from radar.compose import experiment
from radar.config.plain import plain
from radar.data.file_reader import FileReader
from radar.data.images import read_images
from radar.errors import ConfigError, DataError, RunError
from radar.files import read_json, write_json
from radar.methods.parts.denoising import DENOISER
from radar.methods.registry import METHODS, method_of
from radar.methods.responses import learn_border
from radar.model import Calibration, Model, Scores
from radar.model_card import COUNTS
from radar.model_folder import FORMAT, save, stored_config
from radar.progress import silent
from radar.scoring.detector import fit_detector
from radar.scoring.map_levels import map_tops
from radar.thresholds import as_plain

SMALL = (
    "unet=small", "unet.channels=[8,8]", "unet.attention_levels=[1]", "patch.size=12", "dataset.image.size=24",
    "scoring.stride=6", "scoring.window=5", "scoring.blur.kernel=3", "detector.trees=10", "trainer.threads=1",
)  # fmt: skip
KINDS = {
    "draws": ("scoring=paper", "detector=isolation_forest"),  # noise is handed in
    "no_draws": ("scoring=recommended", "detector=upper_tail"),
    "border": ("scoring=recommended", "detector=upper_tail", "scoring.border={name: standardised, width: 3}"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Noisy pictures that are larger than what the model reads."""
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(4):
        values = np.random.default_rng(index).integers(60, 200, (30, 30), dtype=np.uint8)
        Image.fromarray(values).save(folder / f"{index}.png")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    """Fitted around a network of random weights."""
    made = {}
    for name, overrides in KINDS.items():
        config = experiment([], presets=[*SMALL, *overrides])
        method = method_of(config).fit(normals(), {DENOISER: untrained(config, 1)}, silent)
        learn_border(method, normals(), seed=0, images_per_pass=1, report=silent)
        empty = Model(config, method, None, Calibration(np.zeros(0), np.zeros((0, 2)), (), None), None, "")  # type: ignore[arg-type]
        maps = next(iter(empty._maps(normals().validation)))
        points = maps.points.numpy()
        detector, threshold = fit_detector(
            points, points, config=config.detector, contamination=config.contamination, seed=config.seed
        )
        calibration = Calibration(detector.score(points), map_tops(maps.anomaly), ("network", "densities"), 0.05)
        made[name] = Model(config, method, detector, calibration, calibration.fitted(threshold, 0.05), "abc123")
    return made


@pytest.fixture(scope="module")
def saved(models: dict[str, Model], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp(name) / "model" for name in models}
    for name, model in models.items():
        save(model, folders[name], dict.fromkeys(COUNTS, 0))
    return folders


@pytest.fixture
def copied(saved: dict[str, Path], tmp_path: Path) -> Path:
    """A model's folder to damage."""
    return Path(shutil.copytree(saved["no_draws"], tmp_path / "model"))


def same(first: Scores, second: Scores) -> bool:
    assert first.point_names == second.point_names
    arrays = ("scores", "decisions", "points", "anomaly_maps", "noise")
    return all(np.array_equal(np.asarray(getattr(first, name)), np.asarray(getattr(second, name))) for name in arrays)


@pytest.mark.parametrize("name", KINDS)
def test_every_part_comes_back(models: dict[str, Model], saved: dict[str, Path], files: list[Path], name: str) -> None:
    model, folder = models[name], saved[name]
    assert {file.name for file in folder.iterdir()} == {"model.safetensors", "model.json", "README.md"}
    loaded = radar.load(folder)
    before, after = model.method.state_dict(), loaded.method.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    arrays, again = model.detector.arrays(), loaded.detector.arrays()
    assert arrays.keys() == again.keys() and all(np.array_equal(arrays[key], again[key]) for key in arrays)
    assert (loaded.threshold, loaded.fingerprint) == (model.threshold, "abc123")
    assert as_plain(loaded.thresholds.current) == as_plain(model.thresholds.current)
    np.testing.assert_array_equal(loaded.calibration.scores, model.calibration.scores)
    np.testing.assert_array_equal(loaded.calibration.map_tops, model.calibration.map_tops)
    assert (loaded.calibration.unseen_by, loaded.calibration.false_alarms) == (("network", "densities"), 0.05)
    here = {key: value for key, value in plain(model.config).items() if key not in ("data_root", "output_root")}
    assert plain(loaded.config).items() >= here.items()
    assert not loaded.method.training
    assert same(model.score(files), loaded.score(files))
    assert same(radar.load(folder.parent).score(files), loaded.score(files)), (
        "a run's directory holds the folder `model`"
    )


@pytest.mark.parametrize("name", KINDS)
def test_files_loaded_images_and_one_alone_have_the_same_bits(
    models: dict[str, Model], files: list[Path], name: str
) -> None:
    model = models[name]
    images = read_images(files, FileReader(), model.config.dataset.image)
    together = model.score(images)
    assert len(together) == len(files) == len(np.unique(together.points[:, 0]))
    assert together.noise is not None and [each.shape for each in together.noise] == [(1, 24, 24)] * 4
    assert (together.decisions == (together.scores > model.threshold)).all()
    assert same(model.score([str(file) for file in files]), together)
    tensor = model.score(images.planes.whole)
    assert same(tensor, together) == (name != "draws"), "a tensor's noise is that of its values, a file's of its bytes"
    for index in (0, 3):
        for asked, whole in (
            (images[index : index + 1], together), ([files[index]], together), (images.planes.whole[[index]], tensor),
        ):  # fmt: skip
            alone = model.score(asked)
            assert alone.scores[0] == whole.scores[index]
            assert torch.equal(alone.anomaly_maps[0], whole.anomaly_maps[index])


def test_a_model_of_crops_takes_named_crops_and_refuses_a_whole_file(
    models: dict[str, Model], files: list[Path], tmp_path: Path
) -> None:
    on_crops = experiment([], presets=[*SMALL, "dataset=aitex_00", "dataset.aitex.crop_size=20"]).dataset
    model = replace(models["no_draws"], config=replace(models["no_draws"].config, dataset=on_crops))
    with pytest.raises(
        DataError, match=r"0\.png: is 30 x 30 px, and images of 20 x 20 px are wanted; name a crop of it"
    ):
        model.score(files)
    crops = [f"{file}#xywh=7,3,20,20" for file in files]
    cut = [tmp_path / file.name for file in files]
    for file, alone in zip(files, cut, strict=True):
        Image.fromarray(np.asarray(Image.open(file))[3:23, 7:27]).save(alone)
    images = read_images(cut, FileReader(), on_crops.image)
    assert same(model.score(crops), model.score(images))
    assert same(model.score(cut), model.score(images))


@pytest.mark.parametrize("shape", [(1, 1), (3, 40)])
def test_pictures_of_a_size_that_the_model_does_not_take_are_one_line(
    models: dict[str, Model], shape: tuple[int, int]
) -> None:
    with pytest.raises(
        DataError, match=rf"^images of {shape[1]} x {shape[0]} px: the model does not take them \([^\n]+\)$"
    ):
        models["draws"].score(torch.zeros(2, 1, *shape))


def test_nothing_to_score_is_one_line(models: dict[str, Model]) -> None:
    with pytest.raises(DataError, match="no images to score"):
        models["draws"].score([])


def change(folder: Path, alter: Callable[[dict[str, Any]], object]) -> None:
    facts = read_json(folder / "model.json", "")
    alter(facts)
    write_json(folder / "model.json", facts)


def refused(folder: Path) -> str:
    with pytest.raises(RunError) as error:
        radar.load(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "given",
    ["x" * 5000, "x/" * 3000, "a\0b", "", "nowhere", b"run", None, 3, ["run"], np.zeros(2)],
    ids=lambda given: str(given)[:9],
)
def test_what_names_no_folder_is_one_short_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(refused(given)) < 300


@pytest.mark.parametrize("device", [3.5, None, ["cpu"], "nowhere"], ids=str)
def test_what_names_no_device_is_one_line(saved: dict[str, Path], device: Any) -> None:
    with pytest.raises(ConfigError, match=r"^device=[^\n]*; use cpu, cuda or cuda:N$"):
        radar.load(saved["no_draws"], device)


def test_one_plug_in_is_one_module(saved: dict[str, Path]) -> None:
    assert radar.load(saved["no_draws"], plugins="json").fingerprint == "abc123"
    with pytest.raises(ConfigError, match=r"^--plugins none_such: no such module"):
        radar.load(saved["no_draws"], plugins="none_such")


@pytest.mark.parametrize(
    ("step", "advice"), [(-1, "run the experiment again with this radar"), (1, "update radar")], ids=["older", "newer"]
)
def test_another_format_is_one_line(copied: Path, step: int, advice: str) -> None:
    change(copied, lambda facts: facts.update(format=FORMAT + step))
    assert f"a model of format {FORMAT + step}, and this radar reads format {FORMAT}; {advice}" in refused(copied)


def test_a_model_in_the_folder_of_another_run_is_refused(copied: Path) -> None:
    status = copied.parent / "status.json"
    for content in ('{"state": "done", "fingerprint": "abc123"}', '{"state": "done", "fingerprint": ""}', "{", "[]"):
        status.write_text(content)
        assert radar.load(copied.parent).fingerprint == "abc123"
    status.write_text('{"state": "done", "fingerprint": "def456"}')
    assert "is the model of another run (abc123, and its folder is of def456)" in refused(copied)
    assert "copy a run's folder as a whole" in refused(copied.parent)
    alone = shutil.copytree(copied, copied.parent / "alone")
    assert radar.load(alone).fingerprint == "abc123"


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_a_tensor_of_another_precision_is_scored_as_what_it_holds(models, kind):
    images = torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(5)).to(kind)
    own, same = (models["no_draws"].score(each) for each in (images, images.float()))
    np.testing.assert_array_equal(own.scores, same.scores)
    graph = images.float().requires_grad_(True)
    np.testing.assert_array_equal(models["no_draws"].score(graph).scores, same.scores)
    assert graph.grad is None


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(1, 1, 24, 24).to_sparse(), torch.zeros(1, 1, 24, 24, device="meta"), torch.zeros(1, 1, 0, 24),
        torch.zeros(0, 1, 24, 24), torch.zeros(1, 1, 24, 24, dtype=torch.complex64), torch.zeros(1, 1, 24, 24, dtype=torch.bool),
    ],
)  # fmt: skip
def test_a_tensor_that_holds_no_images_is_refused(models, images):
    with pytest.raises(DataError, match="a tensor of images"):
        models["no_draws"].score(images)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1.5, 200.0])
def test_a_tensor_holds_brightness_and_nothing_else(models: dict[str, Model], value: float) -> None:
    images = torch.zeros(1, 1, 24, 24)
    images[0, 0, 5, 5] = value
    with pytest.raises(DataError, match="a tensor of images holds numbers from -1, black, to 1, white"):
        models["no_draws"].score(images)
    images[0, 0, 5, 5] = 1.0000002  # as resizing rounds
    assert np.isfinite(models["no_draws"].score(images).scores).all()
    with pytest.raises(DataError, match=r"images of torch\.uint8: a tensor of images holds numbers"):
        models["no_draws"].score(torch.zeros(1, 1, 24, 24, dtype=torch.uint8))


def test_damaged_tensors_are_one_line_that_names_the_file(copied: Path) -> None:
    file = copied / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    assert refused(copied).startswith(f"{file}: is damaged")
    file.unlink()
    assert "model.safetensors" in refused(copied)


def test_a_model_of_a_method_that_has_changed_since_is_refused(
    models: dict[str, Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code of one's own is known by its file; what it scores now may be something else than its threshold was taken from."""
    written = {"code": "a"}
    for name in ("radar.methods.method.own_code", "radar.model_folder.own_code"):
        monkeypatch.setattr(name, lambda _: written["code"])
    save(next(iter(models.values())), tmp_path, dict.fromkeys(COUNTS, 0))
    radar.load(tmp_path)
    written["code"] = "b"
    facts = read_json(tmp_path / "model.json", "")
    of_old = {key: value for key, value in facts.items() if key not in ("checksum", "method_code")}
    assert "has changed since the model was fitted, and may score otherwise" in refused(tmp_path)
    write_json(tmp_path / "model.json", of_old)
    radar.load(tmp_path)  # which does not tell


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": "1"}'], ids=["empty", "half", "list", "bare", "word"]
)
def test_a_damaged_description_is_one_line(copied: Path, text: str) -> None:
    (copied / "model.json").write_text(text)
    assert "run the experiment again" in refused(copied)


@pytest.mark.parametrize(
    "key", ["config", "structure", "threshold", "map_levels", "made", "calibration", "fingerprint"]
)
def test_a_description_that_lacks_a_part_is_one_line(copied: Path, key: str) -> None:
    change(copied, lambda facts: facts.pop(key))
    assert key in refused(copied)


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def test_a_pickle_in_place_of_the_tensors_is_refused_and_not_run(copied: Path, tmp_path: Path) -> None:
    content = pickle.dumps(Payload(tmp_path / "ran"))
    (copied / "model.safetensors").write_bytes(content)
    change(copied, lambda facts: facts.update(tensors_sha256=hashlib.sha256(content).hexdigest()))
    assert "cannot be read as a model" in refused(copied)
    assert not (tmp_path / "ran").exists()


def test_a_model_only_selects_among_the_methods_that_are_known(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    change(copied, lambda facts: facts["config"]["method"].update(name="evil"))
    message = refused(copied)
    assert all(name in message for name in METHODS.names())
    assert "--plugins" in message


def test_tensors_of_another_network_are_one_line(copied: Path) -> None:
    change(copied, lambda facts: facts["config"]["unet"].update(channels=[16, 16]))
    assert "cannot be read as a model" in refused(copied)


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        (("scoring",), {"window": 999}, "scoring.window=999: must be ≤ the image's side"),
        (("scoring", "blur"), {"kernel": 4}, "scoring.blur.kernel=4: must be odd"),
        (("patch",), {"size": 4096}, "patch.size=4096: must be ≤ the image's side"),
        (("timestep",), {"value": 99_999}, "timestep.value=99999: must be ≤ diffusion.timesteps"),
        (("unet",), {"attention_levels": [5]}, "unet.attention_levels=[5]: levels are 0 to 1"),
        (
            ("detector",),
            {"fitted_on": "cross_fitted"},
            "detector.fitted_on=cross_fitted: method radar fits no densities",
        ),
        (("dataset", "image"), {"resolution": 2.0}, "dataset.image.resolution: px per mm are wanted"),
    ],
)
def test_a_stored_config_keeps_the_rules_between_keys(
    copied: Path, section: tuple[str, ...], values: dict[str, Any], said: str
) -> None:
    def broken(facts: dict[str, Any]) -> None:
        keys = facts["config"]
        for name in section:
            keys = keys[name]
        keys.update(values)

    change(copied, broken)
    message = refused(copied)
    assert message.startswith(f"{copied / 'model.json'}: {said}") and message.endswith("with --force")
    with pytest.raises(RunError) as caught:
        stored_config(copied)
    assert str(caught.value) == message


def test_a_model_of_images_of_any_size_is_read_wherever_they_lay(models: dict[str, Model], tmp_path: Path) -> None:
    dataset = experiment(
        [], presets=[*SMALL, "dataset=folder", "dataset.root=/photos", "dataset.image.size=null"]
    ).dataset
    model = models["no_draws"]
    save(replace(model, config=replace(model.config, dataset=dataset)), tmp_path / "model", dict.fromkeys(COUNTS, 0))
    assert stored_config(tmp_path / "model").dataset.root is None


@pytest.mark.parametrize("depth", [9, 150, 700])
def test_polygons_that_are_nested_too_deeply_are_one_line(copied: Path, depth: int) -> None:
    facts = read_json(copied / "model.json", "")  # without its checksum
    region = {"name": "polygons", "mask": None, "tolerance": None, "thinnest": None, "inset": None}
    facts["config"]["dataset"]["image"]["region_of_interest"] = {**region, "polygons": "nested"}
    (copied / "model.json").write_text(json.dumps(facts).replace('"nested"', "[" * depth + "]" * depth))
    message = "dataset.image.region_of_interest.polygons: is nested more than 8 deep"
    with pytest.raises(RunError, match=message) as told:
        stored_config(copied)
    assert "\n" not in str(told.value) and message in refused(copied)


def test_the_config_is_read_without_the_tensors(models: dict[str, Model], copied: Path) -> None:
    (copied / "model.safetensors").unlink()
    expected = replace(models["no_draws"].config, data_root="", output_root="")
    assert stored_config(copied) == expected


def test_a_folder_that_holds_no_model_is_one_line(tmp_path: Path) -> None:
    assert "holds no model" in refused(tmp_path)
    assert "no such folder" in refused(tmp_path / "absent")


def test_a_model_decides_by_its_current_threshold_and_keeps_its_fingerprint(
    models: dict[str, Model], copied: Path, files: list[Path]
) -> None:
    fitted = radar.load(copied)
    lowest = replace(fitted.thresholds.current, name="lowest", value=float(fitted.score(files).scores.min()))
    fitted.thresholds.with_version(lowest).write(copied, fitted.fingerprint)
    loaded = radar.load(copied)
    assert loaded.fingerprint == fitted.fingerprint and loaded.threshold == lowest.value
    assert loaded.score(files).decisions.sum() == len(files) - 1
    assert loaded.at("fitted").threshold == fitted.threshold
    save(loaded, copied.parent / "again", dict.fromkeys(COUNTS, 0))
    assert radar.load(copied.parent / "again").thresholds.current_name == "lowest"
