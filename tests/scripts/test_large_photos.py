"""Large photos: what is drawn, and that each is asked about in the ways that take it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from scripts import large_photos


def test_a_texture_of_any_size_has_the_same_light_and_contrast():
    small, tall = (np.asarray(large_photos.texture(*size, seed=1), np.float64) for size in ((200, 300), (2100, 130)))
    assert small.shape == (200, 300) and tall.shape == (2100, 130)
    for each in (small, tall):
        assert abs(each.mean() - 120) < 2 and 10 < each.std() < 30
    assert not np.array_equal(small[:100], small[100:])


def test_every_photo_is_asked_in_each_way_that_takes_it_and_the_quickest_counts(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(large_photos, "_PHOTOS", {"strip": (8, 40), "scan": (30, 70)})
    ways = {
        "as it is": large_photos.Way((), 9, 3, 50),
        "small": large_photos.Way(("dataset.image.size=20",), 20, 2, 1000),
    }
    monkeypatch.setattr(large_photos, "_WAYS", ways)
    learnt, asked, threads = [], [], []

    def trained_on(parts: Path, out: Path, *words: str) -> None:
        learnt.append((words[:2], [Image.open(path).size for path in sorted((parts / "good").iterdir())]))
        (out / "run" / "model").mkdir(parents=True)
        (out / "run" / "model" / "model.json").touch()

    def called(work: Path, *words: str) -> dict[str, float]:
        asked.append((Path(words[2]).name, Image.open(words[2]).size))
        Path(words[4]).mkdir(parents=True)
        threads.append(words[-1])
        took = (900, 300)[len(asked) % 2]
        (Path(words[4]) / "predictions.csv").write_text(f"path,milliseconds\nx,{took}\n")
        return {"seconds": took / 100, "peak_memory_mib": took}

    monkeypatch.setattr(large_photos, "trained_on", trained_on)
    monkeypatch.setattr(large_photos, "called", called)
    rows = large_photos.rows(tmp_path, "recommended", 2)
    ways = [("strip", "as it is"), ("strip", "small"), ("scan", "small")]
    assert [(row["photo"], row["read"], row["threads"]) for row in rows] == [
        (*way, threads) for way in ways for threads in (1, 2)
    ]
    assert {(row["photo_seconds"], row["seconds"], row["peak_memory_mib"]) for row in rows} == {(0.3, 3.0, 900)}
    assert [size for _, size in asked] == [(40, 8)] * 8 + [(70, 30)] * 4
    assert threads == ["threads=1", "threads=1", "threads=2", "threads=2"] * 3
    assert learnt[0][1] == [(9, 9)] * 3 and learnt[1] == (
        ("experiment=recommended", "dataset.image.size=20"),
        [(20, 20)] * 2,
    )
