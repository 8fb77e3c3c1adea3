"""A model that is asked for long, and decides by the threshold that is the current one beside it now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock

from radar.errors import RunError
from radar.model import Model
from radar.model_folder import model_folder, with_stored_thresholds
from radar.thresholds import Threshold, stamp


class CurrentModel:
    """The model of a run, whose versions of the threshold another process may change; `say` is told once of each change."""

    def __init__(self, run: Path, model: Model, say: Callable[[str], None]) -> None:
        self._folder, self._model, self._say = model_folder(run), model, say
        self._seen: tuple[int, ...] | None = ()  # so that what was written since the model was read is read at once
        self._failure = ""  # that was said last
        self._lock = Lock()

    def __call__(self) -> Model:
        """With the versions that lie there now; where those cannot be read, that is said, and the ones before decide."""
        with self._lock:
            found = stamp(self._folder)
            if found != self._seen:
                self._seen = found  # before it is read: what is written in between has another stamp
                self._read()
            return self._model

    def _read(self) -> None:
        before = self._model.thresholds.current
        try:
            self._model = with_stored_thresholds(self._folder, self._model)
        except RunError as error:
            if str(error) != self._failure:
                self._say(f"{error}; threshold {_told(before)} goes on deciding")
            self._failure, self._seen = (
                str(error),
                (),
            )  # asked again at the next look: what is back may look as nothing did
            return
        self._failure = ""
        now = self._model.thresholds.current
        if (now.name, now.value) != (before.name, before.value):
            self._say(f"threshold {_told(now)} decides from now on; before it, {_told(before)}")


def _told(threshold: Threshold) -> str:
    return f"{threshold.name} ({threshold.value:.6g})"
