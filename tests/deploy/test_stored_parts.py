"""A stored model is read without what it does not need: keys that came later, weights that it holds itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from export_builders import model_of, photos

import radar
from radar.files import read_json, write_json
from radar.model_card import COUNTS
from radar.model_folder import save, stored_config
from radar.networks.efficientnet import is_installed


def test_a_model_that_was_stored_before_there_were_features_is_read(tmp_path: Path) -> None:
    model, files = model_of("fused_densities"), photos(tmp_path / "photos", 3)
    save(model, tmp_path / "model", dict.fromkeys(COUNTS, 0))
    facts = read_json(tmp_path / "model" / "model.json", "")
    del facts["config"]["method"]["fused_densities"]["features"]
    write_json(tmp_path / "model" / "model.json", facts)
    np.testing.assert_array_equal(radar.load(tmp_path / "model").score(files).scores, model.score(files).scores)


@pytest.mark.parametrize("name", ["patchcore", "fused_densities_pretrained"])
def test_a_stored_model_needs_no_package_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if not is_installed():
        pytest.skip("no pretrained features")
    model, files = model_of(name), photos(tmp_path / "photos", 3)
    save(model, tmp_path / "model", dict.fromkeys(COUNTS, 0))
    monkeypatch.setattr("radar.networks.efficientnet._WEIGHTS", "no_such_package")
    assert not is_installed()
    assert stored_config(tmp_path / "model").method.name == model.config.method.name
    np.testing.assert_array_equal(radar.load(tmp_path / "model").score(files).scores, model.score(files).scores)
