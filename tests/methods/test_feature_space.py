"""OSD-IRF and InvAD on a grid of features: what they share with those on pixels, and that a defect is found where it lies."""

from __future__ import annotations

import pytest
import torch
from denoiser_builders import Oracle, with_spots
from method_builders import SMALL, image_set, normals
from radar.methods.feature_space import FeatureGrid, FeatureSpaceMethod, on_the_grid
from radar.methods.interface import Forgetful, ImageSet
from radar.methods.inversion import InversionMethod
from radar.methods.residual_field import ResidualFieldMethod
from sklearn.covariance import LedoitWolf
from torch import nn

from radar.networks.cost import parameter_count
from radar.networks.efficientnet import locally_aware
from radar.progress import silent

KINDS = {"osd_irf_pretrained": ResidualFieldMethod, "invad_pretrained": InversionMethod}


class Halved(nn.Module):
    """In place of pretrained features: means and deviations of squares of 2 px."""

    channels = 2

    def forward(self, images):
        means = nn.functional.avg_pool2d(images, 2)
        return [torch.cat([means, nn.functional.avg_pool2d(images.square(), 2)], dim=1)]


@pytest.fixture
def without_extra(monkeypatch):
    monkeypatch.setattr("radar.compose.method_rules.find_spec", lambda name: True)
    monkeypatch.setattr("radar.methods.feature_space.EfficientNetFeatures", lambda **_: Halved())


class White(Oracle):
    """The optimal denoiser of independent values N(0, 1): x_t is its own noise, scaled."""

    def forward(self, noisy, timestep):
        return self.schedule.noise[timestep - 1].view(-1, 1, 1, 1) * noisy


def optimal(config, asked):
    def fit(network, module, **keys):
        asked.append({"network": network, **keys})
        return White(config)

    return fit


def method_of(composed, name, *overrides, asked=None):
    own = ("method.feature_space.dimensions=2", "method.feature_space.crop=4", "method.feature_space.channels=[8,8]")
    config = composed(*SMALL, f"method={name}", "timestep.value=50", *own, *overrides)
    fit = optimal(config, [] if asked is None else asked)
    return FeatureSpaceMethod(config, Forgetful(), KINDS[name], fit, torch.device("cpu"))


@pytest.mark.usefixtures("without_extra")
@pytest.mark.parametrize("name", KINDS)
def test_a_planted_defect_is_found_where_it_lies(composed, name):
    method, test = method_of(composed, name), with_spots()
    method.fit(normals(), silent)
    scores = method.score(test, silent)
    assert scores.scores[:3].min() > scores.scores[3:].max()
    assert scores.anomaly_maps.shape == (6, 24, 24)
    for mapped in scores.anomaly_maps[:3]:
        row, column = divmod(int(mapped.argmax()), 24)
        assert 7 <= row <= 16 and 7 <= column <= 16
    alone = method.noise_maps(ImageSet(test.images[2:3], test.identities[2:3]), silent)
    assert torch.equal(alone[0], method.noise_maps(test, silent)[2])


@pytest.mark.usefixtures("without_extra")
def test_the_network_learns_crops_of_standardised_grids_under_the_images_names(composed):
    asked, normal = [], normals()
    method = method_of(composed, "invad_pretrained", "patch.flips=true", asked=asked)
    method.fit(normal, silent)
    (training,) = asked
    train = training["normal"].train
    assert train.images.shape == (40, 2, 16, 16)  # 12 positions, and half a crop on each side
    torch.testing.assert_close(train.images.mean(dim=0), torch.zeros(2, 16, 16), atol=1e-5, rtol=0)
    torch.testing.assert_close(train.images.std(dim=0), torch.ones(2, 16, 16))
    assert train.identities == normal.train.identities
    assert training["normal"].validation.identities == normal.validation.identities
    assert (training["patch"].size, training["patch"].flips) == (4, False)
    assert training["training"].max_steps == 500
    assert method.own_parameters(1) == parameter_count(training["network"])
    assert method.network_passes == 4


@pytest.mark.usefixtures("without_extra")
def test_held_out_and_test_images_do_not_move_the_standard(composed):
    grid = FeatureGrid(Halved(), torch.tensor([0, 1]), 2)
    grid.standardised_on(normals().train.images)
    mean, bright = grid.mean.clone(), grid(image_set(1, 7).images + 0.5)
    assert torch.equal(grid.mean, mean)
    assert bright[:, 0].mean() > 2  # in deviations of normal features


def test_a_grid_is_mirrored_beyond_its_border_and_freed_of_that_again():
    grid, image = FeatureGrid(Halved(), torch.tensor([0]), 2), image_set(1, 7).images
    wide, means = grid(image)[0, 0], locally_aware(Halved()(image))[0, 0]
    assert torch.equal(grid.inside(wide[None, None])[0, 0], means)
    assert torch.equal(wide[2:-2, 0], means[:, 2]) and torch.equal(wide[-1, 2:-2], means[-3])


@pytest.mark.usefixtures("without_extra")
def test_both_methods_ask_for_the_same_network_and_own_keys_do_not_train(composed):
    def inputs(name, *overrides):
        asked = []
        method_of(composed, name, *overrides, asked=asked).fit(normals(), silent)
        return {key: asked[0][key] for key in ("inputs", "training", "patch")}

    both = [inputs(name) for name in KINDS]
    assert both[0] == both[1] == inputs("osd_irf_pretrained", "method.residual_field.timestep=9")
    assert both[0] != inputs("osd_irf_pretrained", "method.feature_space.dimensions=1")
    first, other = (
        method_of(composed, "osd_irf_pretrained", f"method.residual_field.timestep={value}").map_inputs(normals())
        for value in (8, 9)
    )
    assert first != other


@pytest.mark.usefixtures("without_extra")
def test_the_grid_is_seen_in_one_pass_by_a_network_without_folds(composed):
    config = on_the_grid(composed(*SMALL, "method=invad_pretrained", "scoring.field=stitched"))
    assert (config.unet.kind, config.unet.fold, config.unet.channels) == ("compact", 1, [64, 64])
    assert (config.scoring.field, config.patch.size) == ("whole", 8)


@pytest.mark.usefixtures("without_extra")
def test_the_density_of_residuals_learns_nothing_of_the_margin(composed, monkeypatch):
    learnt = []
    fitted = LedoitWolf.fit
    monkeypatch.setattr(LedoitWolf, "fit", lambda model, vectors: learnt.append(vectors) or fitted(model, vectors))
    method = method_of(composed, "osd_irf_pretrained", "method.residual_field.fitting_positions=100000")
    method.fit(normals(), silent)
    assert len(learnt[0]) == 40 * 12 * 12


@pytest.mark.usefixtures("without_extra")
def test_the_map_depends_on_how_its_network_is_trained(composed):
    keys = [
        method_of(composed, "invad_pretrained", f"trainer.precision={precision}").map_inputs(normals())
        for precision in ("32-true", "bf16-mixed")
    ]
    assert keys[0] != keys[1]
