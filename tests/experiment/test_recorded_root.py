"""Where a run's images lie, seen from any folder: content tells more than names."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from radar.data.sample import Sample
from radar.experiment.recorded_root import recorded_root


def sample(path: str, content: bytes) -> Sample:
    return Sample(path, hashlib.sha256(content).hexdigest(), "train", 0, "good", None, path)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of `parts`, whose name and whose files' names another folder has, too."""
    for place, content in (("own/parts", b"own"), ("other/parts", b"other")):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "a.png").write_bytes(content)
    (tmp_path / "own" / "outputs" / "run").mkdir(parents=True)
    return tmp_path / "own" / "outputs" / "run"


@pytest.mark.parametrize("here", ["own", "other", "own/outputs", "own/parts", "."])
@pytest.mark.parametrize("root", ["parts", "./parts"])
def test_the_folder_with_the_recorded_content_is_found_from_anywhere(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, root: str
) -> None:
    monkeypatch.chdir(tmp_path / here)
    found = recorded_root(run, root, [sample("gone.png", b""), sample("a.png", b"own")])
    assert found is not None and found.resolve() == tmp_path / "own" / "parts"


@pytest.mark.parametrize(
    ("seen", "there"),
    [
        (sample("a.png", b"other"), "other"),  # of a run that was started there, and lies elsewhere
        (sample("a.png#xywh=0,0,8,8", b"pixels"), "own"),  # a crop is known by its pixels, and its file by name
    ],
    ids=["started elsewhere", "a crop"],
)
def test_content_counts_before_the_name_beside_the_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: Sample, there: str
) -> None:
    monkeypatch.chdir(tmp_path / "other")
    found = recorded_root(run, "parts", [seen])
    assert found is not None and found.resolve() == tmp_path / there / "parts"


def test_what_is_nowhere_is_none_but_where_the_folder_is_named_in_full(run: Path, tmp_path: Path) -> None:
    assert recorded_root(run, "nowhere", [sample("a.png", b"own")]) is None
    assert recorded_root(run, str(tmp_path / "nowhere"), [sample("a.png", b"own")]) == tmp_path / "nowhere"
