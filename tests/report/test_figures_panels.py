"""The panel: what each of its pictures shows, that scales are shared, and that the outline lies on the defect."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure

from radar.report import style
from radar.report.figures import PanelRow, panel_figure, panel_title


def panel_row(
    *, size: tuple[int, int] = (20, 30), scale: float = 1.0, mask: np.ndarray | None = None, title: str = "title"
) -> PanelRow:
    random = np.random.default_rng(0)
    noise = scale * random.standard_normal((size[0] // 2, size[1] // 2))
    return PanelRow(random.random(size), noise, np.abs(noise), mask, title)


def rows_of(figure: Figure) -> list[list[Axes]]:
    """The axes of each row, text first, without the two colour bars."""
    axes = figure.axes[:-2]
    return [axes[start : start + 5] for start in range(0, len(axes), 5)]


def words_of(axes: Axes) -> str:
    return "\n".join(text.get_text() for text in axes.texts)


def outlines_of(axes: Axes) -> list[QuadContourSet]:
    return [child for child in axes.get_children() if isinstance(child, QuadContourSet)]


def test_each_row_shows_its_input_maps_and_mask() -> None:
    mask = np.zeros((20, 30), dtype=bool)
    mask[4:9, 10:20] = True
    rows = [panel_row(mask=mask, title="first\nof two"), panel_row(mask=~mask, title="second")]
    figure = panel_figure(rows)
    assert len(figure.axes) == 2 * 5 + 2
    for row, axes in zip(rows, rows_of(figure), strict=True):
        assert words_of(axes[0]) == row.title
        assert [len(picture.images) for picture in axes] == [0, 1, 1, 1, 1]
        for picture, array in zip(axes[1:], (row.image, row.noise_map, row.anomaly_map, row.mask), strict=True):
            np.testing.assert_array_equal(picture.images[0].get_array(), array)
    headings = [axes.get_title() for axes in figure.axes[1:5]]
    assert headings == ["input, defect outlined", "noise map", "anomaly map", "mask"]
    for nothing in (None, np.zeros((20, 30), dtype=bool)):
        assert panel_figure([panel_row(mask=nothing)]).axes[1].get_title() == "input", "of which nothing is outlined"


def test_maps_of_all_rows_share_one_stated_scale() -> None:
    figure = panel_figure([panel_row(), panel_row(scale=10.0)])
    quiet, loud = rows_of(figure)
    for column in (2, 3):
        assert quiet[column].images[0].get_clim() == loud[column].images[0].get_clim()
    low, high = quiet[2].images[0].get_clim()
    assert low == -high  # predicted noise is signed: 0 is the middle grey
    assert 3 < high <= 10 * np.abs(panel_row().noise_map).max()
    noise_bar, anomaly_bar = figure.axes[-2:]
    assert noise_bar.get_xlabel().startswith("predicted noise, one scale for all rows")
    assert anomaly_bar.get_xlabel().startswith("anomaly score, one scale for all rows")
    assert noise_bar.get_xlim() == pytest.approx((low, high))


@pytest.mark.parametrize("scale", [1, 2, 3], ids=["same-size", "twice-as-fine", "three-times-as-fine"])
def test_outline_encloses_the_defect_in_the_pixels_of_the_image(scale: int) -> None:
    mask = np.zeros((20 * scale, 30 * scale), dtype=bool)
    mask[4 * scale : 9 * scale, 10 * scale : 20 * scale] = True
    axes = rows_of(panel_figure([panel_row(mask=mask)]))[0][1]
    for outline in outlines_of(axes):
        corners = np.concatenate([path.vertices for path in outline.get_paths()])
        np.testing.assert_allclose(corners.min(axis=0), (9.5, 3.5), atol=1e-9)
        np.testing.assert_allclose(corners.max(axis=0), (19.5, 8.5), atol=1e-9)
    assert len(outlines_of(axes)) == 2  # yellow on black, seen on any grey
    assert axes.get_xlim() == (-0.5, 29.5)
    assert axes.get_ylim() == (19.5, -0.5)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        pytest.param(None, "no mask", id="missing"),
        pytest.param(np.zeros((20, 30), dtype=bool), "nothing marked", id="empty"),
        pytest.param(np.ones((20, 30), dtype=bool), "", id="full"),
    ],
)
def test_a_mask_without_defect_says_why(mask: np.ndarray | None, words: str) -> None:
    _, picture, _, _, mask_axes = rows_of(panel_figure([panel_row(mask=mask)]))[0]
    assert words_of(mask_axes) == words
    assert bool(outlines_of(picture)) == (words == "")


@pytest.mark.parametrize("size", [(20, 30), (60, 20), (103, 632)], ids=["wide", "tall", "very-wide"])
def test_maps_cover_the_same_field_as_the_input(size: tuple[int, int]) -> None:
    row = rows_of(panel_figure([panel_row(size=size)]))[0]
    assert len({tuple(axes.images[0].get_extent()) for axes in row[1:]}) == 1


def test_colour_images_and_constant_maps_are_drawn() -> None:
    colour = np.random.default_rng(1).random((20, 30, 3))
    figure = panel_figure([PanelRow(colour, np.zeros((5, 5)), np.full((5, 5), 2.0), None, "constant")])
    _, picture, noise, anomaly, _ = rows_of(figure)[0]
    np.testing.assert_allclose(picture.images[0].get_array(), colour)
    assert noise.images[0].get_clim() == (0.0, 1.0)
    assert anomaly.images[0].get_clim() == (2.0, 3.0)


def test_long_names_are_wrapped_without_losing_a_letter() -> None:
    name = "MT_Blowhole/Imgs/" + "x" * 40 + "_num_284213.jpg"
    lines = words_of(rows_of(panel_figure([panel_row(title=f"{name}\ntruth: normal")]))[0][0]).splitlines()
    assert max(len(line) for line in lines) <= style.TEXT_CHARACTERS
    assert "".join(lines[:-1]) == name
    assert lines[-1] == "truth: normal"


@pytest.mark.parametrize(
    ("label", "called", "truth", "decision"),
    [
        pytest.param(1, False, "truth: anomalous, crack", "called normal", id="missed"),
        pytest.param(0, True, "truth: normal", "called anomalous", id="false-alarm"),
    ],
)
def test_title_states_truth_decision_score_and_threshold(label: int, called: bool, truth: str, decision: str) -> None:
    title = panel_title(name="a.png", label=label, defect="crack", score=0.51236, threshold=0.55, called=called)
    assert title.splitlines() == ["a.png", truth, decision, "score 0.5124", "threshold 0.55"]


def test_text_does_not_reach_into_the_pictures() -> None:
    figure = panel_figure([panel_row(title="M" * 20 + "\n" + "test/metal_contamination/0123456.png")])
    figure.canvas.draw()
    text, picture = rows_of(figure)[0][:2]
    assert text.texts[0].get_window_extent().x1 < picture.get_window_extent().x0
