"""Photos that the page holds from its start, where its user asks for them: a run's own test images, or those of a log."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from radar.data.layouts import layout_of
from radar.data.layouts.layout import Layout
from radar.data.manifest import read_manifest
from radar.data.preprocessing import preprocessing_of
from radar.data.sample import Sample
from radar.deploy.scorer import ModelScorer
from radar.errors import DataError
from radar.experiment.transfer import DoneRun
from radar.model import Model
from radar.runtime.errors import ImageError
from radar.runtime.files import bounded_lines, check_is_file
from radar.runtime.log import JSON_LINES
from radar.runtime.photo import Photo, read_photo
from radar.runtime.picture import as_seen
from radar.runtime.prediction import from_json
from radar.runtime.terminal import tell


def run_photos(run: Path, model: Model) -> Iterator[Photo]:
    """The test images of a run, as its data set has them, drawn ones too. Raises `RunError`, `DataError` before the first one."""
    done = DoneRun.at(run)
    layout, samples = layout_of(done.config.dataset), read_manifest(done.directory.manifest)
    return (_photo(sample, layout, model) for sample in samples if sample.split == "test")


def logged_photos(log: Path, model: Model, most: int) -> Iterator[Photo]:
    """The latest `most` photos of a log of predictions, as they lie there now, asked anew; that there are more is told. Raises
    `DataError` before the first one.
    """
    path = log / JSON_LINES if log.is_dir() else log
    try:
        check_is_file(path, math.inf)
        with path.open("rb") as file:
            paths: dict[str, None] = {}
            for line in bounded_lines(file):
                path_of_line = from_json(line).path
                paths.pop(path_of_line, None)  # a path that comes again stands where it came last
                paths[path_of_line] = None
            latest = deque(paths, most)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read ({error}); name a folder that radar predict --out has written"
        ) from None
    if len(paths) > most:
        tell(f"{path}: the latest {most} of its {len(paths)} photos are asked anew; gallery={len(paths)} asks for all")
    scorer = ModelScorer(model)
    return (read_photo(Path(name), scorer) for name in latest)


def _photo(sample: Sample, layout: Layout, model: Model) -> Photo:
    began, picture, error, path, found = time.perf_counter(), None, None, Path(sample.path), None
    try:
        found = layout.content_hash(sample.path)
        if found != sample.content_hash:
            raise DataError("has changed since the run, which read another file; ask about it as a new photo")
        picture = as_seen(path, layout.pixels(sample.path), found, preprocessing_of(model.config.dataset.image))
    except (DataError, ImageError) as failure:
        error = str(failure)
    return Photo(path, None, True, found, time.perf_counter() - began, picture, error)
