"""The panel: per test image its input with the defect outlined, noise map, anomaly map and mask, on shared scales."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from radar.report import style

COLUMNS = ("input", "noise map", "anomaly map", "mask")
_OUTLINED = "input, defect outlined"  # where a row has one
_NOISE = 1  # column that only methods have which predict noise


@dataclass(frozen=True, slots=True)
class PanelRow:
    """One test image of a panel; maps and mask may differ in size from the image and are drawn over the same field.

    `image` (H, W) or (H, W, 3) in [0, 1]; `noise_map` (h, w), `None` where the method predicts no noise; `anomaly_map` (h, w);
    `mask` (h, w) bool, `None` where there is none; `title` may hold line breaks; `region` (h, w) bool is of interest, `None` where the
    whole image is.
    """

    image: NDArray[np.floating]
    noise_map: NDArray[np.floating] | None
    anomaly_map: NDArray[np.floating]
    mask: NDArray[np.bool_] | None
    title: str
    region: NDArray[np.bool_] | None = None


def panel_title(*, name: str, label: int, defect: str, score: float, threshold: float, called: bool) -> str:
    """Title of a row: file, truth, and score against threshold with the decision taken."""
    truth = f"truth: anomalous, {defect}" if label == 1 else "truth: normal"
    decision = f"called {'anomalous' if called else 'normal'}"
    return f"{name}\n{truth}\n{decision}\nscore {score:.4g}\nthreshold {threshold:.4g}"


@style.own_settings()
def panel_figure(rows: Sequence[PanelRow]) -> Figure:
    """Draw the rows below each other; noise maps share one colour scale, and so do anomaly maps (colour bars on top).

    A scale ends where `style.CLIPPED_SHARE` of the values lie beyond it; the arrows of its colour bar say so.
    """
    noise_maps = [row.noise_map for row in rows if row.noise_map is not None]
    headings = [heading for column, heading in enumerate(COLUMNS) if column != _NOISE or noise_maps]
    if any(row.mask is not None and row.mask.any() for row in rows):
        headings[0] = _OUTLINED
    figure, grid, bars = _layout([row.image.shape[0] / row.image.shape[1] for row in rows], len(headings))
    noise = _scale(noise_maps, style.NOISE_COLOUR_MAP, signed=True)
    anomaly = _scale([row.anomaly_map for row in rows], style.ANOMALY_COLOUR_MAP, signed=False)
    for row, (text, picture, *between, anomaly_axes, mask_axes) in zip(rows, grid, strict=True):
        _write(text, row.title)
        _show_input(picture, row)
        for axes in between:
            _show_map(axes, row.noise_map if row.noise_map is not None else np.zeros((1, 1)), row, noise)
        _show_map(anomaly_axes, row.anomaly_map, row, anomaly)
        _show_mask(mask_axes, row)
    for axes, heading in zip(grid[0][1:], headings, strict=True):
        axes.set_title(heading, fontsize=style.FONT_TITLE, color=style.INK)
    *between, last = bars
    for axes in between:
        _colour_bar(figure, axes, noise, "predicted noise")
    _colour_bar(figure, last, anomaly, "anomaly score")
    return figure


def _layout(ratios: Sequence[float], pictures: int) -> tuple[Figure, list[list[Axes]], list[Axes]]:
    """A figure for rows of these heights over width: per row its text and so many pictures; a colour bar below each of its maps."""
    heights = [style.PICTURE_WIDTH * float(np.clip(ratio, *style.ROW_RATIOS)) for ratio in ratios]
    pitch, first = style.PICTURE_WIDTH + style.PICTURE_GAP, style.TEXT_WIDTH + 2 * style.PICTURE_GAP
    lefts = [first + column * pitch for column in range(pictures)]
    width = lefts[-1] + pitch
    foot = style.FOOT_HEIGHT + style.COLOUR_BAR_HEIGHT
    height = style.HEADING_HEIGHT + sum(heights) + style.PICTURE_GAP * len(heights) + foot
    figure = style.new_figure(width, height)
    figure.set_layout_engine("none")

    def place(left: float, bottom: float, wide: float, high: float) -> Axes:
        return figure.add_axes((left / width, bottom / height, wide / width, high / height))

    grid, bottom = [], height - style.HEADING_HEIGHT
    for high in heights:
        bottom -= high
        text = place(style.PICTURE_GAP, bottom, style.TEXT_WIDTH, high)
        grid.append([text, *(place(left, bottom, style.PICTURE_WIDTH, high) for left in lefts)])
        bottom -= style.PICTURE_GAP
    bars = [place(left, style.FOOT_HEIGHT, style.PICTURE_WIDTH, style.COLOUR_BAR_HEIGHT) for left in lefts[1:-1]]
    return figure, grid, bars


def _scale(maps: Sequence[NDArray[np.floating]], colour_map: str, *, signed: bool) -> ScalarMappable:
    """The colour scale of all maps together; a signed one with negative values is symmetric about 0."""
    values = np.concatenate([np.zeros(0), *(np.ravel(values) for values in maps)])
    values = values[np.isfinite(values)]
    low, high = np.quantile(values, (style.CLIPPED_SHARE, 1 - style.CLIPPED_SHARE)) if values.size else (0.0, 1.0)
    if signed and low < 0:
        high = max(-low, high)
        low = -high
    if high <= low:
        high = low + 1.0  # a constant map: one colour, and a scale that still says which value it is
    return ScalarMappable(Normalize(vmin=float(low), vmax=float(high)), cmap=colour_map)


def _extent(image: NDArray[np.floating]) -> tuple[float, float, float, float]:
    """The field of the image in its own pixels: what everything of its row is drawn over."""
    height, width = image.shape[:2]
    return -0.5, width - 0.5, height - 0.5, -0.5


def _write(axes: Axes, title: str) -> None:
    """A row's title, in the column of its own at the left, wrapped."""
    axes.set_axis_off()
    lines = [part for line in title.splitlines() for part in _wrapped(line)]
    axes.text(
        0.0,
        0.5,
        "\n".join(lines),
        transform=axes.transAxes,
        ha="left",
        va="center",
        fontsize=style.FONT_SMALL,
        color=style.INK,
        linespacing=1.35,
    )


