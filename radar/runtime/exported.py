"""An exported model: image files in, scores, decisions and maps out, as the model that it was exported from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from .crops import array_hash, check_side, content_hash, file_and_crop
from .decoding import Pixels, decode
from .drawn_pictures import ANSWERS, IDENTITIES, Difference, difference, drawn_planes, packed_size
from .errors import ImageError, RunError
from .files import read_bytes
from .graph import PACKAGES, Graph, imported, open_graph
from .manifest import MANIFEST, REMEDY, Manifest, Shape, read_manifest
from .philox import PhiloxStream
from .picture import FURTHEST, Answers, Picture
from .preprocessing import FloatArray
from .region_of_interest import PLANE, plane_problem


class ExportedModel:
    """A graph and its manifest; fulfils `Scorer`."""

    def __init__(self, manifest: Manifest, graph: Graph) -> None:
        self.manifest = manifest
        self.fingerprint = manifest.fingerprint
        self.threshold = manifest.threshold
        self.preprocessing = manifest.preprocessing
        self.pictures_per_pass = manifest.input.pictures_per_pass
        self._graph = graph

    def decode(self, path: Path, content: bytes) -> tuple[Pixels, str]:
        """The pixels in a file's bytes, to the bit as those that the model was fitted on, and their identity. Raises `ImageError`."""
        crop, pixels = file_and_crop(path)[1], decode(content, self.preprocessing.megapixels)
        if crop is not None:
            pixels = crop.cut(pixels)
        check_side(path, pixels.values.shape[:2], self.preprocessing.side)
        return pixels, content_hash(content) if crop is None else array_hash(pixels.values)

    def answers(self, pictures: Sequence[Picture]) -> Answers:
        """What it says of pictures of one size. Raises `ImageError` where the graph does not take that size."""
        return self.ask(np.stack([each.planes for each in pictures]), [each.identity for each in pictures])

    def renewed(self) -> ExportedModel:
        """Itself: it holds the threshold that it was exported with."""
        return self

    def ask(self, planes: FloatArray, identities: Sequence[str]) -> Answers:
        """What it says of images `(N, P, H, W)` in [−1, 1], whose noise is drawn by N identities. Raises `ImageError`."""
        height, width = planes.shape[-2:]
        self._check_size(height, width)
        if not bool((np.abs(planes) <= FURTHEST).all()):  # which no number fulfils that is none
            raise ImageError("holds other values than numbers from -1, black, to 1, white")
        if self.preprocessing.plane_names[-1] == PLANE and (
            problem := next(filter(None, map(plane_problem, planes[:, -1])), "")
        ):
            raise ImageError(problem)
        inputs = {"images": planes}
        if self.manifest.noise.draws:
            inputs["noise"] = np.stack([self._noise(identity, height, width) for identity in identities])
        said = self._graph(inputs)
        return Answers(said["score"], said["decision"].astype(bool), said["points"], said["map"])

    def _noise(self, identity: str, height: int, width: int) -> FloatArray:
        """`(K, C, H, W)`."""
        noise = self.manifest.noise
        streams = (PhiloxStream(noise.seed, identity, number) for number in range(noise.draws))
        return np.stack([stream.gaussian((noise.channels, height, width)) for stream in streams])

    def _check_size(self, height: int, width: int) -> None:
        given = self.manifest.input
        size, least = given.size, given.least_side
        if size is not None and (height, width) != size:
            raise ImageError(
                f"is {width} x {height} px, and this model takes {size[1]} x {size[0]} px alone: {given.size_reason}"
            )
        if min(height, width) < least:
            raise ImageError(f"is {width} x {height} px, and this model takes no side below {least} px")


def load(folder: str | Path, threads: int | None = None) -> ExportedModel:
    """The exported model of a folder, as `checked` finds it; None: as many threads as there are cores. Raises `RunError`."""
    return checked(Path(folder), threads)[0]


def checked(folder: Path, threads: int | None) -> tuple[ExportedModel, Difference]:
    """The exported model of a folder, and how far from its model it is here on drawn pictures.

    Raises `RunError` where a file was changed, does not fit the others, what runs it is not installed, or what that says here is not
    what the model said where it was exported.
    """
    manifest = read_manifest(folder)
    expected = read_bytes(folder / ANSWERS, REMEDY)
    if len(expected) != packed_size(len(manifest.point_names), *manifest.input.drawn_size):  # before any are drawn
        raise RunError(f"{folder / MANIFEST}: input.drawn_size and point_names do not fit {ANSWERS}; {REMEDY}")
    graph = open_graph(manifest.target, folder / manifest.graph, threads)
    if graph.inputs != manifest.inputs:
        raise RunError(
            f"{folder / MANIFEST}: names {_told(manifest.inputs)}, and its graph takes {_told(graph.inputs)}; {REMEDY}"
        )
    exported = ExportedModel(manifest, graph)
    try:
        found = difference(_of_drawn(exported), expected, manifest.threshold.value)
    except (ImageError, ValueError) as error:
        raise RunError(f"{folder}: a drawn picture {error}; {REMEDY}") from None
    if not found.is_rounding:
        package = PACKAGES[manifest.target]
        known = getattr(imported(package), "__version__", "")
        raise RunError(
            f"{folder}: {package} {known} answers on this machine otherwise than the model that was exported (on drawn pictures, by "
            f"{found.maps:.0e} of the maps' maximum, {found.points:.0e} of points and {found.scores:.0e} of scores, and "
            f"{found.decisions} decisions are not those of scores and threshold); install another version of it, or export for "
            "another runtime"
        )
    return exported, found


def _of_drawn(exported: ExportedModel) -> Answers:
    """What it says of the drawn pictures, in passes as of photos."""
    planes, size = (
        drawn_planes(exported.manifest.input.planes, *exported.manifest.input.drawn_size),
        exported.pictures_per_pass,
    )
    passes = [
        exported.ask(planes[start : start + size], IDENTITIES[start : start + size])
        for start in range(0, len(IDENTITIES), size)
    ]
    names = ("scores", "decisions", "points", "maps")
    return Answers(*(np.concatenate([getattr(each, name) for each in passes]) for name in names))


def _told(inputs: Mapping[str, Shape]) -> str:
    shapes = ("x".join("?" if each is None else str(each) for each in shape) for shape in inputs.values())
    return " and ".join(f"{name} {shape}" for name, shape in zip(inputs, shapes, strict=True))
