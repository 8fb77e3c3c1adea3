"""A folder that runs without radar and without torch: a graph, how images are read, the threshold it holds, checksums."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
import torch

import radar
from radar.data.preprocessing import plane_names, preprocessing_of
from radar.deploy.graph import onnx_graph, size_of
from radar.deploy.traceable import Size
from radar.errors import RunError
from radar.files import claim, refuse_foreign, refuse_unwritable, sha256, write_atomically, write_text, writing
from radar.model import Model
from radar.runtime.drawn_pictures import ANSWERS, IDENTITIES, drawn_planes, packed
from radar.runtime.exported import checked
from radar.runtime.graph import imported
from radar.runtime.manifest import FORMAT, MANIFEST, SEAL, seal
from radar.runtime.picture import Answers
from radar.runtime.settings import PredictSettings

if TYPE_CHECKING:
    from onnx import ModelProto

_FILES = {"onnx": ["model.onnx"], "openvino": ["model.xml", "model.bin"]}  # of a target, the graph first
_VERB = "export"


class Exported(NamedTuple):
    """What was written, and how far it is from the model on drawn images."""

    folder: Path
    size: Size
    error: float  # of its maps, of their maximum, or of its points, whichever is larger


def export(model: Model, folder: Path, target: str, settings: PredictSettings) -> Exported:
    """Write `model` as a graph for `target`, onnx or openvino, with the current version of its threshold and
    the settings that it is asked with.

    The graph is asked before it is handed over. Raises `RunError` where the model has none, or where it answers otherwise.
    """
    if model.files.decodes_itself:
        raise RunError(
            f"layout {model.config.dataset.layout}: decodes files in a way of its own, which no runtime knows; "
            "save the images as PNG, and run again with a layout of files"
        )
    if model.method.draws.simplex is not None:
        raise RunError("export: the runtime draws Gaussian noise alone, and this model takes simplex noise")
    refuse_foreign(folder, _VERB, _names(target))  # before the work
    refuse_unwritable(folder)
    size = size_of(model)
    return written(model, onnx_graph(model, size), size, folder, target, settings=settings)


def written(
    model: Model, graph: ModelProto, size: Size, folder: Path, target: str, *, settings: PredictSettings
) -> Exported:
    """The folder of a graph that was traced already; as `export`."""
    names = _FILES[target]
    claim(folder, _VERB, _names(target))
    with writing(folder):
        (folder / SEAL).unlink(missing_ok=True)  # what is half written is no exported model
    if target == "onnx":
        write_atomically(folder / names[0], lambda file: file.write(graph.SerializeToString()))
    else:
        _write_openvino(graph, folder / names[0])
    write_atomically(folder / ANSWERS, partial(_fill, packed(_answers(model, *_drawn_size(size)))))
    content = (
        json.dumps({"target": target, **_manifest(model, folder, names, size, settings)}, indent=2, allow_nan=False)
        + "\n"
    )
    write_text(folder / MANIFEST, content)
    write_text(folder / SEAL, seal(content.encode()))
    try:
        _, found = checked(folder, torch.get_num_threads())
    except BaseException:
        (folder / SEAL).unlink()
        raise
    return Exported(folder, size, max(found.maps, found.points))


def _names(target: str) -> list[str]:
    """Of all files of an export."""
    return [*_FILES[target], ANSWERS, MANIFEST, SEAL]


def _write_openvino(graph: Any, path: Path) -> None:
    try:
        openvino = imported("openvino")
    except ImportError as error:
        raise RunError(f"export: {error}; get it with {radar.install_command('export')}") from None
    with TemporaryDirectory() as temporary:
        source = Path(temporary) / "model.onnx"
        source.write_bytes(graph.SerializeToString())
        openvino.save_model(openvino.convert_model(source), Path(temporary) / path.name, compress_to_fp16=False)
        for made in (path, path.with_suffix(".bin")):
            content = (Path(temporary) / made.name).read_bytes()
            write_atomically(made, partial(_fill, content))


def _fill(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def _manifest(model: Model, folder: Path, names: list[str], size: Size, settings: PredictSettings) -> dict[str, Any]:
    threshold, deciding, method = model.thresholds.current, model.thresholds.deciding, model.method
    planes = plane_names(model.config.dataset.image)
    least = size.least
    return {
        "format": FORMAT,
        "radar": radar.__version__,
        "graph": names[0],
        "method": model.config.method.name,
        "fingerprint": model.fingerprint,
        "preprocessing": {
            **_reading(model),
            "megapixels": model.files.megapixels,
            "side": model.files.side,
        },
        "input": {
            "planes": list(planes),
            "size": None if size.fixed is None else list(size.fixed),
            "size_reason": size.reason,
            "least_side": least,
            "pictures_per_pass": model.config.scoring.images_per_pass,
            "drawn_size": list(_drawn_size(size)),
        },
        "noise": {
            "seed": model.config.seed,
            "draws": method.draws.count,
            "channels": method.noise_shape(len(planes), least, least)[0],
        },
        "point_names": list(method.point_names),
        "threshold": {
            "name": deciding.name,
            "value": deciding.value,
            "source": threshold.source,
            "made": threshold.made,
            "false_alarms": threshold.false_alarms,
            "map_levels": deciding.map_levels._asdict(),
            "normal_scores": deciding.normal_scores.tolist(),
        },
        "predict": {each.name: getattr(settings, each.name) for each in fields(PredictSettings)},
        "files": {name: sha256(folder / name) for name in (*names, ANSWERS)},
    }


def _reading(model: Model) -> dict[str, Any]:
    """How pixels become planes, and which region of them counts; of models without one, no entry."""
    entries = asdict(preprocessing_of(model.config.dataset.image))
    if entries["region_of_interest"] is None:
        del entries["region_of_interest"]
    return entries


def _drawn_size(size: Size) -> tuple[int, int]:
    """Height and width of drawn pictures: small ones, of other sides than the network halves."""
    return size.fixed or (size.least + 5, size.least + 2)


def _answers(model: Model, height: int, width: int) -> Answers:
    """What the model says of drawn pictures."""
    planes = drawn_planes(plane_names(model.config.dataset.image), height, width)
    noise = model.method.draws.of(
        IDENTITIES, model.method.noise_shape(planes.shape[1], height, width), model.config.seed
    )
    with torch.inference_mode():
        found = model.judged(model.method(torch.from_numpy(planes), noise))
    return Answers(found.scores, found.decisions, found.points, np.stack([each.numpy() for each in found.anomaly_maps]))
