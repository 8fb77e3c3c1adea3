"""No loading path executes what it reads, or reads what lies elsewhere; payloads are real, and would leave a mark."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from deploy_builders import quick_model, save_model
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

import radar
from radar.errors import RunError, StoredError
from radar.experiment.artefact_inventory import prune
from radar.experiment.artefact_store import ArtefactStore, Key
from radar.experiment.panels import read_panels
from radar.experiment.stage import Stage, array_stage
from radar.files import read_json, read_yaml, sha256, write_json
from radar.runtime.drawn_pictures import ANSWERS, packed_size
from radar.runtime.exported import load as load_exported
from radar.runtime.manifest import FORMAT, MANIFEST, SEAL, seal
from radar.training.checkpoints import last_checkpoint

ENDLESS = "d: &d [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("defghijk", "efghijkl", strict=True)
)


class Payload:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (self.mark,)  # type: ignore[return-value]


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    """A file that a payload makes; it works, and it is not there in the end."""
    path = tmp_path / "PWNED"
    pickle.loads(pickle.dumps(Payload(path)))
    assert path.exists()
    path.unlink()
    OmegaConf.register_new_resolver("touch", path.touch, replace=True)
    assert OmegaConf.create({"a": "${touch:}"}).a is None and path.exists()
    path.unlink()
    yield path
    OmegaConf.clear_resolver("touch")
    assert not path.exists()


def torch_file(content: object) -> bytes:
    torch.save(content, buffer := io.BytesIO())
    return buffer.getvalue()


def array_of(content: object) -> bytes:
    np.save(buffer := io.BytesIO(), np.array([content], dtype=object), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize("written", [pickle.dumps, torch_file, lambda payload: torch_file({"state_dict": payload})])
def test_a_checkpoint_is_no_program(tmp_path: Path, mark: Path, written: Callable[[object], bytes]) -> None:
    content = written(Payload(mark))
    (tmp_path / "last.ckpt").write_bytes(hashlib.sha256(content).digest() + content)
    with pytest.raises(StoredError, match=r"last\.ckpt: cannot be read"):
        last_checkpoint(tmp_path)


def header(text: bytes, length: int | None = None, rest: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text + rest


def entry(shape: list[int], start: int, end: int, kind: str = "F32") -> bytes:
    return json.dumps({"method.x": {"dtype": kind, "shape": shape, "data_offsets": [start, end]}}).encode()


HEADERS = {
    "longer than the file": header(b"{}", 2**63),
    "negative": b"\xff" * 8 + b"{}",
    "no JSON": header(b"nothing"),
    "deep": header(b"[" * 50_000),
    "a pickle": b"\x80\x04.",
    "offsets outside": header(entry([1], 0, 4)),
    "offsets turned round": header(entry([1], 4, 0), rest=bytes(8)),
    "a larger shape": header(entry([2**40], 0, 4), rest=bytes(4)),
    "a shape that overflows": header(entry([2**62, 2**62], 0, 4), rest=bytes(4)),
    "an unknown kind": header(entry([1], 0, 4, "OBJECT"), rest=bytes(4)),
    "nothing of the model": header(b"{}"),
    "other tensors": header(entry([1], 0, 4), rest=bytes(4)),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "model"
    save_model(quick_model(tmp_path_factory.mktemp("photos"), normals=6), folder)
    return folder


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "model")


@pytest.mark.parametrize("content", HEADERS.values(), ids=HEADERS)
def test_tensors_with_any_header_are_one_line(model: Path, content: bytes) -> None:
    (model / "model.safetensors").write_bytes(content)
    describe(model, tensors_sha256=hashlib.sha256(content).hexdigest())
    assert refused(model).startswith(f"{model}: ")


def describe(model: Path, **changes: Any) -> None:
    """What a model says of itself, changed by who can write checksums, too."""
    write_json(model / "model.json", {**read_json(model / "model.json", ""), **changes})


def refused(model: Path) -> str:
    with pytest.raises(RunError) as error:
        radar.load(model)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("key", ["preset", "name"])
@pytest.mark.parametrize("value", ["${touch:}", "${oc.env:HOME}", "a${touch:}b"])
def test_the_config_of_a_model_resolves_nothing(model: Path, mark: Path, key: str, value: str) -> None:
    config = read_json(model / "model.json", "")["config"]
    describe(model, config={**config, key: value})
    assert "interpolation" in refused(model)


@pytest.mark.parametrize("node", ["method", "dataset", "trainer", ""])
def test_the_config_of_a_model_instantiates_nothing(model: Path, mark: Path, node: str) -> None:
    config = read_json(model / "model.json", "")["config"]
    (config[node] if node else config).update({"_target_": "pathlib.Path.touch", "_args_": [str(mark)]})
    describe(model, config=config)
    assert "_target_" in refused(model)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["os.system", "../x", "__import__('os')", "radar.methods.method:Method", ""])
def test_a_method_is_chosen_among_those_that_are_registered(model: Path, name: str) -> None:
    config = read_json(model / "model.json", "")["config"]
    describe(model, config={**config, "method": {**config["method"], "name": name}})
    assert "method" in refused(model)


@pytest.mark.parametrize("name", ["model.zip", "model.tar"])
def test_an_archive_is_no_model(tmp_path: Path, model: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("../PWNED", "x")
        archive.write(model / "model.json", "model.json")
    refused(tmp_path / name)
    assert not (tmp_path.parent / "PWNED").exists()


TAGS = (
    "a: !!python/object/apply:pathlib.Path.touch ['{mark}']",
    "a: !!python/object/new:pathlib.PosixPath ['{mark}']",
    "!!python/object/apply:os.system ['touch {mark}']",
    "a: !!python/name:os.system",
    "a: !!python/module:os",
    "a: !include {mark}",
    "? [a, b]\n: 1",
    "3: a",
    "- a",
    "a: [",
    "a: &a [*a]",
    "[" * 5000,
    ENDLESS,
    "seed: 0x" + "f" * 5000,
    "seed: 0b" + "1" * 64,
    "seed: -9223372036854775808",
    "seed: " + "9" * 5000,
    "a: {b: [.inf]}",
    "a: -.inf",
    "a: .nan",
    "a: 1.0e+400",
    "a: !!binary aGVsbG8=",
    "a: !!set {b, c}",
    "a: !!omap [b: 1]",
    "a: !!pairs [b: 1]",
    "a: !!timestamp 2026-01-01",
    "a: !!int 59:59",
    "a: !!float ''",
    "a: !!str 1",
    "a: ! 1",
)


@pytest.mark.parametrize("text", TAGS)
def test_a_yaml_holds_plain_values_alone(tmp_path: Path, mark: Path, text: str) -> None:
    (path := tmp_path / "config.yaml").write_text(text.replace("{mark}", str(mark)))
    with pytest.raises(StoredError, match=r"config\.yaml: cannot be read"):
        read_yaml(path, "")


def test_a_yaml_has_no_numbers_to_the_base_sixty_no_dates_and_no_merging(tmp_path: Path) -> None:
    long = ":".join(["59"] * 300_000)
    (path := tmp_path / "config.yaml").write_text(
        f"a: 1:30\nb: 1:30.5\nc: 2026-01-01\nd: {{<<: {{x: 1}}}}\ne: {long}\n"
    )
    began = time.monotonic()
    assert read_yaml(path, "") == {"a": "1:30", "b": "1:30.5", "c": "2026-01-01", "d": {"<<": {"x": 1}}, "e": long}
    assert time.monotonic() - began < 10


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(1 - 2**63, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
        | st.text("0123456789:.-+eE_xbn<=~! ", max_size=8),
        lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text("az19:<= ", max_size=4), below, max_size=3),
    )
)  # fmt: skip
def test_plain_values_come_back_from_a_yaml(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.mktemp("yaml") / "config.yaml"
    path.write_text(yaml.safe_dump({"a": value}))
    assert read_yaml(path, "") == {"a": value}


def test_a_yaml_is_not_resolved(tmp_path: Path, mark: Path) -> None:
    values = {"a": "${touch:}", "b": {"_target_": "os.system", "c": "${oc.env:HOME}"}}
    (path := tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    assert read_yaml(path, "") == values


def test_a_cached_array_is_no_program(tmp_path: Path, mark: Path) -> None:
    def stage() -> Stage[Any]:
        return array_stage(ArtefactStore(tmp_path / "cache"), "points", {}, {}, lambda: np.ones(3))

    assert stage().value.tolist() == [1, 1, 1]
    folder = stage().store.folder(stage().key)
    (folder / "values.npy").write_bytes(array_of(Payload(mark)))
    record = read_json(folder / "made.json", "")
    write_json(folder / "made.json", {**record, "files": {"values.npy": sha256(folder / "values.npy")}})
    again = stage()
    assert again.value.tolist() == [1, 1, 1] and len(again.store.notes) == 1


def test_panels_are_no_program(tmp_path: Path, mark: Path) -> None:
    with zipfile.ZipFile(tmp_path / "panels.npz", "w") as archive:
        for name in ("path", "caption", "image", "anomaly_map"):
            archive.writestr(f"{name}.npy", array_of(Payload(mark)))
    with pytest.raises(StoredError, match=r"panels\.npz: cannot be read"):
        read_panels(tmp_path / "panels.npz")


def test_a_store_looks_nowhere_else(tmp_path: Path) -> None:
    """Names of files in a description lead to checksums of other files at most, and never to what is removed or written."""
    (tmp_path / "precious").write_text("x")
    store, key = ArtefactStore(tmp_path / "cache"), Key("points", 1, {})

    def make(part: Path) -> None:
        (part / "values").write_text("1")

    store.take(key, make, lambda folder: folder)
    made = store.folder(key) / "made.json"
    write_json(made, {**read_json(made, ""), "stage": "../..", "files": {"../../../precious": "0" * 64}})
    store.take(key, make, lambda folder: folder)
    prune(store.root, 0)
    assert (tmp_path / "precious").read_text() == "x"


@pytest.mark.parametrize(
    "changes",
    [
        {"graph": "../../evil.onnx"},
        {"graph": "/etc/passwd", "files": {"/etc/passwd": "?", ANSWERS: "?"}},
        {"graph": "../evil.onnx", "files": {"../evil.onnx": "?", ANSWERS: "?"}},
        {"files": {}},
        {"files": {"model.onnx": "?", "../evil.onnx": "?", ANSWERS: "?"}},
        {"files": {"model.onnx": "?"}},
        {"files": []},
        {"target": "python"},
        {"threshold": None},
        {"input": []},
        {"noise": {}},
        {"preprocessing": 3},
        {"predict": {"_target_": "os.system"}},
    ],
)
def test_an_export_names_its_own_files_alone(tmp_path: Path, changes: dict[str, Any]) -> None:
    (folder := tmp_path / "deep" / "export").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"graph")
    (tmp_path / "deep" / "evil.onnx").write_bytes(b"graph")
    own = digests(folder)
    content = {**EXPORT, "files": own, **changes}
    if isinstance(content["files"], dict):
        content["files"] = {name: own.get(name, own["model.onnx"]) for name in content["files"]}
    sealed(folder, content)
    with pytest.raises(RunError, match=r"manifest\.json: .*; export the model again"):
        load_exported(folder)


EXPORT: dict[str, Any] = {
    "format": FORMAT, "target": "onnx", "graph": "model.onnx", "method": "x", "fingerprint": "abc",
    "preprocessing": {"channels": "grey", "size": 8, "width": None, "aspect": "stretch", "resolution": None, "file_resolution": None,
                      "resize": "box", "side": None, "megapixels": 9.0},
    "input": {"planes": ["grey"], "size": [8, 8], "size_reason": "", "least_side": 8, "pictures_per_pass": 1,
              "drawn_size": [8, 8]},
    "noise": {"seed": 0, "draws": 0, "channels": 1}, "point_names": ["x"],
    "threshold": {"name": "fitted", "value": 1.0, "map_levels": {"faint": 1.0, "strong": 2.0}, "normal_scores": [1.0]},
    "predict": {"decode_ahead": 1, "regions": 1, "colour_range": 1.0, "opacity": 1.0, "interval": 1.0, "patience": 1.0},
}  # fmt: skip


def digests(folder: Path) -> dict[str, str]:
    """Of a graph that lies in the folder, and of answers that are written there."""
    (folder / ANSWERS).write_bytes(bytes(packed_size(1, 8, 8)))
    return {name: sha256(folder / name) for name in ("model.onnx", ANSWERS)}


def sealed(folder: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content)
    (folder / MANIFEST).write_text(text)
    (folder / SEAL).write_text(seal(text.encode()))


@pytest.mark.parametrize("location", ["../secret.bin", "secret.bin", "weights.bin", "{absolute}", "nowhere"])
def test_a_graph_reads_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    (folder := tmp_path / "export").mkdir()
    for secret in (tmp_path / "secret.bin", folder / "weights.bin"):
        secret.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    monkeypatch.chdir(tmp_path)
    weights = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
    told = {"location": location.replace("{absolute}", str(tmp_path / "secret.bin")), "offset": "0", "length": "16"}
    for key, value in told.items():
        weights.external_data.add(key=key, value=value)
    given, wanted = (onnx.helper.make_tensor_value_info(name, 1, [4]) for name in ("images", "map"))
    add = onnx.helper.make_node("Add", ["images", "w"], ["map"])
    graph = onnx.helper.make_graph([add], "g", [given], [wanted], [weights])
    (folder / "model.onnx").write_bytes(onnx.helper.make_model(graph, ir_version=9).SerializeToString())
    sealed(folder, {**EXPORT, "files": digests(folder)})
    with pytest.raises(RunError, match=r"model\.onnx: cannot be read as a graph"):
        load_exported(folder)


def test_what_is_no_graph_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "model.onnx").write_bytes(pickle.dumps([1]))
    sealed(tmp_path, {**EXPORT, "files": digests(tmp_path)})
    with pytest.raises(RunError, match="cannot be read as a graph") as error:
        load_exported(tmp_path)
    assert "\n" not in str(error.value)
