"""The walk of an image counts what carries it from file to file, once each, between its path and its line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.trace_image import Walk, draw

FILES = {
    "__init__.py": "",
    "start.py": """
        import numpy as np
        import csv_lines, evaluation.score, measures, read, store, walk_stub_thread
        def run():
            images, lines = ["some/first.png", "some/second.png"], "run/scores.csv"
            read.settle(2)                              # carries nothing
            for image in images:
                pixels = read.load(image)
                evaluation.score.look(pixels)           # an onlooker
                measures.of(pixels)                     # leads to one
            store.take(lambda: csv_lines.half(pixels))  # takes nothing, but gives what carries
            store.take(lambda: csv_lines.labels())      # neither
            walk_stub_thread.in_thread(lambda path: read.load(path), images[0])
            csv_lines.write(lines, [1.0])
            read.settle(np.ones((53, 53)))              # after the line is written
    """,
    "read.py": """
        import numpy as np, blur
        def settle(number): return number
        def load(path): return blur.blur(sum(blur.twice(np.ones((53, 53)))))
    """,
    "blur.py": """
        def twice(pixels):                              # resumed twice, entered once
            yield pixels
            yield pixels
        def blur(pixels): return own(pixels)
        def own(pixels): return pixels * 2              # within a file: no entry
    """,
    "store.py": """
        def take(make): return make()
    """,
    "measures.py": """
        import evaluation.score
        def of(pixels): return evaluation.score.look(pixels)
    """,
    "evaluation/__init__.py": "",
    "evaluation/score.py": """
        def look(pixels): return pixels.mean()
    """,
    "csv_lines.py": """
        import numpy as np
        def half(pixels): return pixels.sum(axis=1)[:7] / 2
        def labels(): return np.ones(7, dtype=int)
        def write(path, rows): return rows
    """,
}
THREAD = """
import threading
def in_thread(work, path):
    found = []
    thread = threading.Thread(target=lambda: found.append(work(path)))
    thread.start(); thread.join()
    return found[0]
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "stub"
    for name, text in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(line.removeprefix("        ") for line in text.splitlines()))
    (tmp_path / "library").mkdir()  # another library between two files of the package
    (tmp_path / "library" / "walk_stub_thread.py").write_text(THREAD)
    for path in (folder, tmp_path / "library"):
        monkeypatch.syspath_prepend(str(path))
    for name in (
        "start",
        "read",
        "blur",
        "csv_lines",
        "measures",
        "store",
        "evaluation",
        "evaluation.score",
        "walk_stub_thread",
    ):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return folder


def test_each_file_that_the_image_passes_into_counts_once(package: Path) -> None:
    import start  # noqa: PLC0415 - the stub

    walk = Walk(package)
    before = sys.getprofile()
    with walk.traced():
        start.run()
    assert sys.getprofile() is before
    assert walk.entries == {
        ("start.py", "read.py"): "load",
        ("read.py", "blur.py"): "twice",
        ("start.py", "store.py"): "take",
        ("store.py", "start.py"): "run.<locals>.<lambda>",
        ("start.py", "csv_lines.py"): "half",
        ("", "start.py"): "run.<locals>.<lambda>",
    }


def test_the_set_is_drawn_alike_and_the_traced_image_comes_later(tmp_path: Path) -> None:
    add = draw(tmp_path)
    before = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    add()
    after = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    assert after - before == {"test/bad/traced.png", "ground_truth/bad/traced_mask.png"}
    assert len([name for name in before if name.startswith("train/good/")]) == 16
