"""What lies in the folder of an exported model, and whether it is as it was written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import RunError
from .files import sha256, unreadable
from .map_levels import MapLevels
from .paths import is_plain_name
from .preprocessing import Preprocessing
from .settings import PredictSettings
from .threshold import CurrentThreshold

FORMAT = 3  # raised when an older runtime could not read it
MANIFEST, SEAL = "manifest.json", "manifest.json.sha256"  # the seal is as `sha256sum --check` reads it
TARGETS = ("onnx", "openvino")
OUTPUTS = ("map", "points", "score", "decision")


@dataclass(frozen=True)
class Manifest:
    """How to ask a graph."""

    target: str  # of TARGETS
    graph: str  # file name
    method: str
    model: str  # fingerprint of the model that was exported
    preprocessing: Preprocessing
    megapixels: float  # of one file, in millions, at most
    side: int | None  # px of the square that each file must be; None: any
    planes: tuple[str, ...]  # names
    size: tuple[int, int] | None  # height and width that the graph takes; None: any from `least_side` on
    size_reason: str  # why one alone; empty where any will do
    least_side: int  # px
    pictures_per_pass: int
    seed: int  # of noise
    draws: int  # of noise, for each image
    noise_channels: int
    point_names: tuple[str, ...]
    threshold: CurrentThreshold
    settings: PredictSettings


def seal(content: bytes) -> str:
    """What the seal of a manifest says."""
    return f"{hashlib.sha256(content).hexdigest()}  {MANIFEST}\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an exported model all of whose files are as they were written. Raises `RunError`."""
    try:
        content, sealed = (folder / MANIFEST).read_bytes(), (folder / SEAL).read_text()
    except OSError as error:
        raise RunError(f"{folder}: is no exported model ({error.strerror}: {error.filename})") from None
    except ValueError:
        raise _changed(folder / SEAL) from None
    if sealed != seal(content):
        raise _changed(folder / MANIFEST)
    try:
        values: dict[str, Any] = json.loads(content)
        if values["format"] != FORMAT:
            raise RunError(f"{folder}: has format {values['format']}, and this runtime reads {FORMAT}; export it again")
        manifest, files = _manifest(values), dict(values["files"])
        if manifest.target not in TARGETS or manifest.graph not in files or not all(map(is_plain_name, files)):
            raise ValueError("it names files elsewhere, or no graph")
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise unreadable(folder / MANIFEST, error, "export it again") from None
    for name, checksum in files.items():
        if not (folder / name).is_file() or sha256(folder / name) != checksum:
            raise _changed(folder / name)
    return manifest


def _manifest(values: dict[str, Any]) -> Manifest:
    reading, given, noise = values["preprocessing"], values["input"], values["noise"]
    size, threshold = given["size"], values["threshold"]
    return Manifest(
        target=values["target"],
        graph=values["graph"],
        method=values["method"],
        model=values["fingerprint"],
        preprocessing=Preprocessing(**{name: reading[name] for name in ("channels", "size", "aspect", "resize")}),
        megapixels=reading["megapixels"],
        side=reading["side"],
        planes=tuple(given["planes"]),
        size=None if size is None else (size[0], size[1]),
        size_reason=given["size_reason"],
        least_side=given["least_side"],
        pictures_per_pass=given["pictures_per_pass"],
        seed=noise["seed"],
        draws=noise["draws"],
        noise_channels=noise["channels"],
        point_names=tuple(values["point_names"]),
        threshold=CurrentThreshold(
            threshold["name"],
            threshold["value"],
            MapLevels(**threshold["map_levels"]),
            np.array(threshold["normal_scores"]),
        ),
        settings=PredictSettings(**values["predict"]),
    )


def _changed(path: Path) -> RunError:
    return RunError(f"{path}: is not as it was exported (its checksum differs); copy the folder again, or export again")
