"""Windows: descriptors by hand, each model as scikit-learn has it, and a planted defect that every one of them finds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from method_builders import SMALL, answers, fitted, image_set, images_of, normals
from scipy import stats
from sklearn.covariance import EllipticEnvelope, LedoitWolf
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

from radar.errors import RunError
from radar.methods.lof import LocalDensities
from radar.methods.method import Normals
from radar.methods.parts.descriptors import LEAST_TEXTURE, raw, texture
from radar.methods.parts.windows import blended, normal_points
from radar.methods.registry import method_of
from radar.scoring.tiling import Tiling

METHODS = ("pca", "isolation_forest", "lof", "one_class_svm", "mahalanobis", "elliptic_envelope")
OWN = ("method.windows.size=8", "method.windows.stride=4", "method.windows.fitting_windows=400")


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


@pytest.mark.parametrize("side", range(LEAST_TEXTURE, 40))
def test_texture_of_every_window_that_is_allowed_is_a_number(side):
    assert texture(torch.randn(3, 2, side, side, generator=torch.Generator().manual_seed(side))).isfinite().all()


def test_texture_does_not_see_where_structure_lies_and_pixels_do():
    windows = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    rolled = windows.roll(3, dims=3)
    np.testing.assert_allclose(texture(rolled)[:, :4], texture(windows)[:, :4], atol=1e-6)
    assert not np.allclose(raw(rolled), raw(windows))


def test_flat_windows_are_finite():
    assert texture(torch.zeros(2, 3, 8, 8)).isfinite().all()


def test_equal_scores_blend_into_themselves_and_one_high_score_stays_local():
    tiling = Tiling.overlapping(24, 24, window=8, stride=4)
    torch.testing.assert_close(blended(torch.full((25,), 3.0), tiling, 24, 24), torch.full((1, 1, 24, 24), 3.0))
    scores = torch.zeros(25)
    scores[12] = 1  # rows and columns 8 to 15
    mapped = blended(scores, tiling, 24, 24)[0, 0]
    assert mapped[11:13, 11:13].min() > 0.5
    assert mapped[:8].abs().max() == 0 and mapped[:, 16:].abs().max() == 0


def reference(name, points, new, settings, seed):
    """What scikit-learn's own estimator says of the points `new`."""
    if name == "pca":
        kept = int(np.searchsorted(np.cumsum(PCA().fit(points).explained_variance_ratio_), 0.95)) + 1
        model = PCA(kept).fit(points)
        t2 = (model.transform(new) ** 2 / model.explained_variance_).sum(axis=1)
        q = ((new - model.inverse_transform(model.transform(new))) ** 2).sum(axis=1)
        return np.stack([t2, q])
    if name == "one_class_svm":
        model = OneClassSVM(nu=settings.nu, gamma="scale").fit(points)
        return model.dual_coef_.sum() - model.score_samples(new)
    if name in ("mahalanobis", "elliptic_envelope"):
        model = LedoitWolf() if name == "mahalanobis" else EllipticEnvelope(random_state=seed)
        return np.sqrt(model.fit(points).mahalanobis(new))
    if name == "lof":
        return -LocalOutlierFactor(n_neighbors=settings.neighbours, novelty=True).fit(points).score_samples(new)
    return -IsolationForest(n_estimators=settings.trees, random_state=seed).fit(points).score_samples(new)


