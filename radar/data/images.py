"""Images in memory: named planes, with the samples that they are of and where each picture sits in its original."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radar.config.schema import ImageConfig
from radar.data.decoding import FloatArray, Pixels
from radar.data.file_reader import FileReader
from radar.data.preprocessing import Frame, network_plane_names, plane_names, preprocess
from radar.data.sample import UNKNOWN_DEFECT, UNKNOWN_LABEL, Sample
from radar.data.threads import in_threads
from radar.errors import DataError
from radar.progress import Report


@dataclass(frozen=True, eq=False)
class Images:
    """N images, P planes each; what belongs to image `i` stands at `i` everywhere."""

    planes: Tensor  # float32 (N, P, H, W) in [-1, 1]
    plane_names: tuple[str, ...]  # P of them
    samples: tuple[Sample, ...]
    frames: tuple[Frame, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, which: slice | Sequence[int]) -> Images:
        """Those of a slice (planes are a view), or those at given places, in that order (planes are copied)."""
        places = range(len(self))[which] if isinstance(which, slice) else which
        return Images(
            self.planes[which if isinstance(which, slice) else list(which)],
            self.plane_names,
            tuple(self.samples[place] for place in places),
            tuple(self.frames[place] for place in places),
        )

    @cached_property
    def network_planes(self) -> Tensor:
        """What networks see, a view: the luma alone where there is one `(N, 1, H, W)`, else all planes."""
        return self.planes[:, : len(network_plane_names(self.plane_names))]

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
    config: ImageConfig,
    progress: Report | None,
) -> Images:
    """The images of at least one sample, each decoded by `pixels` from its path.

    Raises DataError for a broken file, or if `config.size` is null and sizes differ.
    """

    def picture(sample: Sample) -> tuple[FloatArray, Frame]:
        return preprocess(pixels(sample.path), config)

    first, _ = picture(samples[0])
    planes = np.empty(
        (len(samples), *first.shape), np.float32
    )  # filled as they come: a list beside it is as large again

    def place(index: int) -> Frame:
        image, frame = picture(samples[index])
        if image.shape != first.shape:
            raise DataError(
                f"{samples[index].path} is {image.shape[2]} x {image.shape[1]} px and {samples[0].path} "
                f"{first.shape[2]} x {first.shape[1]} px; set dataset.image.size to bring them to one size"
            )
        planes[index] = image
        return frame

    frames = in_threads(place, range(len(samples)), "reading", progress)
    return Images(torch.from_numpy(planes), plane_names(config), tuple(samples), tuple(frames))


def read_images(paths: Sequence[Path], files: FileReader, config: ImageConfig) -> Images:
    """Images of no data set, read by a layout's `files` just as its own are: same planes to the bit, same identities.

    Nobody said what they show: label −1, defect "unknown", no mask, each a group of its own, split "test".
    Raises DataError where there are none, for a broken file, or if `config.size` is null and sizes differ.
    """
    if not paths:
        raise DataError("no images to read; name at least one file")
    hashes = in_threads(files.content_hash, paths, "hashing", None)
    samples = [
        Sample(str(path), content_hash, "test", UNKNOWN_LABEL, UNKNOWN_DEFECT, None, str(path))
        for path, content_hash in zip(paths, hashes, strict=True)
    ]
    return load_images(samples, lambda path: files.pixels(Path(path)), config, None)
