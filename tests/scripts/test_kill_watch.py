"""Photos under kill -9: the check finds a line too many and one too few; then it is done, with a few hundred of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from radar.errors import RunError
from radar.runtime.log import CSV, JSON_LINES
from scripts.kill_watch import check, exported, fitted, watched


def written(out: Path, photos: list[str], records: int | None = None) -> Path:
    (out / JSON_LINES).write_text("".join(json.dumps({"path": name, "content_hash": "a"}) + "\n" for name in photos))
    (out / CSV).write_text("path\n" + "x\n" * (len(photos) if records is None else records))
    return out


@pytest.mark.parametrize(
    ("photos", "records", "said"),
    [
        (["1", "2", "2"], None, "1 photos have two lines, 0 none, 0 lines are of no photo"),
        (["1"], None, "0 photos have two lines, 1 none"),
        (["1", "2", "3"], None, "1 lines are of no photo"),
        (["1", "2"], 3, "3 records for 2 photos"),
    ],
)
def test_a_line_too_many_or_too_few_is_found(tmp_path: Path, photos: list[str], records: int | None, said: str) -> None:
    wanted = {("1", "a"), ("2", "a")}
    assert check(written(tmp_path, ["2", "1"]), wanted) == 2
    with pytest.raises(RunError, match=said):
        check(written(tmp_path, photos, records), wanted)


@pytest.mark.slow
def test_every_photo_is_decided_once_by_a_model_and_by_its_export(tmp_path: Path) -> None:
    run = fitted(tmp_path, np.random.default_rng(0))
    commands = (("radar", "predict", str(run)), ("radar.runtime", str(exported(run, tmp_path / "export"))))
    for command, photos in zip(commands, (300, 200), strict=True):
        record = watched(command, tmp_path / command[0], photos, 0)
        assert record["lines"] == record["photos"] == photos + photos // 100
        assert float(str(record["mib_last_quarter"])) < float(str(record["mib_first_quarter"])) + 20
