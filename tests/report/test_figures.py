"""Saving a figure: whole or not at all, the same bytes each time, no global state."""

from __future__ import annotations

import inspect
import subprocess
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

import matplotlib
import numpy as np
import pytest
from PIL import Image

import radar.report
from radar.errors import ConfigError
from radar.report import style
from radar.report.figures import feature_histograms, loss_curve, save_figure, timestep_loss_curve

HISTORY = [{"step": 1, "train_loss": 1.0}, {"step": 2, "train_loss": 0.5}]
FIRST_BYTES = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}


@pytest.mark.parametrize("suffix", FIRST_BYTES, ids=lambda suffix: suffix[1:])
def test_saved_in_the_format_of_the_suffix_and_nothing_else_is_left(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new folder" / f"loss{suffix}"
    save_figure(loss_curve(HISTORY), path)
    assert path.read_bytes().startswith(FIRST_BYTES[suffix])
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".png", ".pdf"], ids=["png", "pdf"])
def test_the_same_figure_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    save_figure(loss_curve(HISTORY), first)
    save_figure(loss_curve(HISTORY), second)
    assert first.read_bytes() == second.read_bytes()


def test_bitmap_has_the_stated_size(tmp_path: Path) -> None:
    save_figure(loss_curve(HISTORY), tmp_path / "loss.png")
    width, height = style.PLOT_SIZE
    with Image.open(tmp_path / "loss.png") as image:
        assert image.size == (round(width * style.DPI), round(height * style.DPI))


def test_a_failed_save_keeps_the_old_file_and_leaves_no_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "loss.png"
    path.write_bytes(b"old")
    figure = loss_curve(HISTORY)

    def half_written(file: object, **_: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", half_written)
    with pytest.raises(OSError, match="disk full"):
        save_figure(figure, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"loss\.bmp: no figure format '\.bmp'"):
        save_figure(loss_curve(HISTORY), tmp_path / "folder" / "loss.bmp")
    assert list(tmp_path.iterdir()) == []


def test_drawing_leaves_the_global_settings_of_matplotlib_alone(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    save_figure(loss_curve(HISTORY), tmp_path / "loss.png")
    assert dict(matplotlib.rcParams) == before


HOSTILE = {
    "text.usetex": True,
    "text.latex.preamble": r"\input{/etc/hostname}",
    "axes.facecolor": "red",
    "savefig.dpi": 10,
}


def test_a_file_of_settings_changes_no_figure_and_starts_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {
        "loss": lambda: loss_curve(HISTORY),
        "timesteps": lambda: timestep_loss_curve([1, 2, 5], [0.1, 0.2, 0.3]),
        "histograms": lambda: feature_histograms(np.arange(12.0).reshape(6, 2), [0, 0, 0, 1, 1, 1], ["x", "y"]),
    }
    for name, draw in figures.items():
        save_figure(draw(), tmp_path / f"{name}.png")
    monkeypatch.setattr(subprocess, "run", None)
    monkeypatch.setattr(subprocess, "check_output", None)  # by which LaTeX would be started
    with matplotlib.rc_context(HOSTILE):
        for name, draw in figures.items():
            save_figure(draw(), tmp_path / f"{name}_again.png")
            assert (tmp_path / f"{name}_again.png").read_bytes() == (tmp_path / f"{name}.png").read_bytes()


MODULES = [import_module(f"radar.report.{each.name}") for each in iter_modules(radar.report.__path__)]


def test_every_function_that_makes_a_figure_has_settings_of_its_own() -> None:
    made = {
        f"{module.__name__}.{name}": value
        for module in MODULES
        for name, value in vars(module).items()
        if returns_a_figure(module, value)
    }
    assert len(made) >= 10
    plain = [name for name, value in made.items() if not hasattr(value, "__wrapped__")]
    assert plain == []


def returns_a_figure(module: ModuleType, value: object) -> bool:
    if not inspect.isfunction(value) or value.__module__ != module.__name__ or value.__name__ == "new_figure":
        return False
    return str(value.__annotations__.get("return")) in ("Figure", "Figure | None")
