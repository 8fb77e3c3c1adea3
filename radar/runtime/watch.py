"""A watched folder: every photo that comes is scored once, whatever happens to it or to the watcher.

A photo is its path and its content, and has exactly one line in the log, which is all that is remembered. Polling works on any
file system, network shares included.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from threading import Event
from typing import NamedTuple

from .errors import RunError
from .examination import MODEL_DIGITS, Examined, examine
from .paths import images_below
from .photo import Photo, Stamp
from .picture import Scorer
from .prediction import Prediction
from .settings import PredictSettings
from .stream import batches, read_ahead

_DIGEST_BYTES = 16  # of a path and a content, in memory


class _Waiting(NamedTuple):
    """A file that was seen, as it was then, and since when it is so (seconds of the monotonic clock)."""

    stamp: Stamp
    since: float


class Watcher:
    """What is known of a folder's photos: 16 bytes of each that has a line, and the stamps of the files that are there now."""

    def __init__(self, scorer: Scorer, folder: Path, settings: PredictSettings) -> None:
        self._scorer = scorer
        self._folder = folder.resolve()
        self._settings = settings
        self._logged: set[bytes] = set()
        self._settled: dict[str, Stamp] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._real = cache(os.path.realpath)  # of folders

    def remember(self, prediction: Prediction) -> None:
        """Take over a line of the log. Raises `RunError` where another model wrote it."""
        if prediction.model != self._scorer.fingerprint[:MODEL_DIGITS]:
            raise RunError(
                f"the log was written by the model {prediction.model}, and this is {self._scorer.fingerprint[:MODEL_DIGITS]}; "
                "name another folder with --out"
            )
        stamp, path = Stamp(prediction.modified_ns or 0, prediction.bytes or 0), Path(prediction.path)
        # a log that was begun without watching may say otherwise where the folder lies
        name = str(Path(self._real(path.parent)) / path.name)
        self._logged.add(_identity(name, prediction.content_hash, stamp))
        self._settled[name] = stamp

    def run(self, take: Callable[[Examined], None], stop: Event) -> None:
        """Look until `stop` is set; `take` must leave a photo's line in the log before it returns."""
        while not stop.is_set():
            for examined in self._examined(self._look(), stop):
                take(examined)
                self.remember(examined.prediction)
                if waiting := self._waiting.pop(examined.prediction.path, None):
                    self._settled[examined.prediction.path] = waiting.stamp  # more than a line tells of it
                if stop.is_set():
                    return
            stop.wait(self._settings.interval)

    def _look(self) -> list[Path]:
        """Files that are new and as they were at the look before, the oldest first; forgets files that are gone."""
        now, present, ready = time.monotonic(), set[str](), list[tuple[Stamp, Path]]()
        for path in images_below(self._folder):
            try:
                stamp, name = Stamp.of(path.stat()), str(path)
            except OSError:  # gone, or not to be reached just now
                continue
            present.add(name)
            settled = self._settled.get(name)
            if settled is not None and settled.fits(stamp):
                self._settled[name] = stamp
                continue
            waiting = self._waiting.get(name)
            if waiting is None or waiting.stamp != stamp:
                self._waiting[name] = _Waiting(stamp, now)
            else:
                ready.append((stamp, path))
        for known in (self._settled, self._waiting):
            for name in [name for name in known if name not in present]:
                del known[name]
        return [path for _, path in sorted(ready)]

    def _examined(self, ready: list[Path], stop: Event) -> Iterator[Examined]:
        paths = (path for path in ready if not stop.is_set())
        photos = read_ahead(paths, self._scorer, self._settings.decode_ahead)
        for batch in batches(self._new(photos), self._scorer.pictures_per_pass):
            self._scorer = (
                self._scorer.renewed()
            )  # between two passes, so that a photo is judged by one threshold alone
            yield from examine(self._scorer, batch, self._settings.regions)

    def _new(self, photos: Iterable[Photo]) -> Iterator[Photo]:
        """Those that want a line now."""
        for photo in photos:
            name = str(photo.path)
            waiting = self._waiting.get(name)
            changed = photo.content_hash is not None and not photo.steady
            if photo.stamp is None or waiting is None or changed or photo.stamp != waiting.stamp:
                self._waiting.pop(name, None)  # gone, or still being written: two looks more
            elif _identity(name, photo.content_hash, photo.stamp) in self._logged:
                self._settled[name] = photo.stamp  # touched, or here again
                del self._waiting[name]
            elif photo.picture is None and time.monotonic() - waiting.since < self._settings.patience:
                continue  # tried again at the next look
            else:
                yield photo


def _identity(path: str, content_hash: str | None, stamp: Stamp) -> bytes:
    """Of a photo; of a file that could not be opened, what is known of it from outside."""
    told = content_hash or f"{stamp.modified_ns} {stamp.bytes}"
    return hashlib.blake2b(os.fsencode(path) + b"\0" + told.encode(), digest_size=_DIGEST_BYTES).digest()
