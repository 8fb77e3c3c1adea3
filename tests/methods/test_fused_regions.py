"""Methods with a region of interest: what lies outside changes no bit, enters no density, and is 0 in every map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from denoiser_builders import ORACLE, Oracle
from image_builders import image_set, images_of
from scipy import ndimage

from radar.data.images import Images
from radar.errors import ConfigError, RunError
from radar.methods.controls import control_of
from radar.methods.method import FittedMethod, Normals
from radar.methods.parts.denoising import DENOISER
from radar.methods.parts.regions import at_positions, columns_inside, counted, mean_inside, median_inside
from radar.methods.registry import METHODS, method_of
from radar.methods.responses import read, responses
from radar.progress import silent
from radar.rasters import Rasters
from radar.runtime.continuation import continue_outside
from radar.scoring.border import Border
from radar.scoring.reading import statistic_inside
from radar.training.crops import PatchSampler, windows_inside

SIDE = 48
CORNERS = "[[[0.2,0.1],[0.9,0.1],[0.9,0.8],[0.2,0.8]]]"
REGION = ("region_of_interest=polygons", f"dataset.image.region_of_interest.polygons={CORNERS}")
FUSED = (
    *ORACLE, "method=fused_densities", "detector=cross_fitted", "dataset.image.channels=luma_chroma",
    "method.fused_densities.least_side=20", "method.fused_densities.context.spacing=2", "method.reduction.pixels=20",
    f"dataset.image.size={SIDE}", "method.fused_densities.context.contrast=3.0", "scoring.window=5",
)  # fmt: skip
INSIDE = np.zeros((SIDE, SIDE), dtype=bool)
INSIDE[5:38, 10:43] = True
NAMES = ("luma", "red_green", "yellow_blue", "region")


def with_region(
    count: int, seed: int, *, spot: tuple[slice, slice] | None = None, inside: np.ndarray = INSIDE
) -> Images:
    """Images whose planes outside `inside` are as preprocessing makes them."""
    planes = torch.cat(
        [image_set(count, 10 * seed + place, side=SIDE).planes.whole for place in range(4)], dim=1
    ).numpy()
    if spot is not None:
        planes[:, :, *spot] += 0.9
    for image in planes:
        continue_outside(image[:3], inside)
        image[3] = np.where(inside, 1, -1)
    return images_of(torch.from_numpy(planes).clamp(-1, 1), str(seed), plane_names=NAMES)


def fit(config, normal: Normals | None = None) -> FittedMethod:
    normal = normal or Normals(with_region(10, 0), with_region(6, 1))
    return method_of(config).fit(normal, {DENOISER: Oracle(config)}, silent)


def measured(method: FittedMethod, images: Images, *, at_once: int = 1):
    response = responses(method, images.planes, images.identities, seed=0, images_per_pass=at_once, report=silent)
    return read(method, response, images_per_pass=at_once)


@pytest.fixture(scope="module")
def fitted_once():
    made = {}

    def of(config, name: str) -> FittedMethod:
        if name not in made:
            made[name] = fit(config)
        return made[name]

    return of


def controls_of(config):
    return [control_of(config, name) for name in ("mean_brightness", "raw_sobel")]


def test_maps_are_zero_outside_and_not_inside(composed, fitted_once):
    config = composed(*FUSED, *REGION)
    normal = Normals(with_region(10, 0), with_region(6, 1))
    methods = [fitted_once(config, "whole"), *(each.fit(normal, {}, silent) for each in controls_of(config))]
    for method in methods:
        found = measured(method, with_region(3, 2))
        for each, inside in zip(found.anomaly, found.inside, strict=True):
            assert torch.equal(inside, torch.from_numpy(INSIDE))
            assert (each[~inside] == 0).all() and (each[inside] > 0).float().mean() > 0.99


def test_a_defect_inside_is_found_and_one_outside_is_not_there(composed, fitted_once):
    method = fitted_once(composed(*FUSED, *REGION), "whole")
    plain = with_region(1, 3)
    inside, outside = with_region(1, 3, spot=np.s_[15:22, 20:27]), with_region(1, 3, spot=np.s_[40:47, 2:9])
    clean, found, beyond = (measured(method, each) for each in (plain, inside, outside))
    assert torch.equal(beyond.anomaly[0], clean.anomaly[0]) and torch.equal(beyond.points, clean.points)
    assert found.points[0, 0] > 2 * clean.points[0, 0]
    row, column = np.unravel_index(int(found.anomaly[0].argmax()), (SIDE, SIDE))
    assert 13 <= row < 24 and 18 <= column < 29


def test_a_region_that_is_the_whole_image_changes_nothing(composed):
    everything = np.ones((SIDE, SIDE), dtype=bool)
    sets = [with_region(count, seed, inside=everything) for count, seed in ((10, 0), (6, 1), (3, 2))]
    bare = [Images(images.planes.first(3), NAMES[:3], images.samples, images.frames) for images in sets]
    whole = fit(composed(*FUSED, *REGION), Normals(*sets[:2]))
    without = fit(composed(*FUSED), Normals(*bare[:2]))
    for name, value in without.state_dict().items():
        torch.testing.assert_close(whole.state_dict()[name], value, rtol=1e-5, atol=1e-7)
    found, wanted = measured(whole, sets[2]), measured(without, bare[2])
    torch.testing.assert_close(torch.stack(found.anomaly), torch.stack(wanted.anomaly), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.points, wanted.points, rtol=1e-4, atol=1e-6)


def test_images_do_not_depend_on_those_that_share_a_pass(composed, fitted_once):
    method = fitted_once(composed(*FUSED, *REGION), "whole")
    other = np.roll(INSIDE, (4, -7), axis=(0, 1))
    several = [with_region(1, 4), with_region(1, 5, inside=other)]
    together = images_of(torch.cat([each.planes.whole for each in several]), "both", plane_names=NAMES)
    found = measured(method, together, at_once=2)
    for each, place in zip(several, range(2), strict=True):
        torch.testing.assert_close(found.anomaly[place], measured(method, each).anomaly[0], rtol=1e-4, atol=1e-5)


def test_densities_are_of_the_vectors_inside_alone(composed):
    parts = ("energy=null", "detail=null", "context=null", "colour=null", "least_side=null", "appearance.blurs=[0]")
    own = (f"method.fused_densities.{part}" for part in (*parts, "appearance.contrasts=[]", "appearance.relative=0"))
    method = fit(composed(*FUSED, *REGION, *own))
    normal = [with_region(10, 0), with_region(6, 1)]
    pixels = np.concatenate([images.planes.whole[:, 0].numpy()[:, INSIDE].ravel() for images in normal])
    density = method.densities["appearance_0"]
    assert float(density.mean[0]) == pytest.approx(pixels.mean(), abs=1e-7)
    assert float(density.whitening[0]) ** -2 == pytest.approx(pixels.astype(np.float64).var() * 1.001, rel=1e-5)


def test_the_border_of_a_region_is_no_edge_to_the_controls(composed):
    """Of a bright texture before an outside that continues it."""
    config = composed(*FUSED, *REGION)
    normal = Normals(bright(8, 0), bright(4, 1))
    border = INSIDE & ~ndimage.binary_erosion(INSIDE, iterations=3)
    deep = ndimage.binary_erosion(INSIDE, iterations=6)
    for control in controls_of(config):
        method = control.fit(normal, {}, silent)
        maps = torch.stack(measured(method, bright(30, 2)).anomaly)[:, :].mean(dim=0)
        assert 0.6 < float(maps[border].mean() / maps[deep].mean()) < 1.4, control.name


def bright(count: int, seed: int) -> Images:
    images = with_region(count, seed)
    planes = images.planes.whole.clone()
    planes[:, 0] = planes[:, 0] * 0.3 + 0.6
    return images_of(planes, f"bright {seed}", plane_names=NAMES)


def test_features_are_levelled_by_those_inside():
    region = torch.full((1, 1, 64, 64), -1.0)
    region[..., :32] = 1.0
    found = torch.zeros(1, 2, 8, 8)
    found[..., :4], found[..., 4:] = 3.0, 100.0
    positions = at_positions(region, (8, 8))
    assert positions is not None and torch.equal(positions[0, 0] > 0, found[0, 0] < 50)
    assert torch.equal(mean_inside(found, positions).flatten(), torch.full((2,), 3.0))
    assert at_positions(None, (8, 8)) is None


def test_brightness_is_the_mean_inside(composed):
    normal = Normals(with_region(10, 0), with_region(6, 1))
    method = control_of(composed(*FUSED, *REGION), "mean_brightness").fit(normal, {}, silent)
    inside = normal.train.planes.whole[:, 0].numpy()[:, INSIDE]
    assert float(method.mean) == pytest.approx(inside.mean(dtype=np.float64), abs=1e-6)


def test_mean_and_median_are_those_of_pixels_inside():
    stream = np.random.default_rng(0)
    values, region = torch.from_numpy(stream.random((3, 1, 9, 11))), torch.full((3, 1, 9, 11), -1.0)
    region[0, 0, 2:6, 3:9], region[1, 0, 4, 5] = (
        1.0,
        0.5,
    )  # of the second no pixel is inside as a whole, of the third none at all
    for place, pixels in enumerate((values[0, 0, 2:6, 3:9], values[1, 0, 4, 5], values[2, 0])):
        assert float(mean_inside(values, region)[place]) == pytest.approx(float(pixels.mean()))
        assert float(median_inside(values, region)[place]) == float(pixels.flatten().median())
    assert counted(region).flatten(1).sum(dim=1).tolist() == [24, 1, 99]
    assert columns_inside(values[:1], region[:1]).shape == (1, 1, 24)
    assert columns_inside(torch.rand(1, 5, 3, 3), torch.ones(1, 1, 9, 9)).shape == (1, 5, 9)


def test_a_margin_follows_the_border_of_the_region(composed):
    config = composed("scoring.border={name: margin, width: 3}").scoring.border
    inside = torch.from_numpy(
        ndimage.binary_dilation(np.random.default_rng(0).random((2, 40, 50)) > 0.995, np.ones((1, 3, 3)), 5)
    )
    kept = Border(config).counted_inside(inside)
    for each, wanted in zip(kept, inside, strict=True):
        near = ndimage.binary_dilation(np.pad(~wanted.numpy(), 3, constant_values=True), np.ones((3, 3)), 3)
        np.testing.assert_array_equal(each.numpy(), ~near[3:-3, 3:-3])
    thin = torch.zeros(1, 40, 50, dtype=torch.bool)
    thin[0, 20:23] = True
    assert torch.equal(Border(config).counted_inside(thin), thin)  # else a score of nothing would read as good


@pytest.mark.parametrize("statistic", ["max", "mean", "top"])
def test_statistics_are_of_the_counted_pixels(statistic):
    maps, inside = torch.rand(2, 12, 13), torch.zeros(2, 12, 13, dtype=torch.bool)
    inside[0, 3:9, 2:9], inside[1, 5, :4] = True, True
    found = statistic_inside(maps, statistic, 9, inside)
    for each, values, region in zip(found, maps, inside, strict=True):
        ordered = np.sort(values[region].numpy().astype(np.float64))[::-1]
        wanted = {"max": ordered[0], "mean": ordered.mean(), "top": ordered[:9].mean()}[statistic]
        assert float(each) == pytest.approx(wanted)


def test_crops_lie_mostly_inside_and_every_such_window_is_drawn():
    images = with_region(2, 0).learnt_planes
    narrow = np.zeros((SIDE, SIDE), dtype=bool)
    narrow[20:23, 20:30] = True  # no window lies half inside
    both = Rasters.joined([images[0], with_region(1, 1, inside=narrow).learnt_planes[0]])
    plane = torch.arange(SIDE**2, dtype=torch.float32).reshape(1, SIDE, SIDE)
    places = Rasters.joined([plane, plane + 10_000])
    sampler = PatchSampler(places, size=8, flips=False, rotations=False, windows=windows_inside(both, 8))
    corners = sampler.draw(60_000, torch.Generator().manual_seed(0))[:, 0, 0, 0].numpy()
    for first, inside in ((0, INSIDE), (10_000, narrow)):
        share = ndimage.uniform_filter(inside.astype(np.float64), 8, origin=-4)[: SIDE - 7, : SIDE - 7]
        least = min(0.5, share.max())
        wanted = {first + row * SIDE + column for row, column in np.argwhere(share >= least - 1e-9)}
        assert {int(each) for each in corners if first <= each < first + 5000} == wanted
    assert np.mean(corners < 5000) == pytest.approx(0.5, abs=0.02)


def test_a_region_that_no_coarse_pixel_lies_in_is_told(composed):
    thin = np.zeros((SIDE, SIDE), dtype=bool)
    thin[:, 21:23] = True  # two columns, of which one belongs to each pixel of the next scale
    normal = Normals(with_region(10, 0, inside=thin), with_region(6, 1, inside=thin))
    with pytest.raises(RunError, match="lies wholly inside"):
        fit(composed(*FUSED, *REGION), normal)


@pytest.mark.parametrize("name", ["radar", "lof", "pca"])
def test_methods_that_would_score_the_outside_refuse(composed, name):
    with pytest.raises(
        ConfigError, match=f"method {name} would learn and score what lies outside.*fused_densities"
    ) as told:
        composed(f"method={name}", "detector=upper_tail", *REGION)
    assert "\n" not in str(told.value) and not METHODS.get(name).honours_region
    assert str(told.value).endswith("choose one that does not: method=fused_densities")  # and no control


def test_rings_of_a_border_are_refused(composed):
    with pytest.raises(ConfigError, match="use margin or none"):
        composed(*FUSED, *REGION, "scoring.border={name: standardised, width: 3}")


def test_without_a_region_keys_are_as_before(composed):
    config = composed(*FUSED)
    assert config.dataset.image.region_of_interest is None
    marked = replace(
        config.dataset.image, region_of_interest=composed(*FUSED, *REGION).dataset.image.region_of_interest
    )
    assert method_of(replace(config, dataset=replace(config.dataset, image=marked))).has_region
