"""The same images under every method: the same by content, not by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from report_builders import result

from radar.experiment.panels import Panel
from radar.report import gallery
from radar.report.cells import cells, main_cells
from radar.report.result import Result


def panels(shown: Result) -> dict[str, Panel]:
    picture = np.zeros((8, 8), np.float32)
    return {image.path: Panel(image.path, "right", picture, None, picture, None) for image in shown.images[:4]}


@pytest.mark.parametrize("replaced", [0, 1, 4])
def test_images_of_one_name_and_another_content_are_not_shown_together(
    monkeypatch: pytest.MonkeyPatch, replaced: int
) -> None:
    first, second = result(preset="a"), result(preset="b")
    others = [replace(image, content_hash=f"other {index}") for index, image in enumerate(second.images[:replaced])]
    second = replace(second, images=(*others, *second.images[replaced:]))
    monkeypatch.setattr(gallery, "panels_of", panels)
    monkeypatch.setattr(gallery, "on_common_data", list)
    figure = gallery.qualitative_figure(main_cells(cells([first, second], None)))
    assert (figure is None) == (replaced == 4)
    if figure is not None:
        assert len([axes for axes in figure.axes if axes.get_images()]) == 3 * (4 - replaced)