@pytest.mark.filterwarnings("ignore:The covariance matrix associated to your dataset is not full rank")
@pytest.mark.parametrize("varying", [4, 3], ids=["", "a column that never varies"])
@pytest.mark.parametrize("name", METHODS)
def test_a_model_scores_as_scikit_learns(composed, name, varying):
    method = method_of(composed(f"method={name}"))
    scale = np.array([1, 2, 0.5, 3]) * (np.arange(4) < varying)
    points = np.random.default_rng(0).standard_normal((300, 4)) * scale
    new = np.random.default_rng(1).standard_normal((50, 4)) * 4 * scale
    model = method.fit_model(points)
    expected = reference(name, points, new, method.settings.windows, method.model_seed)
    found = model(torch.from_numpy(new))
    if name == "pca":
        t2, q = model.t2(torch.from_numpy(new)), model.q(torch.from_numpy(new))
        torch.testing.assert_close(found, torch.maximum(t2 / model.t2_limit, q / model.q_limit))
        found = torch.stack([t2, q])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_copies_of_a_normal_point_are_as_dense_as_it_is():
    """Distances by matrix products would make noise of the 0 between copies, and the factors arbitrary."""
    points = np.random.default_rng(0).standard_normal((300, 60))
    points[:30] = points[0]
    model = LocalDensities.fit(points, 20)
    assert model(torch.from_numpy(points[:2])).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize("name", METHODS)
def test_scores_are_not_negative_and_far_points_score_higher(composed, name):
    points = np.random.default_rng(0).standard_normal((400, 5))
    model = method_of(composed(f"method={name}")).fit_model(points)
    near, far = (
        model(torch.from_numpy(np.random.default_rng(1).standard_normal((50, 5)))),
        model(torch.full((1, 5), 6.0).double()),
    )
    assert (near >= 0).all()
    assert far[0] > near.max()


@pytest.mark.parametrize("descriptor", ["raw", "texture"])
@pytest.mark.parametrize("name", METHODS)
def test_a_planted_defect_is_found_where_it_lies_whatever_is_scored_beside_it(composed, name, descriptor):
    method = fitted(composed(*SMALL, f"method={name}", *OWN, f"method.windows.descriptor={descriptor}"))
    test = image_set(6, 2)
    test.planes.whole[:3, :, 8:16, 8:16] = 0.9
    response = answers(method, test, images_per_pass=4)
    points = method.read(response).points[:, 0]
    assert points[:3].min() > points[3:].max()
    maps = response[:3, 0]
    assert (maps[:, 8:16, 8:16].mean(dim=(1, 2)) > maps.mean(dim=(1, 2))).all()
    assert torch.equal(answers(method, test[[5, 0]]), response[[5, 0]])


def test_chroma_is_not_seen(composed):
    config = composed(*SMALL, "method=mahalanobis", *OWN, "dataset.image.channels=luma_chroma")
    names = ("luma", "red_green", "yellow_blue")
    normal = Normals(*(images_of(each.planes.whole, "a", plane_names=names) for each in normals(channels=3).sets))
    method, test = fitted(config, normal), image_set(2, 3, channels=3)
    recoloured = images_of(test.planes.whole * torch.tensor([1, -1, 0])[:, None, None], "b", plane_names=names)
    assert torch.equal(answers(method, recoloured), answers(method, test))


def test_the_seed_draws_the_windows_and_no_more_than_asked(composed):
    settings, images = composed("method=lof", *OWN).method.settings.windows, normals().train
    zero, again, one = (normal_points(images, settings, seed) for seed in (0, 0, 1))
    assert zero.shape == (400, 64)
    np.testing.assert_array_equal(zero, again)
    assert (zero != one).any(axis=1).mean() > 0.9
    settings.fitting_windows = 7  # of 40 images
    assert normal_points(images, settings, 0).shape == (7, 64)


def test_images_that_are_smaller_than_a_window_are_refused(composed):
    method = fitted(composed(*SMALL, "method=pca", *OWN))
    with pytest.raises(RunError, match=r"images of 7 × 7 px are smaller than a window of 8 px"):
        answers(method, image_set(1, 2, side=7))


def test_a_broken_rule_is_one_line(composed):
    config = composed("method=pca", "dataset.image.size=100")
    assert not list(method_of(config).problems())
    config.method.settings.windows.size, config.method.settings.windows.stride = 200, 201
    config.detector.name = "isolation_forest"
    detector, stride = method_of(config).problems()
    assert detector.startswith("detector.name=isolation_forest: pca gives one score per image")
    assert stride == "method.windows.stride=201: must be ≤ method.windows.size=200, or windows leave gaps"
