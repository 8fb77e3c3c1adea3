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


def test_maps_stand_behind_the_input_as_their_method_saw_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(shown: Result) -> dict[str, Panel]:
        light = {"a": 0.0, "b": 0.2, "c": 1.0}[shown.command.preset]
        picture = np.full((8, 8), light, np.float32)
        return {image.path: Panel(image.path, "right", picture, None, picture, None) for image in shown.images[:1]}

    runs = [result(preset=name) for name in "abc"]
    for run, aspect in zip(runs, ("stretch", "stretch", "crop"), strict=True):
        run.config["dataset"]["image"] = {"aspect": aspect}
    monkeypatch.setattr(gallery, "panels_of", seen)
    figure = gallery.qualitative_figure(cells(runs, None))
    assert figure is not None
    shown = {axes.get_title(): axes.get_images()[0].get_array() for axes in figure.axes}
    inputs = {title.replace("\n", " "): int(np.max(picture)) for title, picture in shown.items() if "input" in title}
    assert inputs == {"input": 0, "input (other pixels (aspect crop))": 255}
    assert ["input" in title for title in shown] == [True, False, False, True, False]
