"""Images in memory: named planes, with the samples that they are of and where each picture sits in its original."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radar.config.schema import ImageConfig
from radar.data.decoding import Pixels
from radar.data.file_reader import FileReader
from radar.data.preprocessing import (
    Frame,
    network_plane_names,
    picture_size,
    plane_names,
    preprocess,
    preprocessing_of,
)
from radar.data.sample import UNKNOWN_DEFECT, UNKNOWN_LABEL, Sample
from radar.data.threads import in_threads
from radar.errors import DataError
from radar.progress import Report
from radar.rasters import Rasters
from radar.runtime.errors import ImageError
from radar.runtime.preprocessing import region_of
from radar.runtime.region_of_interest import PLANE


@dataclass(frozen=True, eq=False)
class Images:
    """N images, P planes each, of any sizes; what belongs to image `i` stands at `i` everywhere."""

    planes: Rasters  # N of float32 (P, H, W) in [-1, 1]; outside a region of interest they continue its inside
    plane_names: tuple[str, ...]  # P of them
    samples: tuple[Sample, ...]
    frames: tuple[Frame, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, which: slice | Sequence[int]) -> Images:
        """Those of a slice (planes are a view), or those at given places, in that order (planes are copied)."""
        places = range(len(self))[which] if isinstance(which, slice) else which
        return Images(
            self.planes.some(which) if isinstance(which, slice) else self.planes.at(which),
            self.plane_names,
            tuple(self.samples[place] for place in places),
            tuple(self.frames[place] for place in places),
        )

    @cached_property
    def network_planes(self) -> Rasters:
        """What networks see, a view: the luma alone where there is one, else all planes."""
        return self.planes.first(len(network_plane_names(self.plane_names)))

    @cached_property
    def has_region(self) -> bool:
        """Whether the last plane is a region of interest."""
        return self.plane_names[-1] == PLANE

    @cached_property
    def learnt_planes(self) -> Rasters:
        """What networks are trained on: what they see and, copied, the region as the last plane, where there is one."""
        if not self.has_region:
            return self.network_planes
        own = len(network_plane_names(self.plane_names))
        return Rasters(self.planes.values[[*range(own), -1]], self.planes.sizes)

    def inside(self, index: int) -> NDArray[np.bool_] | None:
        """Which pixels `(H, W)` of an image lie in its region; None: all of it counts."""
        return region_of(self.planes[index].numpy(), self.plane_names)

    @cached_property
    def identities(self) -> tuple[str, ...]:
        """Content hashes."""
        return tuple(sample.content_hash for sample in self.samples)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(N,): 0 normal, 1 anomalous, −1 where nobody said."""
        return np.array([sample.label for sample in self.samples], dtype=np.int64)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Names, equal where images show the same part."""
        return tuple(sample.group for sample in self.samples)

    @cached_property
    def defects(self) -> tuple[str, ...]:
        """Kinds of defect, "good" for normals."""
        return tuple(sample.defect for sample in self.samples)


def load_images(
    samples: Sequence[Sample],
    pixels: Callable[[str], Pixels],
    shape: Callable[[str], tuple[int, int]],
    config: ImageConfig,
    progress: Report | None,
) -> Images:
    """The images of at least one sample: their files' heights and widths, and what these decode to, by path.

    Raises DataError for a broken file, and for one whose region of interest leaves too little of it.
    """
    fixed = preprocessing_of(config).fixed
    sizes = [fixed or picture_size(*shape(sample.path), config, sample.path) for sample in samples]
    # filled as they come: a list beside it is as large again
    planes = Rasters.zeros(sizes, len(plane_names(config)))
    written = [raster.numpy() for raster in planes]  # also where autograd is told that nothing changes

    def place(index: int) -> Frame:
        decoded = pixels(samples[index].path)
        try:
            picture, frame = preprocess(decoded, config)
        except ImageError as error:
            raise DataError(f"{samples[index].path}: {error}") from None
        for target, plane in zip(written[index], picture, strict=True):
            if plane.any():  # memory that is never written to takes none: a grey photo has no colour to be stored
                target[:] = plane
        return frame

    frames = in_threads(place, range(len(samples)), "reading", progress)
    return Images(planes, plane_names(config), tuple(samples), tuple(frames))


def read_images(paths: Sequence[Path], files: FileReader, config: ImageConfig) -> Images:
    """Images of no data set, read by a layout's `files` just as its own are: same planes to the bit, same identities.

    Nobody said what they show: label −1, defect "unknown", no mask, each a group of its own, split "test".
    Raises DataError where there are none, or for a broken file.
    """
    if not paths:
        raise DataError("no images to read; name at least one file")
    hashes = in_threads(files.content_hash, paths, "hashing", None)
    samples = [
        Sample(str(path), content_hash, "test", UNKNOWN_LABEL, UNKNOWN_DEFECT, None, str(path))
        for path, content_hash in zip(paths, hashes, strict=True)
    ]
    return load_images(
        samples, lambda path: files.pixels(Path(path)), lambda path: files.shape(Path(path)), config, None
    )
