"""What lies in the folder of an exported model, and whether it is as it was written."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .drawn_pictures import ANSWERS
from .entries import SIDE, TEXT, typed
from .errors import RunError, StoredError
from .file_names import is_plain_name
from .files import difference, parsed_json, read_bytes, unreadable
from .preprocessing import Preprocessing
from .region_of_interest import region_problem
from .settings import PredictSettings
from .terminal import brief
from .threshold import CurrentThreshold

FORMAT = 5  # raised when an older runtime could not read it
MANIFEST, SEAL = "manifest.json", "manifest.json.sha256"  # the seal is as `sha256sum --check` reads it
TARGETS = ("onnx", "openvino")
OUTPUTS = ("map", "points", "score", "decision")
Shape = tuple[int | None, ...]
"""Lengths of an array's axes; None: any."""
REMEDY = "export the model again"
_WHOLE = "copy the folder again, or export again"
_LARGEST_SEAL = 1024  # bytes


@dataclass(frozen=True)
class FileReading(Preprocessing):
    """How a file becomes planes."""

    megapixels: float = field(metadata={"above": 0, "maximum": 10_000})  # of one file, in millions, at most
    # px of the square that each file must be; None: any
    side: int | None = field(metadata={"minimum": 1, "maximum": SIDE})


@dataclass(frozen=True)
class GraphInput:
    """Which images a graph takes."""

    planes: tuple[str, ...] = field(metadata=TEXT)  # names
    # height, width; None: any from `least_side` on
    size: tuple[int, int] | None = field(metadata={"minimum": 1, "maximum": SIDE})
    size_reason: str = field(metadata={**TEXT, "shortest": 0})  # why one alone; empty where any will do
    least_side: int = field(metadata={"minimum": 1, "maximum": SIDE})  # px
    pictures_per_pass: int = field(metadata={"minimum": 1, "maximum": 65_536})
    drawn_size: tuple[int, int] = field(metadata={"minimum": 1, "maximum": SIDE})  # height, width of drawn pictures


@dataclass(frozen=True)
class Noise:
    """Which noise a graph takes."""

    seed: int = field(metadata={"minimum": 0, "maximum": 2**63 - 1})
    draws: int = field(metadata={"minimum": 0, "maximum": 10_000})  # for each image
    channels: int = field(metadata={"minimum": 1, "maximum": 1024})


@dataclass(frozen=True)
class Manifest:
    """How to ask a graph; each field is an entry of the file."""

    target: str = field(metadata={"choices": TARGETS})
    graph: str = field(metadata=TEXT)  # file name
    method: str = field(metadata=TEXT)
    fingerprint: str = field(metadata=TEXT)  # of the model that was exported
    preprocessing: FileReading
    input: GraphInput
    noise: Noise
    point_names: tuple[str, ...] = field(metadata=TEXT)
    threshold: CurrentThreshold
    predict: PredictSettings
    files: dict[str, str] = field(metadata=TEXT)  # SHA-256 by name

    @property
    def inputs(self) -> dict[str, Shape]:
        """Of the graph: images `(N, P, H, W)` and, where it is drawn, noise `(N, K, C, H, W)`."""
        size = self.input.size or (None, None)
        inputs: dict[str, Shape] = {"images": (None, len(self.input.planes), *size)}
        if self.noise.draws:
            inputs["noise"] = (None, self.noise.draws, self.noise.channels, *size)
        return inputs


_FILES = {"onnx": (".onnx",), "openvino": (".xml", ".bin")}  # endings of a graph's files, by its target


def seal(content: bytes) -> str:
    """What the seal of a manifest says."""
    return f"{hashlib.sha256(content).hexdigest()}  {MANIFEST}\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an exported model all of whose files are as they were written. Raises `RunError`."""
    path = folder / MANIFEST
    try:
        content, sealed = read_bytes(path, REMEDY), read_bytes(folder / SEAL, REMEDY, _LARGEST_SEAL)
    except FileNotFoundError as error:
        raise RunError(f"{folder}: is no exported model ({error.strerror}: {error.filename})") from None
    if sealed != seal(content).encode():
        raise RunError(f"{path}: is not as it was exported (its checksum differs); {_WHOLE}")
    manifest = _manifest(parsed_json(content, path, REMEDY), path)
    for name, checksum in manifest.files.items():
        if found := difference(folder / name, checksum):
            raise RunError(f"{folder / name}: {found}; {_WHOLE}")
    return manifest


def _manifest(values: dict[str, Any], path: Path) -> Manifest:
    """Checksums say who wrote the entries as little as they say what is in them. Raises `RunError`."""
    if values.get("format") != FORMAT:
        stated = brief(values.get("format"))
        raise RunError(f"{path.parent}: has format {stated}, and this runtime reads {FORMAT}; {REMEDY}")
    try:
        manifest: Manifest = typed(Manifest, values)
    except RecursionError as error:
        raise unreadable(path, error, REMEDY) from None
    except ValueError as error:
        raise StoredError(f"{path}: {error}; {REMEDY}") from None
    if problem := _problem(manifest):
        raise StoredError(f"{path}: {problem}; {REMEDY}")
    return manifest


def _problem(manifest: Manifest) -> str:
    """What does not go together, or nothing."""
    reading, given = manifest.preprocessing, manifest.input
    # by its ending a runtime would take a graph for another kind, which may name files that nobody looks at
    graph, *weights = _FILES[manifest.target]
    wanted = [manifest.graph, *(f"{manifest.graph.removesuffix(graph)}{ending}" for ending in weights)]
    whole = manifest.graph.endswith(graph) and {*wanted, ANSWERS} <= set(manifest.files)
    if not whole or not all(map(is_plain_name, manifest.files)):
        kinds = " and ".join(_FILES[manifest.target])
        return f"files={brief([*manifest.files])}: must be names of files here, the graph's {kinds} and {ANSWERS} among them"
    region = reading.region_of_interest
    if region is not None and (problem := region_problem(region)):
        return f"preprocessing.region_of_interest{problem}"
    if given.planes != reading.plane_names:
        return f"input.planes={brief([*given.planes])}: must be those of preprocessing.channels={reading.channels}"
    if given.size not in (None, reading.fixed):
        return f"input.size={brief([*given.size])}: must be that of the preprocessing, {brief(reading.fixed)}, or null"
    return ""
