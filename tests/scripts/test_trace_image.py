"""The walk of an image counts what takes it and gives it on from file to file, once each, up to its line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.trace_image import Walk, draw

FILES = {
    "__init__.py": "",
    "start.py": """
        import blur, check, csv_lines, evaluation.score, measures, read, store, walk_stub_thread
        def run(brightness):
            images, lines = {"some/traced.png": brightness, "some/other.png": 1.0}, "run/scores.csv"
            for image, value in images.items():
                pixels = read.load(image, value)
                check.known(image)                      # takes it and gives nothing of it
                measures.of(pixels)                     # asks for metrics
            read.settle(3)                              # has nothing of it
            same = store.take(lambda: blur.blur(read.load("some/traced.png", brightness)))
            pixels = walk_stub_thread.in_thread(lambda path: read.load(path, brightness), "some/traced.png")
            csv_lines.write(lines, [pixels])
    """,
    "read.py": """
        import numpy as np, blur
        def settle(number): return np.ones(number)
        def load(path, value): return blur.blur(sum(blur.twice(value * np.ones(4))))
    """,
    "blur.py": """
        def twice(pixels):                              # resumed twice, entered once
            yield pixels
            yield pixels
        def blur(pixels): return own(pixels)
        def own(pixels): return pixels * 2              # within a file: no entry
    """,
    "check.py": """
        def known(path): return path.endswith(".png")
    """,
    "store.py": """
        def take(make): return make()
    """,
    "measures.py": """
        import blur, evaluation.score
        def of(pixels): return evaluation.score.look(blur.blur(pixels))
    """,
    "evaluation/__init__.py": "",
    "evaluation/score.py": """
        def look(pixels): return pixels - pixels.mean()
    """,
    "csv_lines.py": """
        def write(path, rows): return len(rows)
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
    for name in (*FILES, "walk_stub_thread"):
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        monkeypatch.delitem(sys.modules, module, raising=False)
    return folder


def test_each_entry_that_takes_the_image_and_gives_it_on_counts_once(package: Path) -> None:
    import start  # noqa: PLC0415 - the stub

    first, again = Walk(package), Walk(package)
    before = sys.getprofile()
    for walk, brightness in ((first, 0.25), (again, 0.5)):
        with walk.traced():
            start.run(brightness)
    assert sys.getprofile() is before
    assert first.entries(again) == {
        ("start.py", "read.py"): "load",
        ("read.py", "blur.py"): "twice",
        ("start.py", "blur.py"): "blur",
        ("", "start.py"): "run.<locals>.<lambda>",
        ("start.py", "csv_lines.py"): "write",
    }


def test_the_set_is_drawn_alike_and_the_traced_image_comes_later(tmp_path: Path) -> None:
    add = draw(tmp_path)
    before = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    add()
    first = {path: path.read_bytes() for path in tmp_path.rglob("traced*.png")}
    add()
    assert [path.stem for path, content in first.items() if path.read_bytes() != content] == ["traced"]  # not its mask
    after = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    assert after - before == {"test/bad/traced.png", "ground_truth/bad/traced_mask.png"}
    assert len([name for name in before if name.startswith("train/good/")]) == 16
