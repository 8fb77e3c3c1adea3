"""What `radar monitor` says of real photos whose light changes: exposures of magnetic tiles, sheets of PIPED, a lamp that ages.

    python -m scripts.real_drift --data FOLDER --to docs/results/real_drift.json

Of each stream a model is given the first photos, of which it learns some and holds others out; those that are left are predicted,
and get times ten seconds apart in the order of the stream.
*Exposures*: held-out tiles at the exposure that was learnt, then those of another one. *Sheets*: held-out sheets one after the other,
as they came. *Lamp*: the same photos over and over in a random order, from half-way on under a light that falls with every photo.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

import radar
from radar.compose.settings import verb_settings
from radar.config.verbs import MonitorConfig
from radar.deploy.monitor import monitor
from radar.files import write_json, write_lines
from radar.model import Model
from radar.runtime.log import JSON_LINES
from radar.runtime.prediction import Prediction, json_line
from scripts.command_line import circumstances, guarded
from scripts.training_on_photos import trained_on

_EXPOSURES = range(1, 7)
_LEARNT, _AFTER = 60, 150  # tiles that are learnt from; tiles of each exposure that come then
_PIPED = ("PA_BDP01_TL", "PA_BRG01_RL", "PA_BRG03_TL", "PA_BTN01_RL", "PA_FVN01_TL", "PA_GLA01_TL")
_SHEETS = ("baseline=12", "run_length=200")  # of 24 photos: a longer run has limits that so few cannot leave
_ROUNDS = 10  # how often the lamp's photos come
_FALL = 0.001  # the share of light that is lost with each from half-way on
_START = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)
Row = dict[str, object]


def learnt(photos: Sequence[Path], work: Path, experiment: str) -> Model:
    """The model of an experiment on these photos. Raises `RunError`."""
    good = work / "parts" / "good"
    good.mkdir(parents=True)
    for photo in photos:
        shutil.copy(photo, good / photo.name)
    return trained_on(work / "parts", work / "out", f"experiment={experiment}")


def charted(name: str, model: Model, stream: Sequence[Prediction], changed: int | None, *settings: str) -> Row:
    """When each chart left its limits, in photos of the stream, beside when the light changed; and what was called defective."""
    with TemporaryDirectory() as folder:
        times = (_START + timedelta(seconds=10 * place) for place in range(len(stream)))
        lines = (json_line(replace(each, time=time.isoformat())) for each, time in zip(stream, times, strict=True))
        write_lines(Path(folder) / JSON_LINES, lines)
        found = monitor(model, Path(folder), None, verb_settings(MonitorConfig, "monitor", settings))
    alarms = {chart.measure: chart.alarm for chart in found.charts}
    said = [each.decision == "defective" for each in stream]
    first = min((alarm for alarm in alarms.values() if alarm is not None), default=len(stream))
    return {
        "stream": name,
        "photos": len(stream),
        "changed": changed,
        **alarms,
        "defective_before_alarm": sum(said[:first]),
        "defective": sum(said),
    }


def exposures(folder: Path, work: Path, experiment: str) -> list[Row]:
    """A row per exposure that follows the first."""
    of = {number: sorted((folder / "MT_Free" / "Imgs").glob(f"exp{number}_*.jpg")) for number in _EXPOSURES}
    model = learnt(of[1][:_LEARNT], work, experiment)
    came = {number: list(radar.predict(model, of[number][_LEARNT:][:_AFTER])) for number in _EXPOSURES}
    rows = [charted("magnetic tile, exposure 1 alone", model, came[1], None)]
    return rows + [
        charted(f"magnetic tile, exposure 1, then {number}", model, [*came[1], *came[number]], len(came[1]))
        for number in _EXPOSURES[1:]
    ]


def sheets(folder: Path, work: Path, experiment: str) -> list[Row]:
    """Two rows: sheets as they came, and a lamp that ages."""
    photos = sorted((folder / "NoDefects").iterdir())
    half = len(photos) // 2
    model = learnt(photos[:half], work, experiment)
    came = list(radar.predict(model, photos[half:]))
    order = np.random.default_rng(0).permuted(np.tile(np.arange(half), (_ROUNDS, 1)), axis=1).ravel()
    light = 1 - _FALL * np.maximum(0, np.arange(len(order)) - len(order) // 2)
    dimmed = work / "dimmed"
    dimmed.mkdir()
    paths = [
        _dimmed(photos[half + index], share, dimmed / f"{place:05}.png")
        for place, (index, share) in enumerate(zip(order, light, strict=True))
    ]
    name = f"PIPED {folder.name}"
    return [
        charted(f"{name}, sheets as they came", model, came, None, *_SHEETS),
        charted(f"{name}, a lamp that ages", model, list(radar.predict(model, paths)), len(order) // 2),
    ]


def _dimmed(photo: Path, share: float, path: Path) -> Path:
    with Image.open(photo) as image:
        Image.fromarray(np.rint(np.asarray(image) * share).astype(np.uint8)).save(path)
    return path


def main() -> int:
    """Learn, predict, chart and record; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real images: magnetic_tile and piped")
    parser.add_argument("--experiment", default="lof_texture", help="of conf/experiment, that learns")
    parser.add_argument("--to", type=Path, help="JSON file for the record")
    parsed = parser.parse_args()
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        work = Path(folder)
        rows += exposures(parsed.data / "magnetic_tile", work / "tiles", parsed.experiment)
        for name in _PIPED:
            rows += sheets(parsed.data / "piped" / name, work / name, parsed.experiment)
    for row in rows:
        print(", ".join(f"{key} {value}" for key, value in row.items()))
    if parsed.to:
        command_line = f"python -m scripts.real_drift --data FOLDER --experiment {parsed.experiment}"
        write_json(parsed.to, {**circumstances(command_line), "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
