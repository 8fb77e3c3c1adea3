"""DDAD's fine-tuning: its loss by hand, what it brings together and what it keeps apart, and its place in the method."""

from __future__ import annotations

import pytest
import torch
from denoiser_builders import with_spots
from method_builders import SMALL, image_set, normals
from network_builders import random_unet, trainer_config, training_config
from radar.methods.adaptation import AdaptationObjective, adaptation_loss, level_distance
from radar.methods.feature_maps import UNetFeatures, feature_distance
from radar.methods.interface import Forgetful
from radar.methods.reconstruction import ReconstructionMethod
from torch import nn

from radar.networks.build import build_unet
from radar.networks.cost import parameter_count
from radar.progress import silent
from radar.training.ema import ExponentialAverage
from radar.training.module import TrainingModule

ADAPTED = (
    "method=ddad", "method.reconstruction.steps=2", "method.reconstruction.calibration_images=2",
    "method.reconstruction.adaptation.max_steps=60", "method.reconstruction.adaptation.pairs=6",
    "method.reconstruction.adaptation.learning_rate=3e-3",
)  # fmt: skip


class Turned(nn.Module):
    """An image of one value → a direction of that angle, turned by `angle`."""

    def __init__(self, angle: float) -> None:
        super().__init__()
        self.angle = angle

    def forward(self, images):
        angle = images + self.angle
        return [torch.cat([angle.cos(), angle.sin()], dim=1)]


def test_the_loss_by_hand():
    pair = torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), torch.pi / 3)
    total, similarity = adaptation_loss(Turned(torch.pi / 2), Turned(0.0), pair, 0.1)
    assert similarity.item() == pytest.approx(0.5)  # 1 − cos 60°
    assert total.item() == pytest.approx(0.5 + 0.1 * 2)  # both stand at a right angle to what they were


def test_levels_are_summed_and_positions_averaged():
    one, other = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1), torch.tensor([0.0, 1.0]).view(1, 2, 1, 1)
    half = torch.cat([one, other], dim=3)
    assert level_distance([one, half], [other, one.expand(1, 2, 1, 2)]).item() == pytest.approx(1.5)


def quickly(trained):
    """A `Fit` that trains without Lightning."""

    def fit(network, objective, *, inputs, training, patch, normal, report):
        optimizer = torch.optim.AdamW(network.parameters(), lr=training.learning_rate)
        average = ExponentialAverage(network, decay=0.9)
        for step in range(1, training.max_steps + 1):
            start = step * training.batch_size % len(normal.train.images)
            optimizer.zero_grad()
            objective.training_loss(network, normal.train.images[start : start + training.batch_size], None).backward()
            optimizer.step()
            average.update(step)
        trained.append({"normal": normal, "training": training, "patch": patch, "inputs": inputs})
        return average.average.eval()

    return fit


def test_a_reconstruction_comes_near_its_normal_target_and_a_defect_stays_away(composed):
    trained, normal, network = [], normals(), random_unet()
    config = composed(*SMALL, *ADAPTED)
    method = ReconstructionMethod(config, Forgetful(), lambda *_: network, {}, quickly(trained))
    denoiser = method.denoiser(normal, silent)
    adapted, frozen = method._features(denoiser, normal, silent), UNetFeatures(network)
    fresh, spotted = method._pairs(denoiser, image_set(6, 9)).images, with_spots().images
    apart, defect = [], []
    with torch.inference_mode():
        for features in (frozen, adapted):
            apart.append(feature_distance(features, *fresh.chunk(2, dim=1)).mean().item())
            defect.append(feature_distance(features, spotted[:3], spotted[3:])[..., 9:15, 9:15].mean().item())
    assert apart[1] < 0.7 * apart[0]
    assert defect[1] / apart[1] > defect[0] / apart[0]


def test_pairs_are_training_normals_towards_another_one(composed):
    trained, normal = [], normals()
    config = composed(*SMALL, *ADAPTED)
    method = ReconstructionMethod(config, Forgetful(), lambda *_: random_unet(), {}, quickly(trained))
    method.fit(normal, silent)
    (told,) = trained
    pairs = told["normal"].train
    assert pairs.images.shape == (6, 2, 24, 24)
    assert list(pairs.identities) == list(normal.train.identities[:6])
    back, target = pairs.images.chunk(2, dim=1)
    assert torch.equal(target, normal.train.images[[1, 2, 3, 4, 5, 0]])
    assert (back - target).abs().mean() > 0.01
    assert (told["patch"].size, told["training"].batch_size, told["training"].max_steps) == (24, 4, 60)
    assert method.own_parameters(1) == parameter_count(build_unet(config.unet, patch_size=12, image_channels=1, seed=0))


def test_the_network_of_the_reconstruction_is_not_fine_tuned_with_its_copy(composed):
    network, config = random_unet(), composed(*SMALL, *ADAPTED)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    method = ReconstructionMethod(config, Forgetful(), lambda *_: network, {}, quickly([]))
    method.fit(normals(), silent)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_the_features_stay_in_the_mode_in_which_they_score():
    features = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    objective = AdaptationObjective(nn.Identity(), distillation=0.1)
    module = TrainingModule(features, objective, training=training_config(), trainer=trainer_config(), seed=0)
    module.train()
    assert module.training and not features.training and not features[1].training


def test_without_steps_or_features_nothing_depends_on_the_adaptation(composed):
    def inputs(*overrides):
        config = composed(*SMALL, *overrides)
        return ReconstructionMethod(config, Forgetful(), None, {}, None).map_inputs(normals())

    changed = "method.reconstruction.adaptation.pairs=7"
    steps = "method.reconstruction.adaptation.max_steps=60"
    assert inputs("method=ddad") == inputs("method=ddad", changed)
    assert inputs("method=ddpm", steps) == inputs("method=ddpm", steps, changed)
    assert inputs("method=ddad", steps) != inputs("method=ddad", steps, changed)
