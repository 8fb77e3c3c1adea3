"""Every figure of a report, and how a figure becomes a file. A figure is a `Figure` of its own: no global state."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

from radar.errors import ConfigError
from radar.files import make_folder, write_atomically
from radar.report.figures_features import Boundary, feature_histograms, feature_scatter
from radar.report.figures_panels import PanelRow, panel_figure, panel_title
from radar.report.figures_training import loss_curve, timestep_loss_curve
from radar.report.style import DPI, own_settings
from radar.runtime.own_pictures import SOFTWARE, software
from radar.runtime.terminal import printable

__all__ = [
    "Boundary",
    "PanelRow",
    "feature_histograms",
    "feature_scatter",
    "is_figure",
    "loss_curve",
    "panel_figure",
    "panel_title",
    "save_figure",
    "timestep_loss_curve",
]

# Without dates and versions: the same figure gives the same bytes as PNG and PDF (SVG draws its ids by chance).
_SIGNATURE = software("figure")
_METADATA = {
    "png": {SOFTWARE: _SIGNATURE},
    "pdf": {"Creator": _SIGNATURE, "CreationDate": None},
    "svg": {"Creator": _SIGNATURE, "Date": None},
}
_SIGNED = (
    b"tEXtSoftware\0radar figure",
    b"/Creator (radar figure)",
    b"<dc:title>radar figure</dc:title>",
)  # in such a file
_LARGEST = 2**26  # bytes of a figure


def is_figure(path: Path) -> bool:
    """Whether a file is a figure that was saved here, which another one may replace. Raises `OSError`."""
    content = path.read_bytes() if path.is_file() and path.stat().st_size <= _LARGEST else b""
    return any(each in content for each in _SIGNED)


@own_settings()
def save_figure(figure: Figure, path: Path) -> None:
    """Write `figure` as PNG, PDF or SVG, by the suffix of `path`: under a temporary name in its folder, then renamed.

    Makes the folder. Raises `ConfigError` for any other suffix; whatever fails, no partial or temporary file stays.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in _METADATA:
        raise ConfigError(f"{path}: no figure format '{path.suffix}'; use .png, .pdf or .svg")
    make_folder(path.parent)
    _take_literally(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of missing glyphs, of too little room: it is drawn
        write_atomically(path, lambda file: figure.savefig(file, format=kind, dpi=DPI, metadata=_METADATA[kind]))


def _take_literally(figure: Figure) -> None:
    """Let no text be read as TeX: names of files, of defects and of data sets stand in figures."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_text(printable(text.get_text(), keep="\n"))
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        formatter = axis.get_major_formatter()
        if isinstance(formatter, FuncFormatter):  # of ticks whose labels are names
            axis.set_major_formatter(FuncFormatter(partial(_printable_label, formatter)))


def _printable_label(formatter: FuncFormatter, value: float, place: int | None) -> str:
    return printable(formatter(value, place), keep="\n")
