"""Fused densities: planted defects of each kind, cross-fitted scores, and the fusion by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from denoiser_builders import ORACLE, oracle_train, with_spots
from method_builders import image_set
from radar.methods.cross_fit import CrossFit
from radar.methods.fusion import Fusion, fuse, surprise
from radar.methods.interface import Forgetful, ImageSet, Normals
from radar.scoring.density import GaussianDensity

from radar.errors import RunError
from radar.methods.fused_densities import FieldReader, FusedDensitiesMethod, fused_map
from radar.progress import silent

FUSED = (
    *ORACLE,
    "method=fused_densities",
    "detector=cross_fitted",
    "dataset.image.channels=luma_chroma",
    "method.fused_densities.context.spacing=2",
    "method.fused_densities.context.contrast=3.0",
    "method.reduction.pixels=6",
)
PARTS = ("energy", "detail", "context", "appearance", "colour")


def coloured(images: ImageSet, seed: int) -> ImageSet:
    chroma = torch.randn(len(images.identities), 2, 24, 24, generator=torch.Generator().manual_seed(seed)) * 0.05
    return replace(images, chroma=chroma)


def coloured_normals() -> Normals:
    return Normals(coloured(image_set(12, 0), 10), coloured(image_set(9, 1), 11))


def method_of(composed, *overrides):
    config = composed(*FUSED, *overrides)
    return FusedDensitiesMethod(config, Forgetful(), oracle_train(config), {})


def only(*kept):
    return [f"method.fused_densities.{name}=null" for name in PARTS if name not in kept]


def test_fusing_by_hand():
    surprises = torch.tensor([[3.0, 1.0], [4.0, 1.0]])
    torch.testing.assert_close(fuse(surprises, 1.0), torch.tensor([7.0, 2.0]))
    torch.testing.assert_close(fuse(surprises, 2.0), torch.tensor([5.0, 2.0**0.5]))


@pytest.mark.parametrize("relative", [0.0, 0.5, 1.0])
def test_surprise_by_hand(composed, relative):
    settings = method_of(
        composed, f"method.fused_densities.relative={relative}", "method.fused_densities.smoothing=0"
    ).settings
    density = GaussianDensity.from_arrays({"mean": np.array([1.0]), "whitening": np.array([[2.0]])})
    field = torch.tensor([0.5, 1.0, 2.0]).view(1, 1, 1, 3)  # squared distances 1, 0 and 4: the median is 1
    expected = torch.tensor([1.0, 0.0, 4.0]).view(1, 1, 1, 3)
    fit = CrossFit(density, (density,))
    torch.testing.assert_close(surprise(fit, field, None, settings), expected)
    tripled = surprise(fit, 1 + 3 * (field - 1), 0, settings)
    torch.testing.assert_close(tripled, expected * 9 ** (1 - relative))


@pytest.mark.parametrize("relative", [0.5, 1.0])
def test_an_image_that_is_off_as_a_whole_scores_high_unless_all_is_relative(composed, relative):
    method = method_of(composed, *only("appearance"), f"method.fused_densities.relative={relative}")
    test = coloured(image_set(6, 3), 13)
    test.images[:3] += 0.6
    method.fit(coloured_normals(), silent)
    scores = method.score(test, silent).scores
    assert bool(scores[:3].min() > scores[3:].max()) is (relative < 1)


@pytest.mark.parametrize("part", [*PARTS[:4], "all"])
def test_a_planted_spot_is_found_where_it_lies(composed, part):
    method = method_of(composed, *([] if part == "all" else only(part)))
    test = coloured(with_spots(), 12)
    method.fit(coloured_normals(), silent)
    scores = method.score(test, silent)
    assert scores.scores[:3].min() > scores.scores[3:].max()
    assert scores.decisions[:3].all()
    for mapped in scores.anomaly_maps[:3]:
        row, column = divmod(int(mapped.argmax()), 24)
        assert 5 <= row <= 18 and 5 <= column <= 18


@pytest.mark.parametrize("seen", [True, False], ids=["with colour", "without"])
def test_a_stain_of_colour_alone_is_seen_by_the_colour_part_alone(composed, seen):
    method = method_of(composed, *([] if seen else only(*PARTS[:4])))
    test = coloured(image_set(6, 3), 13)
    test.chroma[:3, 0, 8:16, 8:16] += 0.5
    method.fit(coloured_normals(), silent)
    scores = method.score(test, silent).scores
    assert bool(scores[:3].min() > scores[3:].max()) is seen


def test_normals_without_any_colour_leave_the_part_out(composed):
    def grey(images):
        return replace(images, chroma=torch.zeros(len(images.identities), 2, 24, 24))

    normal, test = Normals(grey(image_set(12, 0)), grey(image_set(9, 1))), grey(with_spots())
    maps = []
    for overrides in ([], only(*PARTS[:4])):
        method = method_of(composed, *overrides)
        method.fit(normal, silent)
        maps.append(method.noise_maps(test, silent))
    assert torch.equal(*maps)


def test_a_fitted_normal_is_scored_by_what_has_not_seen_its_group(composed):
    odd = coloured(image_set(12, 0), 10)
    odd.images[:2] += 0.6  # two bright ones, of one part
    groups = ["bright", "bright", *(str(index) for index in range(10))]
    validation = coloured(image_set(9, 1), 11)
    excess = {}
    for name, grouped in (("together", groups), ("apart", [str(index) for index in range(12)])):
        normal = Normals(replace(odd, groups=grouped), replace(validation, groups=[f"v{index}" for index in range(9)]))
        method = method_of(composed, *only("appearance"), "method.fused_densities.folds=100")
        method.fit(normal, silent)
        maps = method.noise_maps(normal.train, silent)[:, 0].flatten(1).mean(dim=1)
        excess[name] = float(maps[:2].mean() / maps[2:].mean())
    assert excess["together"] > 1.2 * excess["apart"] > 1.2


def test_the_threshold_is_the_conformal_quantile_of_all_normals(composed):
    method, normal = method_of(composed, "contamination=c10"), coloured_normals()
    method.fit(normal, silent)
    scores = np.sort(np.concatenate([method.score(each, silent).scores for each in (normal.train, normal.validation)]))
    assert method.scored_splits == ("train", "validation", "test")
    assert method.scorer.detector.threshold == scores[int(np.ceil(22 * 0.9)) - 1]


def test_each_part_alone_comes_to_one_at_the_calibration_quantile(composed):
    method, normal = method_of(composed, *only("energy")), coloured_normals()
    method.fit(normal, silent)
    maps = torch.cat([method.noise_maps(each, silent) for each in (normal.train, normal.validation)])
    tops = maps.flatten(1).topk(6, dim=1).values.mean(dim=1).double().numpy()
    assert np.quantile(tops, 0.9) == pytest.approx(1.0, rel=1e-5)


def test_a_map_does_not_depend_on_the_other_images(composed):
    method, test = method_of(composed), coloured(image_set(4, 3), 14)
    method.fit(coloured_normals(), silent)
    together = method.noise_maps(test, silent)
    one = ImageSet(test.images[2:3], test.identities[2:3], chroma=test.chroma[2:3])
    assert torch.equal(method.noise_maps(one, silent)[0], together[2])


def test_passes_are_the_different_timesteps(composed):
    assert method_of(composed).network_passes == 3
    assert method_of(composed, "method.fused_densities.energy.timestep=10").network_passes == 2
    assert method_of(composed, *only("colour")).network_passes == 0


def test_what_is_fitted_is_part_of_what_a_map_depends_on(composed):
    method, normal = method_of(composed), coloured_normals()
    regrouped = Normals(replace(normal.train, groups=["a"] * 6 + ["b"] * 6), normal.validation)
    assert method.map_inputs(normal) != method.map_inputs(regrouped)


def test_a_stored_fusion_maps_as_the_fitted_one(composed):
    method, test = method_of(composed), coloured(image_set(2, 3), 14)
    fusion = method.fusion(coloured_normals(), silent)
    stored = Fusion.from_arrays(fusion.arrays())
    assert stored.folds == fusion.folds
    reader = FieldReader(method.denoiser(coloured_normals(), silent), method.settings)
    for identity in ("new", "0/3"):  # a fitted one is scored by its fold's densities
        assert torch.equal(*(fused_map(reader, each)(test.planes(0, 1), identity) for each in (fusion, stored)))
    with pytest.raises(RunError, match="damaged"):
        Fusion.from_arrays({name: value for name, value in fusion.arrays().items() if name != "scales"})


def test_one_group_alone_is_refused(composed):
    normal = coloured_normals()
    joined = Normals(replace(normal.train, groups=["a"] * 12), replace(normal.validation, groups=["a"] * 9))
    with pytest.raises(RunError, match="one group"):
        method_of(composed).fit(joined, silent)
