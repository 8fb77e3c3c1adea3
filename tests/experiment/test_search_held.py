"""A search goes on over the same data and settings alone, and in one process at a time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radar.config.schema import Config
from radar.errors import RunError
from radar.experiment.search_held import search_held, searched

AXES = ("training.learning_rate=interval(1e-4,1e-2)",)


def photos(root: Path, seed: int) -> Path:
    generator = np.random.default_rng(seed)
    for name, count in (("train/good", 8), ("test/good", 3), ("test/dent", 3)):
        (root / name).mkdir(parents=True)
        for index in range(count):
            Image.fromarray(generator.integers(0, 255, (32, 32), dtype=np.uint8)).save(root / name / f"{index}.png")
    return root


def test_other_photos_and_other_settings_are_another_search(composed: Callable[..., Config], tmp_path: Path) -> None:
    config = composed("dataset=mvtec_folder", f"dataset.root={photos(tmp_path / 'parts', 0)}")
    first = searched(config, AXES)
    assert searched(config, AXES) == first
    changed = composed("dataset=mvtec_folder", f"dataset.root={tmp_path / 'parts'}", "training.max_steps=70")
    assert searched(changed, AXES) != first
    over_data = searched(config, (*AXES, "+dataset.category=choice(a,b)"))
    shutil.rmtree(tmp_path / "parts")
    photos(tmp_path / "parts", 1)
    assert searched(config, AXES) != first
    for axis in (
        "dataset.train_images=choice(5,6)",
        "dataset.validation_fraction=interval(0.2,0.4)",
        "dataset.split_seed=choice(1,2)",
    ):
        assert searched(config, (*AXES, axis)) == searched(config, AXES) != first
    assert searched(config, (*AXES, "+dataset.category=choice(a,b)")) == over_data != first
    for axis in (
        "dataset.mvtec.own=choice(1,2)",
        "dataset.mvtec={own: 1},{own: 2}",
        "+dataset.mvtec={own: {deeper: 1}}",
    ):
        assert searched(config, (*AXES, axis)) == over_data, axis
    for axis in ("dataset.image.size=choice(16,32)", "dataset.image={size: 16},{size: 32}"):
        assert searched(config, (*AXES, axis)) == searched(config, AXES), axis


def test_a_search_goes_on_as_it_began(tmp_path: Path) -> None:
    for _ in range(2):
        with search_held(tmp_path, "one"):
            pass
    with pytest.raises(RunError, match="were made of other photos or settings"), search_held(tmp_path, "other"):
        pytest.fail("it must not begin")
    with search_held(tmp_path, "one"):
        pass


def trials(folder: Path) -> list[str]:
    return sorted(path.name for path in (*folder.glob("study*"), *folder.glob("jobs/*")))


def planted(folder: Path) -> list[str]:
    (folder / "jobs").mkdir(exist_ok=True)
    for name in ("study.db", "study.db-journal", "jobs/1.json"):
        (folder / name).touch()
    return trials(folder)


def test_a_forced_search_begins_anew_and_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    before = planted(tmp_path)
    for force in (True, False, True):
        with pytest.raises(KeyboardInterrupt), search_held(tmp_path, "one", force=force):
            assert trials(tmp_path) == []
            raise KeyboardInterrupt
    planted(tmp_path)
    for force in (True, False):  # interrupted before, so it goes on; done, it is as any other
        with search_held(tmp_path, "one", force=force):
            assert trials(tmp_path) == before
    with search_held(tmp_path, "one", force=True):
        assert trials(tmp_path) == []
    planted(tmp_path)
    with pytest.raises(KeyboardInterrupt), search_held(tmp_path, "one"):
        raise KeyboardInterrupt
    with search_held(tmp_path, "one", force=True):  # what was interrupted was not forced
        assert trials(tmp_path) == []


def test_a_forced_search_is_of_whatever_photos_there_are(tmp_path: Path) -> None:
    with search_held(tmp_path, "one"):
        planted(tmp_path)
    with pytest.raises(KeyboardInterrupt), search_held(tmp_path, "other", force=True):
        assert trials(tmp_path) == []
        planted(tmp_path)
        raise KeyboardInterrupt
    with search_held(tmp_path, "third", force=True):
        assert trials(tmp_path) == []
    with search_held(tmp_path, "third"):
        pass


def test_trials_of_which_half_are_forgotten_are_never_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "unlink", _interrupted)
        with search_held(tmp_path, "one", force=True):
            pytest.fail("it must not begin")
    assert trials(tmp_path)
    with search_held(tmp_path, "one"):
        assert trials(tmp_path) == []


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_search_is_of_one_process(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from radar.experiment.search_held import search_held\n"
        "with search_held(Path(sys.argv[1]), 'one'):\n    pass\n"
    )
    other = [sys.executable, "-c", code, str(tmp_path)]
    with search_held(tmp_path, "one"):
        answer = subprocess.run(other, capture_output=True, text=True, check=False)
        assert answer.returncode != 0 and "another process goes on with this search" in answer.stderr
    assert subprocess.run(other, check=False).returncode == 0


def test_an_error_of_a_trial_is_its_own(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), search_held(tmp_path, "one"):
        raise BlockingIOError
