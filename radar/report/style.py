"""How every figure looks: sizes, colours, markers. Layout only; nothing here changes a number.

The colours are those of Okabe and Ito, safe for colour-blind readers; markers, line styles and lightness differ too, so
a figure also reads in grey. Sizes are set on the artists: matplotlib's global settings are as they were after each figure.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from string import ascii_letters
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

DPI = 150  # dots per inch of a saved bitmap
FONT_TITLE = 9.0  # points
FONT_TEXT = 8.0
FONT_SMALL = 7.0

PLOT_SIZE = (6.3, 4.2)  # inches, one plot
PICTURE_WIDTH = 1.9  # inches, one picture of a panel
TEXT_WIDTH = 1.9  # inches, the titles at the left of a panel
TEXT_CHARACTERS = 31  # of a line of such a title
PICTURE_GAP = 0.12  # inches between pictures
HEADING_HEIGHT = 0.28  # inches above a panel's pictures
COLOUR_BAR_HEIGHT = 0.1  # inches
FOOT_HEIGHT = 0.55  # inches below the colour bars, for ticks and labels
ROW_RATIOS = (0.45, 1.5)  # least and greatest height of a panel's row as a share of a picture's width
HISTOGRAM_WIDTH = 3.9  # inches, one histogram of a row

BLACK = "#000000"
INK = "#222222"
GREY = "#8A8A8A"
WHITE = "#FFFFFF"
LIGHT_GREY = "#D0D0D0"
BLUE = "#0072B2"
ORANGE = "#E69F00"
VERMILION = "#D55E00"
YELLOW = "#F0E442"

NORMAL_COLOUR = BLUE
ANOMALOUS_COLOUR = VERMILION
DEFECT_COLOURS = (VERMILION, ORANGE, "#CC79A7", "#009E73", "#56B4E9", BLACK, "#7F3C00")
DEFECT_MARKERS = ("^", "s", "D", "v", "X", "P", "*", "p", "<", ">", "h")

_MARKERS = (*DEFECT_MARKERS, *(f"${letter}$" for letter in ascii_letters))

Line = tuple[str, object, str]
"""Colour, dashes and marker."""

# of the first eight lines of a figure: they differ in all three, and in lightness; `line` combines them for more
LINES: tuple[Line, ...] = (
    (BLUE, "-", "o"), (VERMILION, "--", "s"), ("#009E73", "-.", "^"), ("#CC79A7", ":", "D"), (BLACK, (0, (5, 1)), "v"),
    (ORANGE, (0, (3, 1, 1, 1)), "P"), ("#56B4E9", (0, (1, 1)), "X"), (GREY, (0, (8, 2)), "*"),
)  # fmt: skip
BAND_OPACITY = 0.18  # of the band of an interval

INPUT_COLOUR_MAP = "gray"
NOISE_COLOUR_MAP = "gray"
ANOMALY_COLOUR_MAP = "cividis"
MASK_COLOUR_MAP = "gray"

LEGEND_LINE = 4.0  # heights of its text: a line in a legend of curves shows its pattern of dashes
LABEL_CHARACTERS = 44  # of a line of a name in a legend or above a plot
HEADING_CHARACTERS = 22  # of a line of a name above a picture
LABEL_ROOM = 8  # lines of names that a plot holds
LABEL_HEIGHT = 0.14  # inches of such a line

CLIPPED_SHARE = 0.005  # of the values of a shared colour scale, at each end it can exceed
BOUNDARY_GRID = 240  # points per side on which a detector is evaluated to draw its boundary
VIEW_MARGIN = 0.06  # of the data's span, left free around a scatter
LOGARITHMIC_SPAN = 4.0  # positive values whose largest is more than this times the smallest get a log axis
BIN_RANGE = (8, 40)  # fewest and most bins of a histogram


def line(index: int) -> Line:
    """How the line number `index` of a figure looks: of 64, no two have one colour with one pattern of dashes, or with one marker."""
    turn, place = divmod(index, len(LINES))
    (colour, *_), (_, dashes, _), (*_, marker) = (LINES[(place + step * turn) % len(LINES)] for step in (0, 1, 3))
    return colour, dashes, marker


def ring(index: int) -> tuple[str, str]:
    """Colours inside and around the point number `index` of a figure, whatever its marker: of 72, no two are alike.

    The first eight are of one colour, the next eight open, further ones of two.
    """
    turn, place = divmod(index, len(LINES))
    colour = LINES[place][0]
    return (WHITE if turn == 1 else colour), LINES[(place + max(turn - 1, 0)) % len(LINES)][0]


def marker(index: int) -> str:
    """The marker number `index` of a figure: shapes, then letters; they repeat after 63."""
    return _MARKERS[index % len(_MARKERS)]


@contextmanager
def own_settings() -> Iterator[None]:
    """Around what makes or saves a figure, as a decorator too: matplotlib's defaults, so that figures are alike everywhere.

    Without it a file `matplotlibrc` in the working folder, which may be anyone's, would let matplotlib start LaTeX.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` by `height` inches that draws with Agg and fits its own layout."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def dress(axes: Axes, *, title: str, horizontal: str, vertical: str) -> None:
    """Title and axis labels in the common sizes, light grid, no frame at the top and right."""
    axes.set_title(title, fontsize=FONT_TITLE, color=INK, loc="left")
    axes.set_xlabel(horizontal, fontsize=FONT_TEXT, color=INK)
    axes.set_ylabel(vertical, fontsize=FONT_TEXT, color=INK)
    axes.tick_params(which="both", labelsize=FONT_SMALL, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, which="major", color=LIGHT_GREY, linewidth=0.5)
    axes.set_axisbelow(True)


