"""What was shown to the model: the latest photos with their pictures, and the scores of some more."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from radar.runtime.prediction import Prediction

_DIGITS = 20


@dataclass(frozen=True, eq=False)
class Kept:
    """A photo's line and its pictures, by the names of `radar.inspect.pictures.LAYERS`; none of an unreadable one."""

    prediction: Prediction
    layers: dict[str, bytes]

    @property
    def key(self) -> str:
        """By which the page asks for it: a photo is its name and its content."""
        told = f"{self.prediction.path}\0{self.prediction.content_hash}"
        return hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()[:_DIGITS]


class Gallery:
    """At most `images` photos and `scores` scores, the latest ones; a photo that comes again takes its own place."""

    def __init__(self, images: int, scores: int) -> None:
        self._most_images, self._most_scores = images, scores
        self._kept = OrderedDict[str, Kept]()
        self._scores = OrderedDict[str, float]()
        self._lock = Lock()  # one thread adds while another lists

    def add(self, kept: Kept) -> None:
        with self._lock:
            self._kept[kept.key] = kept
            self._kept.move_to_end(kept.key)
            if len(self._kept) > self._most_images:
                self._kept.popitem(last=False)
            if kept.prediction.score is not None:
                self._scores[kept.key] = kept.prediction.score
                self._scores.move_to_end(kept.key)
            if len(self._scores) > self._most_scores:
                self._scores.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._scores.clear()

    def get(self, key: str) -> Kept | None:
        return self._kept.get(key)

    def all(self) -> list[Kept]:
        """The latest first."""
        with self._lock:
            return list(reversed(self._kept.values()))

    def scores(self) -> dict[str, float]:
        """By the photos' keys, of more photos than are kept."""
        with self._lock:
            return dict(self._scores)
