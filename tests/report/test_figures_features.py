"""Feature figures: points in their groups, the boundary where a known detector has it, the overlap of known classes."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from radar.report.figures import Boundary, feature_histograms, feature_scatter
from radar.report.figures_features import overlap_of_shares

AXIS_LABELS = ("global, noise units", "local, noise units")
LABELS = np.repeat([0, 0, 1, 1], 10)
DEFECTS = ["good"] * 20 + ["hole"] * 10 + ["crack"] * 10
SPLITS = ["train"] * 10 + ["test"] * 30


def points(scale: float = 1.0) -> np.ndarray:
    return scale * (np.random.default_rng(0).random((40, 2)) + 10 + LABELS[:, None])


def scatter(features: np.ndarray, boundary: Boundary | None) -> Figure:
    return feature_scatter(
        features, labels=LABELS, defects=DEFECTS, splits=SPLITS, axis_labels=AXIS_LABELS, boundary=boundary
    )


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def contours_of(figure: Figure) -> list[QuadContourSet]:
    """Unfilled contours."""
    found = [child for child in figure.axes[0].get_children() if isinstance(child, QuadContourSet)]
    return [contour for contour in found if not contour.filled]


def test_scatter_shows_every_group_with_its_own_marker() -> None:
    figure = scatter(points(), None)
    axes = figure.axes[0]
    drawn = [child for child in axes.collections if isinstance(child, PathCollection)]
    names = ["normal, train (n=10)", "normal, test (n=10)", "crack (n=10)", "hole (n=10)"]
    assert [group.get_label() for group in drawn] == names == legend_of(figure)
    for group, start in zip(drawn, (0, 10, 30, 20), strict=True):
        np.testing.assert_allclose(group.get_offsets(), points()[start : start + 10])
    looks = {(handle.get_marker(), handle.get_markerfacecolor()) for handle in figure.legends[0].legend_handles}
    assert len(looks) == 4
    assert (axes.get_xlabel(), axes.get_ylabel()) == AXIS_LABELS


def test_boundary_passes_through_the_threshold_of_a_known_detector() -> None:
    circle = Boundary(lambda plane: np.hypot(plane[:, 0] - 10.5, plane[:, 1] - 10.5), threshold=0.8)
    figure = scatter(points(), circle)
    (contour,) = contours_of(figure)
    vertices = np.concatenate([path.vertices for path in contour.get_paths()])
    assert len(vertices) > 50
    np.testing.assert_allclose(circle.score(vertices), 0.8, atol=1e-3)
    assert legend_of(figure)[-2:] == ["decision boundary, score = 0.8", "called anomalous"]


def test_boundary_is_evaluated_in_the_units_of_a_logarithmic_axis() -> None:
    features = np.exp(points() * 3)
    product = Boundary(lambda plane: np.log(plane).sum(axis=1), threshold=66.0)
    figure = scatter(features, product)
    assert (figure.axes[0].get_xscale(), figure.axes[0].get_yscale()) == ("log", "log")
    (contour,) = contours_of(figure)
    vertices = np.concatenate([path.vertices for path in contour.get_paths()])
    np.testing.assert_allclose(np.log(vertices).sum(axis=1), 66.0, atol=1e-3)


@pytest.mark.parametrize("level", [pytest.param(-5.0, id="all-normal"), pytest.param(5.0, id="all-anomalous")])
def test_boundary_outside_the_view_is_said_not_drawn(level: float) -> None:
    figure = scatter(points(), Boundary(lambda plane: np.full(len(plane), level), threshold=0.5))
    assert contours_of(figure) == []
    assert legend_of(figure)[-1] == "decision boundary, score = 0.5 (outside the view)"


@pytest.mark.parametrize(
    ("features", "scale"),
    [
        pytest.param(points(), "linear", id="narrow"),
        pytest.param(points() - 10.5, "linear", id="negative"),
        pytest.param(np.exp(3 * points()), "log", id="decades"),
    ],
)
def test_all_points_lie_inside_the_view(features: np.ndarray, scale: str) -> None:
    axes = scatter(features, None).axes[0]
    assert axes.get_xscale() == scale
    for (low, high), values in zip((axes.get_xlim(), axes.get_ylim()), features.T, strict=True):
        assert low < values.min() and values.max() < high


def test_constant_features_do_not_collapse_the_view() -> None:
    axes = scatter(np.full((40, 2), 3.0), None).axes[0]
    assert axes.get_xlim()[0] < 3.0 < axes.get_xlim()[1]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param([0.5, 0.5, 0.0], [0.5, 0.5, 0.0], 1.0, id="same"),
        pytest.param([1.0, 0.0, 0.0], [0.0, 0.0, 1.0], 0.0, id="apart"),
        pytest.param([0.7, 0.3, 0.0], [0.2, 0.3, 0.5], 0.5, id="by-hand"),
    ],
)
def test_overlap_coefficient(first: list[float], second: list[float], expected: float) -> None:
    assert overlap_of_shares(first, second) == pytest.approx(expected)


@pytest.mark.parametrize("logarithmic", [False, True], ids=["linear", "logarithmic"])
def test_histograms_hold_every_image_and_state_the_overlap(logarithmic: bool) -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], [300, 60])
    same, apart = random.normal(5, 1, 360), labels * 20 + random.normal(5, 1, 360)
    features = np.exp(np.column_stack((same, apart)) if logarithmic else np.column_stack((same, apart)) / 100)
    figure = feature_histograms(features, labels, ["global, noise units", "local, noise units"])
    assert [axes.get_xlabel() for axes in figure.axes] == ["global, noise units", "local, noise units"]
    overlaps = []
    for axes in figure.axes:
        normal, anomalous = (patch.get_data() for patch in axes.patches if isinstance(patch, StepPatch))
        assert normal.values.sum() == pytest.approx(1.0)
        assert anomalous.values.sum() == pytest.approx(1.0)
        np.testing.assert_array_equal(normal.edges, anomalous.edges)
        legend = axes.get_legend()
        assert [text.get_text() for text in legend.get_texts()] == ["normal (n=300)", "anomalous (n=60)"]
        overlaps.append(np.minimum(normal.values, anomalous.values).sum())
        assert legend.get_title().get_text() == f"overlap of the bars: {overlaps[-1]:.3f}"
        assert axes.get_xscale() == ("log" if logarithmic else "linear")
    assert overlaps[0] > 0.7
    assert overlaps[1] < 0.01


def test_histogram_of_one_class_states_no_overlap() -> None:
    figure = feature_histograms(np.arange(10.0)[:, None], np.zeros(10), ["global"])
    assert figure.axes[0].get_legend().get_title().get_text() == ""
