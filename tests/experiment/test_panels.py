"""What the panel figure is drawn from is in the run directory, and agrees with the scores and the data."""

from __future__ import annotations

import csv
from collections.abc import Callable

import numpy as np
import pytest
from tiny_experiment import run

from radar.config.schema import Config
from radar.data.dataset import open_dataset
from radar.experiment.panels import Panel, read_panels, write_panels
from radar.experiment.run_directory import RunDirectory
from radar.report.run_figures import draw_run


def test_panels_come_back_as_they_were_written(tmp_path):
    generator = np.random.default_rng(0)

    def panel(name: str, mask: np.ndarray | None) -> Panel:
        maps = generator.random((3, 8, 6), dtype=np.float32)
        return Panel(name, f"why {name}", *maps, mask)

    written = [
        panel("a.png", generator.random((16, 12)) > 0.5),
        panel("b.png", None),
        panel("c.png", np.ones((4, 3), bool)),
    ]
    write_panels(tmp_path / "panels.npz", written)
    for before, after in zip(written, read_panels(tmp_path / "panels.npz"), strict=True):
        assert (before.path, before.caption) == (after.path, after.caption)
        for name in ("image", "noise_map", "anomaly_map"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
        assert (before.mask is None) == (after.mask is None)
        if before.mask is not None:
            np.testing.assert_array_equal(before.mask, after.mask)


def test_no_panels_are_no_figure(tmp_path):
    assert read_panels(tmp_path / "panels.npz") == []


@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_a_run_keeps_its_panels_and_draws_them_again_to_the_byte(tiny: Callable[..., Config], colour: str) -> None:
    config = tiny("evaluation.figures=true", "evaluation.panels=2", f"dataset.image.channels={colour}")
    directory = RunDirectory(run(config).directory)
    names = {"panels", "feature_scatter", "feature_histograms", "loss", "timestep_loss"}
    first = {path.stem: path.read_bytes() for path in directory.figures.glob("*.png")}
    assert set(first) == names
    assert {name: path.read_bytes() for name, path in draw_run(directory).items()} == first
    rows = {row["path"]: row for row in csv.DictReader(directory.scores.open())}
    dataset = open_dataset(config.dataset)
    samples = {sample.path: sample for sample in dataset.samples}
    panels = read_panels(directory.panels)
    assert len(panels) == 6
    assert len({panel.path for panel in panels}) == 6
    for panel in panels:
        assert rows[panel.path]["split"] == "test"
        np.testing.assert_array_equal(panel.mask, dataset.mask(samples[panel.path]))
        loaded = dataset.load([samples[panel.path]]).network_planes.whole[0].permute(1, 2, 0).squeeze(-1).numpy()
        np.testing.assert_allclose(panel.image, (loaded + 1) / 2, atol=1e-6)
