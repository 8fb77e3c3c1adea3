"""Long work: what counts as bounded, what is drawn, and that a few jobs and a few images go through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radar.errors import RunError
from scripts.long_work import bounded, called, draw, jobs


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"ratio": 1.09}, True),
        ({"ratio": 1.11}, False),
        ({"ratio": 0.9}, False),
        ({"training": {"peak_memory_mib": 4096.0}, "predict": {"peak_memory_mib": 900.0}}, True),
        ({"training": {"peak_memory_mib": 900.0}, "predict": {"peak_memory_mib": 4097.0}}, False),
    ],
)
def test_memory_that_grows_or_exceeds_the_limit_is_told(found: dict[str, object], expected: bool) -> None:
    assert bounded(found) is expected


def test_photos_differ_and_one_in_twenty_has_a_spot(tmp_path: Path) -> None:
    draw(tmp_path, 40, np.random.default_rng(0))
    normal, anomalous = (sorted((tmp_path / name).iterdir()) for name in ("normal", "anomalous"))
    assert (len(normal), len(anomalous)) == (38, 2)
    assert len({path.read_bytes() for path in (*normal, *anomalous)}) == 40
    brightest = [max(np.asarray(Image.open(path)).mean(axis=0)) for path in (normal[0], anomalous[0])]
    assert brightest[1] > brightest[0]


def test_a_command_that_fails_is_told_with_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"radar predict: ended with 3: radar: .*holds no images"):
        called(tmp_path, "predict", str(tmp_path / "nowhere"), str(tmp_path))


@pytest.mark.slow
def test_jobs_in_one_process_are_followed(tmp_path: Path) -> None:
    found = jobs(tmp_path, 10)
    assert found["jobs"] == 10
    assert isinstance(found["memory_early_mib"], int) and found["memory_early_mib"] > 100


def test_what_the_measuring_process_holds_is_not_counted(tmp_path: Path) -> None:
    held = np.ones(2**27, dtype=np.float64)  # 1 GiB
    assert 50 < called(tmp_path, "data", "list")["peak_memory_mib"] < 900
    assert held.size
