"""What leaving the network's image out changes: planted scores, and a tiny run in which nothing had seen what it scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from radar.config.schema import Config
from radar.errors import RunError
from scripts.network_left_out import left_out
from scripts.pages.left_out import section, table

TINY = (
    "experiment=recommended", "dataset=printed_layers", "dataset.synthetic.train=8", "dataset.synthetic.test_normal=2",
    "dataset.synthetic.test_defective=2", "dataset.synthetic.side=32", "dataset.image.size=32", "dataset.validation_fraction=0.25",
    "training.max_steps=2", "training.epoch_steps=2", "training.warmup_steps=1", "training.validation_patches=2",
    "training.batch_size=2", "patch=14x14", "trainer=cpu", "trainer.threads=1", "trainer.progress=false",
    "method.fused_densities.folds=2",
)  # fmt: skip
PLANTED = {
    "command": "python -m scripts.network_left_out experiment=recommended",
    "dataset": "grid",
    "seed": 0,
    "folds": 2,
    "contamination": 0.25,
    "test_normals": [1.0, 3.5, 9.0],
    "normals": [
        {"split": "train", "densities": [1.0, 2.0, 3.0], "network_and_densities": [2.0, 4.0, 6.0]},
        {"split": "validation", "densities": [4.0, 2.0], "network_and_densities": [4.0, 1.0]},
    ],
    "environment": {"device": "a CPU", "git_revision": "0123456789abcdef"},
}


def test_planted_scores_give_the_table_and_its_words() -> None:
    train, validation, whole, test = ([entry.text for entry in row] for row in table(PLANTED).rows)
    # thresholds: the ⌈6 · 0.75⌉ = fifth of 1 2 2 3 4, and of 1 2 4 4 6
    assert train[1:] == ["3", "2.000", "4.000", "+100.0%", "100%", "0 (0.000)", "1 (0.333)", "0 (0.000)"]
    assert validation[1:] == ["2", "3.000", "2.500", "-25.0%", "0%", "0 (0.000)", "0 (0.000)", "0 (0.000)"]
    assert whole[1:] == ["5", "2.000", "4.000", "+100.0%", "60%", "0 (0.000)", "1 (0.200)", "0 (0.000)"]
    assert test[1:] == ["3", "3.500", "", "", "", "1 (0.333)", "", "1 (0.333)"]
    assert "would be 6.000 in place of 4.000 (+50.0%)" in section(PLANTED)


def test_every_normal_is_scored_in_both_ways_once(composed: Callable[..., Config]) -> None:
    found = left_out(composed(*TINY))
    train, validation = found["normals"]
    assert [len(each["densities"]) for each in (train, validation)] == [6, 2]
    for each in (train, validation):
        both, alone = np.array(each["network_and_densities"]), np.array(each["densities"])
        assert ((both > 0) & (alone > 0)).all()
        assert not np.isclose(both, alone).all(), "another network, other scores"
        assert set(each["folds"]) <= {0, 1}
    assert len(found["test_normals"]) == 2


def test_only_cross_fitted_scores_are_compared(composed: Callable[..., Config]) -> None:
    with pytest.raises(RunError, match="detector=cross_fitted"):
        left_out(composed("method=pca"))
