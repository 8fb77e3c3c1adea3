"""Whether photos still come as they did: control charts of brightness, sharpness and scores over a log of predictions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from radar.config.verbs import MonitorConfig
from radar.deploy.control_chart import ewma, finds_a_step, limit_for
from radar.errors import ConfigError, DataError
from radar.model import Model
from radar.runtime.examination import MODEL_DIGITS
from radar.runtime.files import bounded_lines, check_is_file
from radar.runtime.log import JSON_LINES
from radar.runtime.prediction import DEFECTIVE, UNREADABLE, Prediction, from_json
from radar.scoring.forest import Floats

MEASURES = ("brightness", "sharpness", "score")  # what changes first stands first


@dataclass(frozen=True, eq=False)
class Chart:
    """One measure over N photos in their order; `levels` and `limit` are on the scale of normal scores."""

    measure: str  # of MEASURES
    values: Floats  # (N,)
    first: int  # index of the first photo that is judged; those before are its baseline
    levels: Floats  # (N − first,), the moving average
    limit: float
    alarm: int | None  # index of the first photo at which the average was beyond ±limit

    @property
    def rises(self) -> bool:
        """Whether the average left its limits upwards."""
        return self.alarm is not None and bool(self.levels[self.alarm - self.first] > 0)


@dataclass(frozen=True, eq=False)
class Monitored:
    """A log's readable photos in the order of their time, and a chart per measure."""

    times: tuple[datetime, ...]  # (N,), UTC
    thresholds: Floats  # (N,), that decided each of them
    rejected: int  # photos that were called defective
    charts: tuple[Chart, ...]
    others: int  # lines of other models, which are passed over
    unreadable: int  # photos, passed over too
    repeated: int  # lines that say again what another said, passed over too
    too_few_normals: (
        int | None
    )  # normal scores of the threshold, where they were to be the baseline and are fewer than it takes

    @property
    def drifted(self) -> tuple[Chart, ...]:
        """Charts that left their limits, the earliest first."""
        return tuple(sorted((each for each in self.charts if each.alarm is not None), key=lambda each: each.alarm or 0))


def monitor(model: Model, log: Path, since: datetime | None, settings: MonitorConfig) -> Monitored:
    """Charts of what `model` said in a log, a file of JSON Lines or the folder that holds it, from `since` on.

    The limits of the charts are such that the sum of their rates of false alarms is one in `run_length` photos. Raises `DataError`
    where the log cannot be read, or where fewer photos than the baseline and one more are in it.
    """
    path = log / JSON_LINES if log.is_dir() else log
    limit = limit_for(len(MEASURES) * settings.run_length, settings.weight)
    if not finds_a_step(settings.baseline, settings.weight, limit):
        raise ConfigError(
            f"weight={settings.weight}: with baseline={settings.baseline} and run_length={settings.run_length} no change is large "
            "enough to be found; lower weight or run_length, or raise baseline"
        )
    found = _lines(path, model.fingerprint[:MODEL_DIGITS], since)
    mine = found.mine
    if len(mine) <= settings.baseline:
        passed = f"; {found.others} lines are of other models" if found.others else ""
        passed += f"; {found.repeated} lines repeat others" if found.repeated else ""
        raise DataError(
            f"{path}: holds {len(mine)} readable photos of this model{passed}, and the baseline alone takes "
            f"{settings.baseline}; wait for more, or set baseline="
        )
    mine.sort(key=lambda line: line.time)
    own = model.thresholds.current.normal_scores
    normals = own if len(own) else model.calibration.scores
    of_normals = settings.score_baseline == "normals"
    enough = of_normals and len(normals) >= settings.baseline
    charts = []
    for measure in MEASURES:
        values = np.array([getattr(line, measure) for line in mine])
        first = 0 if measure == "score" and enough else settings.baseline
        baseline = values[:first] if first else normals
        levels, alarm = ewma(values[first:], baseline, settings.weight, limit)
        charts.append(Chart(measure, values, first, levels, limit, None if alarm is None else first + alarm))
    thresholds = np.array([line.threshold for line in mine])
    times = tuple(line.time for line in mine)
    return Monitored(
        times,
        thresholds,
        sum(line.rejected for line in mine),
        tuple(charts),
        found.others,
        found.unreadable,
        found.repeated,
        too_few_normals=len(normals) if of_normals and not enough else None,
    )


@dataclass(frozen=True)
class _Line:
    """What is charted of a photo."""

    time: datetime
    threshold: float
    rejected: bool
    brightness: float
    sharpness: float
    score: float


@dataclass
class _Lines:
    """A log, read: readable photos of the model, and how many of its lines are something else."""

    mine: list[_Line] = field(default_factory=list)
    others: int = 0
    unreadable: int = 0
    repeated: int = 0


def _lines(path: Path, model: str, since: datetime | None) -> _Lines:
    """A photo that several lines tell of, as where copies of one log were put together, counts once."""
    found, known = _Lines(), set[tuple[str, datetime, str | None]]()
    try:
        check_is_file(path, math.inf)
        with path.open("rb") as file:
            for number, line in enumerate(bounded_lines(file), start=1):
                whole = line.endswith(b"\n")
                try:
                    said, time = _said(line, f"{path}, line {number}")
                except DataError:
                    if whole:
                        raise
                    break  # the last one, which is being written
                photo = (said.path, time, said.content_hash)
                if since is not None and time < since:
                    continue
                if said.model != model:
                    found.others += 1
                elif photo in known:
                    found.repeated += 1
                elif said.decision == UNREADABLE:
                    found.unreadable += 1
                elif said.score is None or said.brightness is None or said.sharpness is None:
                    raise ValueError(f"line {number} has a decision and no score, brightness or sharpness")
                else:
                    rejected = said.decision == DEFECTIVE
                    found.mine.append(
                        _Line(time, said.threshold, rejected, said.brightness, said.sharpness, said.score)
                    )
                if said.model == model:
                    known.add(photo)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read as a log ({getattr(error, 'strerror', None) or error}); radar predict --out FOLDER writes one"
        ) from None
    return found


def _said(line: bytes, where: str) -> tuple[Prediction, datetime]:
    try:
        said = from_json(line)
        return said, in_utc(said.time)
    except ValueError as error:
        raise DataError(
            f"{where}: is no prediction ({error}); name the {JSON_LINES} that radar predict has written"
        ) from None


def in_utc(text: str) -> datetime:
    """A time of ISO 8601; without a zone it is UTC. Raises `ValueError`."""
    time = datetime.fromisoformat(text)
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text} lies outside the years 1 to 9999 in UTC") from None
