"""What lies deeper below a folder than a report looks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from radar.experiment.session import CACHE_FOLDER
from radar.experiment.sweep import SWEEPS_FOLDER
from radar.report.records import is_records

_STATUS = "status.json"  # of a run directory
_NO_RUNS = (CACHE_FOLDER, SWEEPS_FOLDER)  # folders of an output root that hold none
_NAMED = 3  # folders, of those that hold something


def told_deeper(folder: Path, given: Sequence[Path]) -> str:
    """How many runs and files of records lie in folders of `folder`, but for those that are `given` themselves or by their folder, and
    what to do about it; empty where there is none."""
    read = {each.resolve() for each in given}  # a folder may be spelt in many ways
    found = [each for each in _lying_deeper(folder) if read.isdisjoint((each.resolve(), each.parent.resolve()))]
    if not found:
        return ""
    places = sorted({str(each.parent) for each in found})
    named = " ".join([*places[:_NAMED], *(["…"] if places[_NAMED:] else [])])
    what = "run or file of records lies" if len(found) == 1 else "runs or files of records lie"
    return f"{len(found)} {what} deeper, not read; name the folder, too: {named}"


def _lying_deeper(folder: Path) -> list[Path]:
    """Run directories and files of records, those of `folder` itself not among them.

    Links are not followed, and run directories, hidden folders and what runs share are not looked into.
    """
    found = []
    for place, folders, files in os.walk(folder):
        here = Path(place)
        if is_run := _STATUS in files:
            found.append(here)
        else:
            found += [here / name for name in files if is_records(here / name)]
        folders[:] = [] if is_run else [name for name in folders if not name.startswith(".") and name not in _NO_RUNS]
    return [each for each in found if folder not in (each, each.parent)]
