"""DDAD: its guidance, its two distances on one scale, and the fine-tuning of its features."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from denoiser_builders import ORACLE, Oracle, oracle_normals, with_spots
from method_builders import SMALL, answers, image_set, normals
from network_builders import untrained
from torch import nn
from trained import fitted_with

from radar.methods.ddad import FeatureDistillation, level_distance
from radar.methods.method import fill
from radar.methods.parts.denoising import DENOISER
from radar.methods.parts.feature_maps import UNetFeatures, feature_distance
from radar.methods.parts.reconstruction import squared_error
from radar.methods.registry import method_of
from radar.training.module import TrainingModule

SHORT = (
    *SMALL, "method=ddad", "method.reconstruction.steps=2", "method.reconstruction.calibration_images=2",
)  # fmt: skip
ADAPTED = (
    *SHORT, "method.reconstruction.adaptation.max_steps=60", "method.reconstruction.adaptation.pairs=6",
)  # fmt: skip


class Turned(nn.Module):
    """An image of one value → a direction of that angle, turned by `angle`."""

    def __init__(self, angle: float) -> None:
        super().__init__()
        self.angle = angle

    def forward(self, images):
        angle = images + self.angle
        return [torch.cat([angle.cos(), angle.sin()], dim=1)]


def reconstructed(method, planes, identities, *arguments):
    noise = method.draws.of(identities, tuple(planes.shape[1:]), 0)
    return method.reconstruct(planes, noise, *arguments)


def network_of(config):
    """One that knows nothing."""
    return untrained(config, 1)


def test_full_guidance_gives_the_image_back_more_than_none(composed):
    image, errors = with_spots().planes.whole[:1], []
    for weight in (0, 4):
        config = composed(*ORACLE, "method=ddad", "method.reconstruction.features=none",
                          f"method.reconstruction.guidance={weight}")  # fmt: skip
        method = fitted_with(config, Oracle(config), oracle_normals())
        response = answers(method, with_spots()[:1])
        errors.append((image - reconstructed(method, image, ["2/0"], image, weight)).abs().mean().item())
        torch.testing.assert_close(response, squared_error(image, reconstructed(method, image, ["2/0"], image, weight)))
    assert errors[1] < errors[0]


def test_both_distances_are_put_on_one_scale_by_training_normals(composed):
    config = composed(*SHORT, "method.reconstruction.pixel_weight=2")
    method = fitted_with(config, network_of(config), normals())
    images = normals().train[:2]
    pixel, feature = [], []
    with torch.inference_mode():
        for image, identity in zip(images.planes.whole.split(1), images.identities, strict=True):
            back = reconstructed(method, image, [identity], image, 4.0)
            pixel.append((image - back).abs())
            feature.append(feature_distance(UNetFeatures(method.denoiser.network), image, back))
    ratio = 2 * torch.cat(feature).max() / torch.cat(pixel).max()
    assert method.ratio.item() == pytest.approx(ratio.item(), rel=1e-6)
    torch.testing.assert_close(answers(method, images), ratio * torch.cat(pixel) + torch.cat(feature))


def test_scores_are_finite_with_a_network_that_knows_nothing(composed):
    config = composed(*SHORT)
    method = fitted_with(config, network_of(config), normals())
    assert answers(method, image_set(2, 4)).isfinite().all()


@pytest.mark.parametrize(("overrides", "adapts"), [(SHORT, False), (ADAPTED, True)])
def test_its_state_is_all_that_was_learnt_and_nothing_twice(composed, overrides, adapts):
    config = composed(*overrides, *(["method.reconstruction.adaptation.max_steps=3"] if adapts else []))
    method = fitted_with(config, network_of(config), normals())
    stored, test = method.state_dict(), image_set(2, 4)
    places = [value.data_ptr() for value in stored.values()]
    assert len(places) == len(set(places))
    assert any(name.startswith("features.") for name in stored) == adapts
    empty = method_of(config).empty(method.structure())
    assert not torch.equal(answers(empty.eval(), test), answers(method, test))
    fill(empty, stored)
    assert torch.equal(answers(empty.eval(), test), answers(method, test))


def test_the_adaptation_loss_by_hand():
    pair = torch.cat([torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), torch.pi / 3)], dim=1)
    objective, network = FeatureDistillation(Turned(0.0), 0.1), Turned(torch.pi / 2)
    losses = objective.validation_losses(network, pair, None)
    assert losses["validation_similarity"].item() == pytest.approx(0.5)  # 1 − cos 60°
    # both stand at a right angle to what they were
    assert losses["validation_loss"].item() == pytest.approx(0.5 + 0.1 * 2)
    assert objective.training_loss(network, pair, None) == losses["validation_loss"]


def test_levels_are_summed_and_positions_averaged():
    one, other = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1), torch.tensor([0.0, 1.0]).view(1, 2, 1, 1)
    half = torch.cat([one, other], dim=3)
    assert level_distance([one, half], [other, one.expand(1, 2, 1, 2)]).item() == pytest.approx(1.5)


def test_a_reconstruction_comes_near_its_normal_target_and_a_defect_stays_away(composed):
    config, fresh = composed(*ADAPTED), image_set(6, 9)
    network = network_of(config)
    method = fitted_with(config, network, normals())
    targets, spotted = fresh.planes.whole.roll(-1, dims=0), with_spots().planes.whole
    backs = reconstructed(method, fresh.planes.whole, fresh.identities, targets, 3.0)
    apart, defect = [], []
    with torch.inference_mode():
        for features in (UNetFeatures(network), method.features):
            apart.append(feature_distance(features, backs, targets).mean().item())
            defect.append(feature_distance(features, spotted[:3], spotted[3:])[..., 9:15, 9:15].mean().item())
    assert apart[1] < 0.7 * apart[0]
    assert defect[1] / apart[1] > defect[0] / apart[0]


def test_pairs_are_training_normals_towards_another_one(composed):
    normal, config = normals(), composed(*ADAPTED)
    _, adaptation = method_of(config).trainings(normal)
    pairs = adaptation.material({DENOISER: network_of(config)})
    assert (pairs.train.whole.shape, pairs.validation.whole.shape) == ((6, 2, 24, 24), (2, 2, 24, 24))
    back, target = pairs.train.whole.chunk(2, dim=1)
    assert torch.equal(target, normal.train.planes.whole[[1, 2, 3, 4, 5, 0]])
    method = fitted_with(composed(*SHORT), network_of(config), normal)
    for place in (0, 5):
        image, identity = normal.train.planes.whole[place : place + 1], normal.train.identities[place]
        expected = reconstructed(method, image, [identity], target[place : place + 1], 3.0)
        assert torch.equal(back[place : place + 1], expected)
    assert (adaptation.patch.size, adaptation.training.batch_size, adaptation.training.max_steps) == (24, 4, 60)
    assert adaptation.parents == (DENOISER,)


def test_the_network_of_the_reconstruction_is_not_fine_tuned_with_its_copy(composed):
    config = composed(*ADAPTED, "method.reconstruction.adaptation.max_steps=3")
    network = network_of(config)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fitted_with(config, network, normals())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_features_train_in_the_mode_in_which_they_score(composed):
    features, config = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)), composed(*SHORT)
    objective = FeatureDistillation(nn.Conv2d(1, 1, 1), 0.1)
    module = TrainingModule(features, objective, training=config.training, trainer=config.trainer, seed=0)
    module.train()
    assert module.training and not features.training and not features[1].training
    assert len(module.state_dict()) == 2 * len(features.state_dict())  # the network and its average


def test_weights_of_the_adaptation_depend_on_what_makes_its_pairs(composed):
    config, normal = composed(*ADAPTED), normals()

    def inputs(config, **changes):
        settings = config.method.settings
        keys = {key: value for key, value in changes.items() if hasattr(settings.reconstruction, key)}
        of_adaptation = {key: value for key, value in changes.items() if key not in keys}
        adaptation = replace(settings.reconstruction.adaptation, **of_adaptation)
        section = replace(settings.reconstruction, **keys, adaptation=adaptation)
        method = replace(config.method, settings=replace(settings, reconstruction=section))
        return method_of(replace(config, method=method)).trainings(normal)[1].inputs

    plain = inputs(config)
    for key, value in {"steps": 1, "eta": 0.5, "start": 200, "pairs": 5, "distillation": 0.2}.items():
        assert inputs(config, **{key: value}) != plain
    for key, value in {"guidance": 2, "pixel_weight": 3, "calibration_images": 1}.items():
        assert inputs(config, **{key: value}) == plain
    assert inputs(replace(config, scoring=replace(config.scoring, field="whole"))) != plain
