"""Features, thresholds, metrics and keys, for any values: bounds, invariants, and independent references."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from itertools import product

import numpy as np
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, roc_auc_score

from radar.config.schema import BlurConfig
from radar.evaluation.image_metrics import image_metrics
from radar.evaluation.pixel_metrics import pixel_metrics
from radar.experiment.artefact_store import Key
from radar.scoring.edge_map import anomaly_map, edge_map
from radar.scoring.features import features, local_energy
from radar.scoring.threshold import conformal_quantile, conformal_rank, grouped_quantile, shifted_quantile

VALUES = st.floats(-100, 100, width=32)
FEW = st.integers(-3, 3).map(float)  # with many ties


@st.composite
def maps_of(draw: st.DrawFn) -> torch.Tensor:
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 12)), draw(st.integers(1, 12)))
    return torch.from_numpy(draw(arrays(np.float32, shape, elements=st.floats(0, 100, width=32))))


@settings(max_examples=60, deadline=None)
@given(maps_of(), st.data())
def test_the_local_norm_is_the_loudest_window_and_below_the_global_one(maps: torch.Tensor, data: st.DataObject) -> None:
    height, width = maps.shape[1:]
    window = data.draw(st.integers(1, min(height, width)))
    plain = [
        [
            [float((image[row : row + window, column : column + window].double() ** 2).sum())
             for column in range(width - window + 1)]
            for row in range(height - window + 1)
        ]
        for image in maps
    ]  # fmt: skip
    np.testing.assert_allclose(local_energy(maps, window).numpy(), plain, rtol=1e-4, atol=1e-4)
    found = features(maps, window)
    np.testing.assert_allclose(found[:, 1].numpy(), np.sqrt(np.max(plain, axis=(1, 2))), rtol=1e-4, atol=1e-3)
    assert (found[:, 1] <= found[:, 0] * (1 + 1e-5) + 1e-3).all()
    torch.testing.assert_close(features(3 * maps, window), 3 * found, rtol=1e-4, atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(maps_of(), st.sampled_from(["sobel", "none"]), st.integers(0, 2), st.sampled_from([0.01, 0.5, 3.0]))
def test_edges_are_finite_and_no_brightness_has_none(maps: torch.Tensor, edge: str, half: int, sigma: float) -> None:
    assume(min(maps.shape[1:]) > half)
    found = edge_map(maps[:, None], BlurConfig(kernel=2 * half + 1, sigma=sigma), edge)
    assert found.shape == maps.shape and found.isfinite().all() and (found >= 0).all()
    smooth = anomaly_map(found, sigma)
    # a mean of squares lies between the least and the largest of them
    assert (smooth <= found.amax((1, 2), keepdim=True) * (1 + 1e-4) + 1e-3).all()
    even = torch.full_like(maps, 7.0)[:, None]
    flat = edge_map(even, BlurConfig(kernel=2 * half + 1, sigma=sigma), edge)
    np.testing.assert_allclose(
        flat.numpy(), 0.0 if edge == "sobel" else 7.0, atol=2e-3
    )  # kornia adds 1e-6 below the root


@settings(max_examples=100, deadline=None)
@given(st.lists(FEW | VALUES, min_size=1, max_size=30), st.floats(0.01, 0.5))
def test_a_conformal_threshold_keeps_its_promise_on_its_own_scores(values: list[float], contamination: float) -> None:
    scores = np.array(values)
    threshold = conformal_quantile(scores, contamination)
    assert threshold in scores
    above, count = int((scores > threshold).sum()), len(scores)
    # counting a new score as one more, all above it
    assert above + 1 <= max(1, math.floor((count + 1) * contamination + 1e-9)) or above == 0
    assert 1 <= conformal_rank(count, contamination) <= count
    alone = grouped_quantile(scores, [str(index) for index in range(count)], contamination)
    assert alone == threshold
    assert grouped_quantile(scores, ["one"] * count, contamination) == (scores.max() if contamination < 1 else alone)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(VALUES, min_size=3, max_size=20), st.lists(VALUES, min_size=3, max_size=20), st.floats(0.05, 0.5), VALUES
)
def test_a_shifted_threshold_moves_with_the_scores(
    fitting: list[float], held_out: list[float], contamination: float, shift: float
) -> None:
    one, other = np.array(fitting), np.array(held_out)
    assume(np.ptp(one) > 1e-3 and np.median(np.abs(one - np.median(one))) > 1e-3)
    found = shifted_quantile(one, other, contamination, prior=4.0)
    assert math.isfinite(found)
    moved = shifted_quantile(one, other + shift, contamination, prior=4.0)
    np.testing.assert_allclose(moved, found + shift, rtol=1e-6, atol=1e-4)


@st.composite
def sets_of_tests(draw: st.DrawFn) -> tuple[list[int], list[float], list[bool]]:
    count = draw(st.integers(1, 25))

    def listed(of: st.SearchStrategy) -> list:
        return draw(st.lists(of, min_size=count, max_size=count))

    return listed(st.integers(0, 1)), listed(draw(st.sampled_from([FEW, VALUES]))), listed(st.booleans())  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(sets_of_tests())
def test_image_metrics_keep_their_bounds_and_equal_scikit_learn(
    case: tuple[list[int], list[float], list[bool]],
) -> None:
    labels, scores, decisions = case
    found = image_metrics(labels, scores, decisions)
    assert all(
        0 <= value <= 1
        for key, value in asdict(found).items()
        if value is not None and key not in ("normal", "anomalous")
    )
    both = 0 < sum(labels) < len(labels)
    assert (found.auroc is not None) == both
    if both:
        pairs = [
            (scores[one], scores[other])
            for one, other in product(range(len(labels)), repeat=2)
            if labels[one] > labels[other]
        ]
        half_pairs = sum((first > second) * 2 + (first == second) for first, second in pairs)
        assert found.auroc == half_pairs / (2 * len(pairs))
        assert math.isclose(found.auroc, roc_auc_score(labels, scores), abs_tol=1e-12)
        assert found.average_precision == average_precision_score(labels, scores)
        mirrored = image_metrics(labels, [-score for score in scores], decisions)
        assert math.isclose(found.auroc + mirrored.auroc, 1, abs_tol=1e-9)
        assert found.f1 <= found.f1_max_oracle + 1e-12 or any(
            decided != (score >= min(s for s, d in zip(scores, decisions, strict=True) if d))
            for decided, score in zip(decisions, scores, strict=True)
        )
        assert found.f1_all_anomalous <= found.f1_max_oracle + 1e-12


@settings(max_examples=60, deadline=None)
@given(st.data(), st.floats(0.05, 1.0))
def test_pixel_metrics_keep_their_bounds_and_equal_scikit_learn(data: st.DataObject, limit: float) -> None:
    shape = (data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6)))
    maps = [data.draw(arrays(np.float32, shape, elements=FEW | st.floats(-9, 9, width=32))) for _ in range(3)]
    masks = [np.zeros(shape, bool), *(data.draw(arrays(np.bool_, shape)) for _ in range(2))]
    found = pixel_metrics(maps, masks, [0, 1, 1], limit)
    assert found.normal_pixels + found.defective_pixels <= 3 * shape[0] * shape[1]
    for value in (found.auroc, found.average_precision, found.aupro):
        assert value is None or -1e-12 <= value <= 1 + 1e-12
    if found.auroc is not None and found.empty_masks == 0:
        truth, scores = (
            np.concatenate([mask.ravel() for mask in masks]),
            np.concatenate([each.ravel() for each in maps]),
        )
        np.testing.assert_allclose(found.auroc, roc_auc_score(truth, scores), atol=1e-9)
        np.testing.assert_allclose(found.average_precision, average_precision_score(truth, scores), atol=1e-9)
        perfect = pixel_metrics([mask.astype(np.float32) for mask in masks], masks, [0, 1, 1], limit)
        assert math.isclose(perfect.aupro, 1, abs_tol=1e-9)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def _reordered(value):
    if isinstance(value, dict):
        return {key: _reordered(value[key]) for key in reversed(value)}
    return [_reordered(each) for each in value] if isinstance(value, list) else value


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=4), PLAIN, max_size=4), st.dictionaries(st.text(max_size=4), PLAIN, max_size=4))
def test_a_content_key_is_equal_where_inputs_are_and_differs_where_they_do(first: dict, second: dict) -> None:
    try:
        text, other = (json.dumps(each, sort_keys=True) for each in (first, second))
    except UnicodeEncodeError:
        assume(False)
    key = Key("network", 1, first)
    assert Key("network", 1, _reordered(first)).fingerprint == key.fingerprint
    assert (Key("network", 1, second).fingerprint == key.fingerprint) == (text == other)
    assert Key("network", 2, first).fingerprint != key.fingerprint != Key("fitted", 1, first).fingerprint
