"""The layout of `docs/extending.md`: someone else's is opened, split, loaded and typed like a built-in one."""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from data_builders import REPOSITORY, dataset_config, noise, save
from omegaconf import OmegaConf

from radar import plugins
from radar.cli.main import main
from radar.compose.composed_config import parse
from radar.config.plain import plain
from radar.data.dataset import open_dataset
from radar.data.layouts import LAYOUTS
from radar.data.split_manifests import known_groups
from radar.errors import ConfigError, DataError

PLAIN = {}
PAGE = (REPOSITORY / "docs/extending.md").read_text(encoding="utf-8")
MODULE, PRESET = (re.search(rf"```{kind}\n(.*?)```", PAGE, re.S)[1] for kind in ("python", "yaml"))


@pytest.fixture
def station(tmp_path, monkeypatch):
    """The module is imported as `--plugins` does; its folder has 4 shifts of 2 normals, and 3 scratches."""
    monkeypatch.setattr(LAYOUTS, "_registered", dict(LAYOUTS._registered))
    monkeypatch.setattr(plugins, "_imported", {})
    monkeypatch.delitem(sys.modules, "station_layout", raising=False)
    (tmp_path / "station_layout.py").write_text(MODULE)
    (tmp_path / "conf/dataset").mkdir(parents=True)
    (tmp_path / "conf/dataset/station.yaml").write_text(PRESET)
    monkeypatch.syspath_prepend(tmp_path)
    plugins.import_plugins(["station_layout"])
    root = tmp_path / "images"
    for index in range(8):
        save(root / f"shift{index // 2}/{index}.png", noise(index))
    for index in range(3):
        save(root / f"scratch/{index}.png", noise(20 + index))
        mask = np.full((32, 32), 255, np.uint8)
        mask[3, 4:9] = 0
        save(root / f"scratch/where/{index}.png", mask)
    return root


def settings(shifts: int):
    return LAYOUTS.get("station").Settings(shifts=shifts)


def test_it_is_opened_split_and_loaded(station):
    dataset = open_dataset(dataset_config("station", station, split="grouped", settings=settings(4)))
    assert Counter((sample.split, sample.defect) for sample in dataset.samples) == {
        ("train", "good"): 4,
        ("validation", "good"): 2,
        ("test", "good"): 2,
        ("test", "scratch"): 3,
    }
    images = dataset.load(dataset.split("test"))
    assert images.planes.whole.shape == (5, 1, 16, 16)
    assert torch.isfinite(images.planes.whole).all()
    assert images.labels.sum() == 3
    scratch = next(sample for sample in images.samples if sample.label)
    np.testing.assert_array_equal(np.argwhere(dataset.mask(scratch)), [[3, column] for column in range(4, 9)])


@pytest.mark.parametrize("split", ["random", "literature"])
def test_groups_that_its_names_do_not_tell_are_not_counted_and_that_is_told(station, monkeypatch, split):
    config = dataset_config("station", station, split=split, near_duplicates="warn", settings=settings(4))
    said = f"11 images are of 7 groups by layout station, and counted as 11, as dataset.split={split} keeps none"
    assert [note for note in open_dataset(config).notes if note.startswith(said)]
    layout = LAYOUTS.get("station")
    by_shift = classmethod(lambda cls, paths: [path.parent.name if "shift" in str(path) else None for path in paths])
    monkeypatch.setattr(layout, "named_groups", by_shift)
    dataset = open_dataset(config)
    assert not [note for note in dataset.notes if "groups" in note]
    hashes, groups = zip(*((sample.content_hash, sample.group) for sample in dataset.samples), strict=True)
    assert len(set(known_groups("station", None, hashes, groups))) == 7
    photos = [station / f"shift{place // 2}/{place}.png" for place in range(8)]
    assert len(set(layout(config).groups_of(photos))) == 4, "of new photos, too"


def test_its_settings_say_what_is_normal(station):
    with pytest.raises(DataError, match=r"shift3/6\.png: no mask 6_mask\.png or 6\.png in .*shift3/where"):
        open_dataset(dataset_config("station", station, split="random", settings=settings(3)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 7}, "label '7'; write 0 for normal or 1 for anomalous"),
        ({"label": True}, "label 'True'"),
        ({"defect": "a/b"}, "defect 'a/b' is no name of a folder"),
        ({"path": "../images/scratch/0.png"}, "does not lie in the data set's folder"),
        ({"path": "scratch/1.png"}, "scratch/1.png is listed twice"),
    ],
    ids=str,
)
def test_entries_that_no_manifest_could_hold_are_refused(station, monkeypatch, change, message):
    """Else the run is done, and what it stores cannot be read."""
    layout = LAYOUTS.get("station")
    find = layout.find

    def changed(self, folder):
        for entry in find(self, folder):
            yield replace(entry, **change) if entry.path == "scratch/0.png" else entry

    monkeypatch.setattr(layout, "find", changed)
    with pytest.raises(DataError, match=re.escape(message)) as refused:
        open_dataset(dataset_config("station", station, split="random", settings=settings(4)))
    assert "station" in str(refused.value)


def configured(composed, **changes):
    if not PLAIN:
        PLAIN.update(plain(composed()))  # composing takes long
    return parse(OmegaConf.create(PLAIN | {"dataset": PLAIN["dataset"] | changes}))


def on_station(composed, station, section):
    return configured(composed, layout="station", root=str(station), split="random", station=section)


def test_its_section_is_typed_and_written_as_it_was_read(composed, station):
    config = on_station(composed, station, {"shifts": "4"})
    assert config.dataset.settings == settings(4)
    written = plain(config)
    assert written["dataset"]["station"] == {"shifts": 4}
    assert "synthetic" not in written["dataset"], "a preset's section of another layout"
    assert parse(OmegaConf.create(written)) == config


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"shifts": 0}, r"^dataset\.station\.shifts=0: must be ≥ 1$"),
        ({"shifts": "many"}, r"^dataset\.station\.shifts: .*'many'"),
        ({"shifts": 2, "day": 1}, r"^dataset\.station\.day: no such key"),
        ({}, r"^dataset\.station\.shifts: no value is set; give one with dataset\.station\.shifts=…$"),
        (None, r"^dataset\.layout=station: needs the section dataset\.station; choose a preset that has it$"),
    ],
)
def test_what_is_wrong_with_its_section_is_one_line(composed, station, section, message):
    with pytest.raises(ConfigError, match=message):
        on_station(composed, station, section)


def test_an_unknown_layout_is_one_line_with_the_known_names(composed):
    with pytest.raises(ConfigError) as raised:
        configured(composed, layout="stacion")
    assert str(raised.value) == (
        "dataset.layout stacion: there is none; use one of aitex, folder, magnetic_tile, mvtec, piped, synthetic, "
        "or name its module with --plugins"
    )


@pytest.mark.parametrize(
    ("overrides", "code", "said"),
    [
        ([], 0, "11 images decode"),
        (["dataset.station.shifts=3"], 3, "no mask 6_mask.png or 6.png"),
        (["dataset.station.shift=3"], 3, "no such key; did you mean dataset.station.shifts?"),
        (["dataset.layout=mvtec", "dataset.station.shifts=4"], 3, "layout mvtec does not read it; leave it out"),
    ],
)
def test_its_preset_lies_beside_it(station, capsys, overrides, code, said):
    arguments = ["data", "check", "dataset=station", f"dataset.root={station}", *overrides]
    assert main([*arguments, "--plugins", "station_layout"]) == code
    output = capsys.readouterr()
    assert said in (output.err if code else output.out)
