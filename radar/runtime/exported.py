"""An exported model: image files in, scores, decisions and maps out, as the model that it was exported from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .decoding import decode
from .errors import ImageError
from .graph import Graph, open_graph
from .manifest import Manifest, read_manifest
from .philox import PhiloxStream
from .preprocessing import FloatArray, Frame, preprocess


@dataclass(frozen=True, eq=False)
class Picture:
    """An image as the graph takes it."""

    planes: FloatArray  # (P, H, W) in [−1, 1]
    frame: Frame  # where it lies in the original
    identity: str  # SHA-256 of the file's bytes, by which its noise is drawn


@dataclass(frozen=True, eq=False)
class Answers:
    """What an exported model says of N images."""

    scores: NDArray[np.floating]  # (N,), higher is more anomalous
    decisions: NDArray[np.bool_]  # (N,), True is defective
    points: NDArray[np.floating]  # (N, F), what the detector judged
    maps: NDArray[np.float32]  # (N, H, W) ≥ 0, at the size that the graph saw


class ExportedModel:
    """A graph and its manifest."""

    def __init__(self, manifest: Manifest, graph: Graph) -> None:
        self.manifest = manifest
        self._graph = graph

    def read(self, path: Path) -> Picture:
        """An image file, read to the bit as those that the model was fitted on. Raises `ImageError`."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ImageError(f"cannot be read ({error.strerror}); check the file") from None
        pixels, side = decode(content), self.manifest.side
        height, width = pixels.values.shape[:2]
        if side is not None and (height, width) != (side, side):
            raise ImageError(
                f"is {width} x {height} px, and images of {side} x {side} px are wanted; cut it to that size"
            )
        planes, frame = preprocess(pixels, self.manifest.preprocessing)
        return Picture(planes, frame, hashlib.sha256(content).hexdigest())

    def score(self, pictures: Sequence[Picture]) -> Answers:
        """Answers for pictures of one size. Raises `ImageError` where the graph does not take that."""
        planes = np.stack([picture.planes for picture in pictures])
        self._check_size(*planes.shape[-2:])
        inputs = {"images": planes}
        if self.manifest.draws:
            inputs["noise"] = np.stack([self._noise(picture) for picture in pictures])
        said = self._graph(inputs)
        return Answers(said["score"], said["decision"].astype(bool), said["points"], said["map"])

    def _noise(self, picture: Picture) -> FloatArray:
        """`(K, C, H, W)`."""
        shape, seed = (self.manifest.noise_channels, *picture.planes.shape[-2:]), self.manifest.seed
        streams = (PhiloxStream(seed, picture.identity, number) for number in range(self.manifest.draws))
        return np.stack([stream.gaussian(shape) for stream in streams])

    def _check_size(self, height: int, width: int) -> None:
        size, least = self.manifest.size, self.manifest.least_side
        if size is not None and (height, width) != size:
            raise ImageError(f"is {width} x {height} px, and this model takes {size[1]} x {size[0]} px alone")
        if min(height, width) < least:
            raise ImageError(f"is {width} x {height} px, and this model takes no side below {least} px")


def load(folder: str | Path, threads: int | None = None) -> ExportedModel:
    """The exported model of a folder, whose checksums are looked at first; None: as many threads as there are cores.

    Raises `RuntimeFolderError` where a file was changed, or what runs it is not installed.
    """
    manifest = read_manifest(Path(folder))
    return ExportedModel(manifest, open_graph(manifest.target, Path(folder) / manifest.graph, threads))
