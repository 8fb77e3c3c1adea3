"""Photos one after the other, in bounded memory and in their order: some are decoded while one is scored."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from .examination import Examined, examine
from .photo import Photo, read_photo
from .picture import Scorer
from .settings import PredictSettings


def examined(scorer: Scorer, paths: Iterable[Path], settings: PredictSettings) -> Iterator[Examined]:
    """What `scorer` says of the files at `paths`, in their order, each as soon as it is known; a bad file stops nothing."""
    photos = read_ahead(paths, scorer, settings.decode_ahead)
    for batch in batches(photos, scorer.pictures_per_pass):
        yield from examine(scorer, batch, settings.regions)


def read_ahead(paths: Iterable[Path], scorer: Scorer, ahead: int) -> Iterator[Photo]:
    """The files at `paths`, read as `scorer` wants them by a thread which is at most `ahead` of them ahead."""
    waiting = deque[Future[Photo]]()
    with ThreadPoolExecutor(max_workers=1) as pool:  # Pillow lets go of the interpreter
        try:
            for path in paths:
                waiting.append(pool.submit(read_photo, path, scorer))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def batches(photos: Iterable[Photo], size: int) -> Iterator[list[Photo]]:
    """Photos in their order, as many together as share a pass: up to `size` readable ones of one size, and bad ones between them."""
    batch: list[Photo] = []
    shapes: list[tuple[int, ...]] = []  # of the readable ones
    for photo in photos:
        shape = None if photo.picture is None else photo.picture.planes.shape
        if shape is not None and shapes and shape != shapes[0]:
            yield batch
            batch, shapes = [], []
        batch.append(photo)
        if shape is not None:
            shapes.append(shape)
        if len(shapes) in (0, size):
            yield batch
            batch, shapes = [], []
    if batch:
        yield batch