def _wrapped(line: str) -> list[str]:
    """`line` in parts of at most `style.TEXT_CHARACTERS`, broken after one of " ", "/", "_", "-" if it can be."""
    parts = [""]
    for piece in re.findall(rf"[^ /_-]{{1,{style.TEXT_CHARACTERS - 1}}}[ /_-]?|[ /_-]", line):
        if len(parts[-1]) + len(piece.rstrip()) > style.TEXT_CHARACTERS:
            parts.append("")
        parts[-1] += piece
    return [part.rstrip() for part in parts]


def _bare(axes: Axes) -> None:
    """No ticks, a thin frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(linewidth=0.5, color=style.GREY)


def _show_input(axes: Axes, row: PanelRow) -> None:
    """The image, the border of its defect in yellow on black, that of its region of interest in blue."""
    picture = np.clip(row.image, 0.0, 1.0)
    axes.imshow(picture, cmap=style.INPUT_COLOUR_MAP, vmin=0.0, vmax=1.0, extent=_extent(row.image))
    _bare(axes)
    if row.region is not None and not row.region.all():
        _outline(axes, row.region, row.image, style.BLUE)
    if row.mask is not None and row.mask.any():
        _outline(axes, row.mask, row.image, style.YELLOW)


def _outline(axes: Axes, mask: NDArray[np.bool_], image: NDArray[np.floating], inner: str) -> None:
    """The border of the mask over the image's field, closed where the mask touches the edge."""
    left, right, bottom, top = _extent(image)
    padded = np.pad(mask.astype(np.float64), 1)
    height, width = mask.shape
    columns = left + (np.arange(-1, width + 1) + 0.5) * (right - left) / width
    rows = top + (np.arange(-1, height + 1) + 0.5) * (bottom - top) / height
    for colour, line_width in ((style.BLACK, 2.2), (inner, 1.0)):
        axes.contour(columns, rows, padded, levels=[0.5], colors=[colour], linewidths=line_width)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def _show_map(axes: Axes, values: NDArray[np.floating], row: PanelRow, scale: ScalarMappable) -> None:
    """One map over the image's field, on the shared scale, never smoothed."""
    low, high = scale.get_clim()
    axes.imshow(values, cmap=scale.cmap, vmin=low, vmax=high, extent=_extent(row.image), interpolation="nearest")
    _bare(axes)


def _show_mask(axes: Axes, row: PanelRow) -> None:
    """The mask, white on a defect and black elsewhere; grey where there is no mask."""
    shown = np.full((1, 1), 0.8) if row.mask is None else row.mask
    axes.imshow(shown, cmap=style.MASK_COLOUR_MAP, vmin=0, vmax=1, extent=_extent(row.image), interpolation="nearest")
    _bare(axes)
    if row.mask is None or not row.mask.any():
        words, colour = ("no mask", style.INK) if row.mask is None else ("nothing marked", "white")
        axes.text(
            0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color=colour, fontsize=style.FONT_SMALL
        )


def _colour_bar(figure: Figure, axes: Axes, scale: ScalarMappable, quantity: str) -> None:
    """The shared scale of a column."""
    bar = figure.colorbar(scale, cax=axes, orientation="horizontal", extend="both")
    words = f"{quantity}, one scale for all rows\n(at most {style.CLIPPED_SHARE:.1%} beyond each end)"
    bar.set_label(words, fontsize=style.FONT_SMALL, color=style.INK)
    bar.ax.tick_params(labelsize=style.FONT_SMALL, colors=style.INK)