def folded(text: str, characters: int = LABEL_CHARACTERS) -> str:
    """A name in lines of at most so many characters: one that tells many settings would leave its plot no room."""
    return "\n".join(textwrap.wrap(text, characters, break_on_hyphens=False))


def legend_within(
    figure: Figure, axes: Axes, handles: Sequence[Artist], place: Literal["lower left", "lower right"]
) -> None:
    """A legend in a figure's only plot where there is room for it, else below, for which the figure is made higher."""
    lines = _fold(handles)
    if lines <= LABEL_ROOM:
        axes.legend(handles=handles, fontsize=FONT_SMALL, frameon=False, loc=place, handlelength=LEGEND_LINE)
        return
    figure.set_figheight(figure.get_figheight() + LABEL_HEIGHT * lines)
    figure.legend(
        handles=handles, fontsize=FONT_SMALL, frameon=False, loc="outside lower left", handlelength=LEGEND_LINE
    )


def legend_below(figure: Figure, handles: Sequence[Artist], columns: int = 1) -> None:
    """A legend below the plots; the figure is made higher for names that take several lines, and for very many."""
    lines = _fold(handles)
    more = max(lines - len(handles), math.ceil(lines / columns) - LABEL_ROOM)
    figure.set_figheight(figure.get_figheight() + LABEL_HEIGHT * more)
    figure.legend(handles=handles, fontsize=FONT_SMALL, frameon=False, loc="outside lower center", ncols=columns)


def _fold(handles: Sequence[Artist]) -> int:
    """Fold the names of a legend; the number of their lines."""
    labels = [folded(str(handle.get_label())) for handle in handles]
    for handle, label in zip(handles, labels, strict=True):
        handle.set_label(label)
    return sum(label.count("\n") + 1 for label in labels)


def spans_decades(values: NDArray[np.float64]) -> bool:
    """Whether finite values are positive and spread so far that a linear axis would hide the small ones."""
    return bool(values.size and values.min() > 0 and values.max() > LOGARITHMIC_SPAN * values.min())


def number_logarithmic(axis: Axis, values: NDArray[np.float64]) -> None:
    """Plain numbers (1, 2, 5, 10, …) at the ticks of a logarithmic axis over positive `values`."""
    wide = values.max() > 2000.0 * values.min()
    axis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())
