"""Windows: descriptors by hand, each model as scikit-learn has it, and a planted defect that every one of them finds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from method_builders import SMALL, image_set, normals
from scipy import stats
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import LocalOutlierFactor

from radar.compose.method_rules import WINDOW_METHODS
from radar.methods.descriptors import raw, texture
from radar.methods.interface import Forgetful, ImageSet
from radar.methods.window_models import fit_window_model
from radar.methods.windows import WindowMethod, blended
from radar.progress import silent
from radar.scoring.tiling import Tiling

OWN = (
    "method.windows.size=8",
    "method.windows.stride=4",
    "method.windows.fitting_windows=400",
    "method.windows.trees=20",
)


def method_of(composed, name, *overrides):
    return WindowMethod(composed(*SMALL, f"method={name}", *OWN, *overrides), Forgetful())


def test_texture_equals_scipys_moments():
    windows = torch.randn(5, 1, 9, 9, generator=torch.Generator().manual_seed(0)).double()
    described = texture(windows)
    flat = windows.flatten(1).numpy()
    assert described.shape == (5, 10)
    np.testing.assert_allclose(described[:, 0], flat.mean(axis=1))
    np.testing.assert_allclose(described[:, 1], np.log(flat.std(axis=1)), atol=1e-5)
    np.testing.assert_allclose(described[:, 2], stats.skew(flat, axis=1), atol=1e-4)
    np.testing.assert_allclose(described[:, 3], stats.kurtosis(flat, axis=1, fisher=False), atol=1e-4)


@pytest.mark.parametrize(("period", "ring"), [(16, 0), (4, 1), (2, 2)])
def test_a_wave_lies_in_the_ring_of_its_frequency(period, ring):
    wave = torch.sin(2 * torch.pi * (torch.arange(16) + 0.3) / period).expand(1, 1, 16, 16)
    assert texture(wave)[0, 6:].argmax() == ring


def test_texture_does_not_see_where_structure_lies_and_pixels_do():
    windows = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    rolled = windows.roll(3, dims=3)
    np.testing.assert_allclose(texture(rolled)[:, :4], texture(windows)[:, :4], atol=1e-6)
    assert not np.allclose(raw(rolled), raw(windows))


def test_flat_windows_are_finite():
    assert np.isfinite(texture(torch.zeros(2, 3, 8, 8))).all()


def test_equal_scores_blend_into_themselves_and_one_high_score_stays_local():
    tiling = Tiling.overlapping(24, 24, window=8, stride=4)
    torch.testing.assert_close(blended(torch.full((25,), 3.0), tiling, 24, 24), torch.full((1, 1, 24, 24), 3.0))
    scores = torch.zeros(25)
    scores[12] = 1  # rows and columns 8 to 15
    mapped = blended(scores, tiling, 24, 24)[0, 0]
    assert mapped[11:13, 11:13].min() > 0.5
    assert mapped[:8].abs().max() == 0 and mapped[:, 16:].abs().max() == 0


@pytest.mark.parametrize("name", ["lof", "mahalanobis"])
def test_models_are_scikit_learns_on_standardised_points(composed, name):
    points = np.random.default_rng(0).standard_normal((300, 4)) * [1, 2, 3, 0] + 5
    new = np.random.default_rng(1).standard_normal((7, 4)) * 4 + 5
    settings = composed(f"method={name}").method.windows
    spread = np.where(points.std(axis=0) > 0, points.std(axis=0), 1)
    standard, other = (points - points.mean(axis=0)) / spread, (new - points.mean(axis=0)) / spread
    expected = {
        "lof": lambda: -LocalOutlierFactor(n_neighbors=20, novelty=True).fit(standard).score_samples(other),
        "mahalanobis": lambda: np.sqrt(LedoitWolf().fit(standard).mahalanobis(other)),
    }[name]()
    np.testing.assert_allclose(fit_window_model(name, points, settings, 0)(new), expected)


@pytest.mark.parametrize("name", WINDOW_METHODS)
def test_scores_are_not_negative_and_far_points_score_higher(composed, name):
    points = np.random.default_rng(0).standard_normal((400, 5))
    score = fit_window_model(name, points, composed(f"method={name}").method.windows, 0)
    near, far = score(np.random.default_rng(1).standard_normal((50, 5))), score(np.full((1, 5), 6.0))
    assert (near >= 0).all()
    assert far[0] > near.max()


@pytest.mark.parametrize("descriptor", ["raw", "texture"])
@pytest.mark.parametrize("name", WINDOW_METHODS)
def test_a_planted_defect_is_found_where_it_lies(composed, name, descriptor):
    method = method_of(composed, name, f"method.windows.descriptor={descriptor}")
    method.fit(normals(), silent)
    test = image_set(6, 2)
    images = test.images.clone()
    images[:3, :, 8:16, 8:16] = 0.9
    scores = method.score(ImageSet(images, test.identities), silent)
    assert scores.scores[:3].min() > scores.scores[3:].max()
    assert scores.decisions[:3].all()
    maps = scores.anomaly_maps[:3]
    assert (maps[:, 8:16, 8:16].mean(dim=(1, 2)) > maps.mean(dim=(1, 2))).all()


@pytest.mark.parametrize("name", ["pca", "isolation_forest", "one_class_svm"])
def test_an_image_scores_the_same_alone_and_among_others(composed, name):
    method, test = method_of(composed, name), image_set(7, 2)
    method.fit(normals(), silent)
    together = method.score(test, silent).scores
    order = [3, 0, 6]
    apart = method.score(ImageSet(test.images[order], [test.identities[index] for index in order]), silent).scores
    np.testing.assert_array_equal(apart, together[order])


def test_the_seed_draws_the_windows(composed):
    test = image_set(3, 2)

    def scored(seed):
        method = method_of(composed, "pca", f"seed={seed}")
        method.fit(normals(), silent)
        return method.score(test, silent).scores

    np.testing.assert_array_equal(scored(0), scored(0))
    assert (scored(0) != scored(1)).all()


def test_more_images_than_windows_give_no_more_windows_than_asked(composed):
    method = method_of(composed, "lof", "method.windows.fitting_windows=7")
    points = method._normal_points(normals(), Tiling.overlapping(24, 24, window=8, stride=4))
    assert points.shape == (7, 64)
