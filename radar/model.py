"""A fitted model: one thing that can be asked, complete without the images that it was fitted on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radar.config.schema import Config
from radar.data.file_reader import FileReader
from radar.data.images import Images, read_images
from radar.data.layouts import LAYOUTS
from radar.data.preprocessing import plane_names, preprocessing_of
from radar.errors import DataError, RunError
from radar.memory import is_out_of_memory
from radar.methods.method import FittedMethod, Measured
from radar.methods.responses import read, responses
from radar.progress import silent
from radar.rasters import Rasters
from radar.runtime.paths import given_paths
from radar.runtime.picture import FURTHEST
from radar.runtime.region_of_interest import PLANE, plane_problem
from radar.runtime.terminal import brief
from radar.scoring.detector import Detector
from radar.scoring.forest import Floats
from radar.scoring.map_levels import map_levels
from radar.thresholds import FITTED, Threshold, Thresholds

UNSEEN = ("network", "densities", "detector")


@dataclass(frozen=True, eq=False)
class Calibration:
    """Scores of M normal images, how high their maps rise, and what they can promise.

    `unseen_by` names what had not learnt from any of these images when it scored it, of `UNSEEN`. Cross-fitted scores leave an
    image out of the densities and not out of the network; what brings parts to one scale counts every normal. Normals that bring the
    border to one scale are no `densities`' unseen ones. Without `densities` and `detector`, no rate of false alarms is promised.
    """

    scores: Floats  # (M,)
    map_tops: Floats  # (M, 2), how high each image's anomaly map rises: radar/scoring/map_levels.py
    unseen_by: tuple[str, ...]
    false_alarms: float | None  # expected share of normal images above the threshold, at most; None: no promise

    def fitted(self, threshold: float, contamination: float) -> Thresholds:
        """The fitted threshold of scores as a first version; its map levels are what as many of the normals' maps stay below."""
        levels, made = map_levels(self.map_tops, contamination), datetime.now(UTC).isoformat(timespec="seconds")
        return Thresholds(
            (Threshold(FITTED, threshold, levels, "fit", "", made, self.false_alarms, self.scores, None),)
        )


