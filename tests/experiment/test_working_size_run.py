"""Runs whose pictures get the size that suits their texture: what is stored and scored is that of the plain size, and nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from tiny_experiment import TINY, run

import radar
from radar.experiment.run_directory import RunDirectory

PLAIN = tuple(each for each in TINY if not each.startswith(("dataset.synthetic", "dataset.image")))
LEAST = "dataset.image.working_size.least_size=40"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Good parts of a texture that is 4 px wide, and three with a bright square."""
    root, random = tmp_path_factory.mktemp("parts"), np.random.default_rng(0)
    for number in range(15):
        smooth = ndimage.gaussian_filter(random.normal(size=(120, 160)), 3.0)
        values = 110 + 20 * smooth / smooth.std()
        kind = "normal" if number < 12 else "anomalous"
        if number >= 12:
            values[40:80, 40:80] += 90
        path = root / kind / f"{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(path)
    return root


@pytest.fixture
def config(composed, tmp_path, photos):
    def with_overrides(*overrides):
        return composed(
            *PLAIN, "dataset=folder", f"dataset.root={photos}", "dataset.split=random", "dataset.folder.masks=null",
            "evaluation.pixel=false", "evaluation.figures=false", "method.controls=[]", f"output_root={tmp_path / 'out'}", *overrides,
        )  # fmt: skip

    return with_overrides


@pytest.mark.parametrize(
    "way",
    [
        ("dataset.image.size=120",),
        ("dataset.image.size=120", "dataset.image.width=160"),
        ("dataset.image.size=null", "dataset.image.aspect=short"),
    ],
)
def test_a_run_is_that_of_the_size_that_was_chosen(config, photos, way):
    outcome = run(config(*way, "working_size=texture", LEAST))
    (note,) = (each for each in outcome.notes if each.startswith("working_size"))
    assert "correlation length" in note and "times as large" in note
    image = radar.load(outcome.directory).config.dataset.image
    assert image.working_size is None
    assert "working_size" not in json.dumps(RunDirectory(outcome.directory).read_config())
    chosen = {name: getattr(image, name) for name in ("size", "width", "resolution", "file_resolution")}
    typed = [f"dataset.image.{name}={'null' if value is None else value}" for name, value in chosen.items()]
    plain = run(config(*way, *typed))
    assert plain.reused and plain.directory == outcome.directory  # the very same run


def test_what_is_no_larger_than_the_least_size_is_the_run_without(config):
    outcome = run(config("dataset.image.size=40", "working_size=texture", LEAST))
    assert any("no picture is made smaller" in note for note in outcome.notes)
    again = run(config("dataset.image.size=40"))
    assert again.reused and again.directory == outcome.directory
