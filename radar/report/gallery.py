"""Pictures of a run's panels, side by side over methods, and as small files for a page."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from radar.experiment.panels import Panel, read_panels
from radar.experiment.run_directory import RunDirectory
from radar.report import style
from radar.report.cells import Cell, on_common_data
from radar.report.result import Result

_THUMBNAIL = 112  # px, the longer side
_ROWS = 8  # of the qualitative grid

Panels = Mapping[str, Panel]
"""By the paths of their images."""


def panels_of(result: Result) -> dict[str, Panel]:
    """The panels that a run directory keeps, by image; none of a record."""
    if result.directory is None:
        return {}
    return {panel.path: panel for panel in read_panels(RunDirectory(result.directory).panels)}


def data_uri(picture: NDArray[np.uint8]) -> str:
    """A picture (H, W) or (H, W, 3) as a PNG inside its address."""
    image = Image.fromarray(picture)
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + b64encode(buffer.getvalue()).decode()


def shown_image(panel: Panel) -> NDArray[np.uint8]:
    """The input in bytes."""
    return np.asarray(np.round(panel.image * 255), dtype=np.uint8)


def shown_map(panel: Panel, highest: float) -> NDArray[np.uint8]:
    """The anomaly map in colours, from 0 to `highest`."""
    coloured = colormaps[style.ANOMALY_COLOUR_MAP](panel.anomaly_map / (highest or 1.0))[..., :3]
    return np.asarray(np.round(coloured * 255), dtype=np.uint8)


def highest_of(panels: Sequence[Panel]) -> float:
    """The end of a scale that the maps share: `style.CLIPPED_SHARE` of their values lie above."""
    values = np.concatenate([panel.anomaly_map.ravel() for panel in panels])
    return float(np.quantile(values, 1 - style.CLIPPED_SHARE))


@style.own_settings()
def qualitative_figure(cells: Sequence[Cell]) -> Figure | None:
    """Input and every method's anomaly map of the same test images of one data set; None without common panels.

    Methods that were tested on other data than most are left out; images are the same where their content is. Those that saw other
    pixels or colours stand behind the input as they saw it.

    Each method has its own scale: anomaly maps of two methods have no common unit.
    """
    in_order = sorted(on_common_data(cells), key=lambda cell: cell.not_ranked)
    kept = [(cell, panels) for cell in in_order if (panels := panels_of(cell.one))]
    shown = [{image.path: image.content_hash for image in cell.one.images} for cell, _ in kept]
    common = [
        path
        for path in (kept[0][1] if kept else ())
        if all(path in panels for _, panels in kept) and len({each.get(path) for each in shown}) == 1
    ][:_ROWS]
    if not common:
        return None
    columns = [column for _, seen in groupby(kept, lambda each: each[0].not_ranked) for column in _columns(list(seen))]
    figure = style.new_figure(
        style.PICTURE_WIDTH * 0.75 * len(columns) + 1.2, style.PICTURE_WIDTH * 0.75 * len(common) + 0.4
    )
    grid = figure.subplots(len(common), len(columns), squeeze=False)
    for row, path in zip(grid, common, strict=True):
        row[0].set_ylabel(
            path.rpartition("/")[0][-18:] + "\n" + path.rpartition("/")[2], fontsize=style.FONT_SMALL * 0.8
        )
        for axes, (_, pictures) in zip(row, columns, strict=True):
            axes.set_xticks([])
            axes.set_yticks([])
            axes.imshow(pictures(path), cmap=style.INPUT_COLOUR_MAP, vmin=0, vmax=255)
    for axes, (name, _) in zip(grid[0], columns, strict=True):
        axes.set_title(style.folded(name, style.HEADING_CHARACTERS), fontsize=style.FONT_SMALL)
    return figure


def _columns(kept: Sequence[tuple[Cell, Panels]]) -> Iterator[tuple[str, Callable[[str], NDArray[np.uint8]]]]:
    """Of methods that saw the same pixels and colours, a heading and the picture of an image by its path: the input, then each map."""
    first, panels = kept[0]
    yield f"input ({first.not_ranked})" if first.not_ranked else "input", partial(_input, panels)
    for cell, panels in kept:
        yield cell.name, partial(_map, panels, highest_of(list(panels.values())))


def _input(panels: Panels, path: str) -> NDArray[np.uint8]:
    return shown_image(panels[path])


def _map(panels: Panels, highest: float, path: str) -> NDArray[np.uint8]:
    return shown_map(panels[path], highest)