@dataclass(frozen=True, eq=False)
class Scores:
    """What a model says of N images."""

    scores: Floats  # (N,), higher is more anomalous
    decisions: NDArray[np.bool_]  # (N,), True is anomalous
    points: Floats  # (N, F), what the detector judged
    point_names: tuple[str, ...]  # F
    anomaly_maps: tuple[Tensor, ...]  # N of (H, W) ≥ 0, at the size that the model sees
    noise: tuple[Tensor, ...] | None  # N of (C, H, W), of a method that predicts noise

    @staticmethod
    def of(maps: Measured, points: Floats, names: tuple[str, ...], detector: Detector, threshold: float) -> Scores:
        """Of measured images with points `(N, F)`: an image is anomalous where its score lies above the threshold."""
        scores = detector.score(points)
        return Scores(scores, scores > threshold, points, names, maps.anomaly, maps.noise)

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, eq=False)
class Model:
    """How images are read, the fitted method, the detector, its calibration and the versions of its threshold."""

    config: Config  # that it was fitted with
    method: FittedMethod
    detector: Detector
    calibration: Calibration
    thresholds: Thresholds
    fingerprint: str  # of the config and the data

    @property
    def threshold(self) -> float:
        """Of the current version: an image is anomalous where its score lies above."""
        return self.thresholds.current.value

    @cached_property
    def files(self) -> FileReader:
        """Reads files as those of the layout that it was fitted on."""
        dataset = self.config.dataset
        return LAYOUTS.get(dataset.layout)(dataset).files

    def at(self, threshold_name: str) -> Model:
        """The same model, deciding by another version of its threshold. Raises `ConfigError` where there is none of that name."""
        return replace(self, thresholds=self.thresholds.using(threshold_name))

    def score(self, images: Images | Tensor | str | Path | Sequence[str | Path]) -> Scores:
        """Scores of image files or named crops of files, of loaded images, or of a tensor `(N, P, H, W)` in [−1, 1].

        The same bits in any batch, unless the model was fitted with several images per pass; files are read one by one, as those
        that it was fitted on. An image's noise is a function of the model's seed and of the image's content: a tensor's is that of
        its own values, and that of a file of its bytes, so that a picture which is saved anew has another. Raises `DataError` for
        what cannot be read, has other planes or a size that the model does not take, or has a region without a pixel.
        """
        parts = list(self._maps(images if isinstance(images, Images | Tensor) else given_paths(images)))
        noise = tuple(each for part in parts if part.noise is not None for each in part.noise)
        return self.judged(
            Measured(
                tuple(each for part in parts for each in part.anomaly),
                torch.cat([part.points for part in parts]),
                noise or None,
            )
        )

    def judged(self, maps: Measured) -> Scores:
        """Scores and decisions of measured images."""
        return Scores.of(maps, maps.points.cpu().numpy(), self.method.point_names, self.detector, self.threshold)

    def _maps(self, images: Images | Tensor | Sequence[Path]) -> Iterator[Measured]:
        if isinstance(images, Images):
            yield self._measured(images.planes, images.identities)
        elif isinstance(images, Tensor):
            if images.ndim != 4 or 0 in images.shape:
                raise DataError(f"images {tuple(images.shape)}: a tensor of images is (N, P, H, W)")
            if images.layout != torch.strided or images.is_meta:
                raise DataError(
                    f"images of {images.layout} on {images.device}: a tensor of images holds every value itself"
                )
            # what is no number fulfils no comparison
            if not images.is_floating_point() or not bool((images.abs() <= FURTHEST).all()):
                raise DataError(
                    f"images of {images.dtype}: a tensor of images holds numbers from -1, black, to 1, white"
                )
            values = images.detach().to("cpu", torch.float32)
            yield self._measured(Rasters.of(values), [_tensor_hash(image) for image in values])
        else:
            if not images:
                raise DataError("no images to score; name at least one file")
            for path in images:  # one at a time, whatever their number
                one = read_images([path], self.files, self.config.dataset.image)
                yield self._measured(one.planes, one.identities)

    def _measured(self, planes: Rasters, identities: Sequence[str]) -> Measured:
        names, size = plane_names(self.config.dataset.image), self.config.scoring.images_per_pass
        if not len(planes) or planes.channels != len(names):
            raise DataError(
                f"{len(planes)} images of {planes.channels} planes: this model takes {len(names)}, {', '.join(names)}"
            )
        if names[-1] == PLANE:
            _check_regions(planes)
        with _matmul_precision(self.config.trainer.matmul_precision):
            try:
                response = responses(
                    self.method, planes, identities, seed=self.config.seed, images_per_pass=size, report=silent
                )
                return read(self.method, response, images_per_pass=size)
            except (RunError, RuntimeError, ValueError) as error:  # layers say of sizes what they like
                if is_out_of_memory(error) or set(planes.sizes) == {preprocessing_of(self.config.dataset.image).fixed}:
                    raise
                seen = " and ".join(sorted({f"{width} x {height}" for height, width in planes.sizes})[:2])
                raise DataError(f"images of {seen} px: the model does not take them ({brief(str(error))})") from error


@contextmanager
def _matmul_precision(wanted: str) -> Iterator[None]:
    """Products as the model was fitted with; what the process had comes back."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(wanted)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _check_regions(planes: Rasters) -> None:
    """Raise `DataError` for the first image whose last plane is no region."""
    for place, each in enumerate(planes):
        if problem := plane_problem(each[-1].detach().cpu().numpy()):
            raise DataError(f"image {place + 1} of {len(planes)} {problem}")


def _tensor_hash(image: Tensor) -> str:
    return hashlib.sha256(f"{tuple(image.shape)}".encode() + image.contiguous().cpu().numpy().tobytes()).hexdigest()
