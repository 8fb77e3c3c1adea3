"""What a model's card says of false alarms: what is promised, as it was set, and never less."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from radar import compose
from radar.model_card import COUNTS, card, with_change
from radar.percent import percent_at_most, share_at_most
from radar.runtime.map_levels import MapLevels
from radar.thresholds import Threshold


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (0.0125, "1.25"), (1 / 29, "3.45"), (0.05, "5"), (0.1, "10"), (0.012341, "1.24"), (1 / 3, "33.4"), (2e-6, "0.0002"),
        (0.1 + 0.2, "30"), (0.99999, "100"), (1.0, "100"), (1 / 1001, "0.1"), (0.07, "7"),
    ],
)  # fmt: skip
def test_a_promise_is_rounded_up(share: float, told: str) -> None:
    assert percent_at_most(share) == told


@pytest.mark.parametrize(("rate", "told"), [(0.0125, "1.25"), (0.012344, "1.2344"), (0.1, "10")])
def test_a_later_threshold_promises_the_rate_that_was_set(rate: float, told: str) -> None:
    version = Threshold("line-2", 1.5, MapLevels(1.0, 2.0), "normals", "good", "2026-01-01", rate, np.zeros(200), 200)
    assert f"at most {told} % are expected above it" in with_change("# Model", version, "2026-01-01")


@pytest.mark.parametrize(
    ("share", "told"), [(0.05, "0.050"), (0.0125, "0.013"), (1 / 29, "0.035"), (0.1 + 0.2, "0.300"), (1.0, "1.000")]
)
def test_a_promised_share_is_rounded_up(share: float, told: str) -> None:
    assert share_at_most(share) == told


@pytest.mark.parametrize(("method", "told"), [("patchcore", "EfficientNet-Lite0"), ("lof", "none")])
def test_a_card_tells_weights_that_were_learnt_elsewhere(
    method: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radar.methods.key_rules.is_installed", lambda: True)
    config = compose.experiment([f"method={method}"])
    facts: dict[str, Any] = {
        "radar": "1", "fingerprint": "f", "threshold": 1.5, "versions": {}, "images": dict.fromkeys(COUNTS, 1),
        "calibration": {"images": 1, "unseen_by": [], "false_alarms": None},
    }  # fmt: skip
    assert f"| pretrained weights | {told}" in card(config, facts)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["experiment=recommended"], "from training alone: densities learnt from them, too"),
        (["method=lof"], ""),
        (
            ["experiment=paper", "detector=isolation_forest_held_out"],
            "from training alone: the detector learnt from them, too",
        ),
        (
            ["experiment=recommended", "scoring.border={name: standardised, width: 3}"],
            "densities and the scale at the border learnt from them, too",
        ),
    ],
)
def test_a_card_tells_what_learnt_from_images_that_training_did_not_see(overrides: list[str], told: str) -> None:
    images = {**dict.fromkeys(COUNTS, 1), "train": 11, "validation": 3}
    calibration = {"images": 1, "unseen_by": [], "false_alarms": None}
    facts: dict[str, Any] = {
        "radar": "1", "fingerprint": "f", "threshold": 1.5, "versions": {}, "images": images, "calibration": calibration,
    }  # fmt: skip
    (row,) = [
        line for line in card(compose.experiment(overrides), facts).splitlines() if line.startswith("| learnt from")
    ]
    assert row.startswith("| learnt from | 11 normal images; 3 more were held out") and row.endswith(f"{told} |")
    assert ("from training alone" in row) == bool(told)
