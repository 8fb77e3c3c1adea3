"""DiffusionAD: its equations by hand, its synthetic anomalies, its loss, and a segmentation network that learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from denoiser_builders import ORACLE, Oracle, oracle_normals, with_spots
from method_builders import answers, image_set
from trained import fitted_with

from radar.diffusion.schedule import NoiseSchedule, linear_betas
from radar.errors import ConfigError
from radar.methods.diffusion_ad import SegmentationObjective, norm_guided, segmentation_loss
from radar.methods.parts.denoising import DENOISER
from radar.methods.parts.synthetic_anomalies import plant
from radar.methods.registry import method_of
from radar.networks.segmentation import SegmentationNetwork
from radar.scoring.noise_draws import NoiseDraws
from radar.seeds import StepClock
from radar.training.module import TrainingModule

BETAS = linear_betas(1000, first=1e-4, last=0.02)
SCHEDULE = NoiseSchedule(BETAS)


def crops(count=32, side=16, seed=0):
    return image_set(count, seed, side=side).planes.whole


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("one_step", [True, False])
@pytest.mark.parametrize("far", [400, 1000])
def test_norm_guided_denoising_is_the_papers_equations(far, one_step):
    """x̂_b clipped; x̂_s = √ᾱ_s x̂_b + √(1−ᾱ_s) ε_s; ε̃ = ε_s − √(1−ᾱ_s)(x̂_s − x_s); x̂₀ from ε̃."""
    image = crops(2).numpy().astype(np.float64)
    noise = [np.random.default_rng(seed).standard_normal(image.shape) for seed in (0, 1)]
    bar = np.cumprod(1 - BETAS.numpy())

    def predict(noisy, level):
        return 0.3 * noisy + 0.01 * level

    s, b = bar[199], bar[far - 1]
    light, heavy = (np.sqrt(a) * image + np.sqrt(1 - a) * each for a, each in ((s, noise[0]), (b, noise[1])))
    rough = (heavy - np.sqrt(1 - b) * predict(heavy, far / 100)) / np.sqrt(b)
    rough = np.clip(rough, -1, 1)
    predicted = predict(light, 2.0)
    target = np.sqrt(s) * rough + np.sqrt(1 - s) * predicted
    guided = predicted - np.sqrt(1 - s) * (target - light)
    expected = np.clip((light - np.sqrt(1 - s) * guided) / np.sqrt(s), -1, 1)
    got = norm_guided(
        lambda noisy, step: predict(noisy, step / 100 if one_step else step.view(-1, 1, 1, 1) / 100),
        SCHEDULE,
        torch.from_numpy(image).float(),
        noise=tuple(torch.from_numpy(each).float() for each in noise),
        near=200 if one_step else torch.tensor([200, 200]),
        far=far if one_step else torch.tensor([far, far]),
    )
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-4)


def test_anomalies_change_their_mask_alone_and_as_many_crops_as_asked():
    clean = crops(400)
    changed, mask = plant(clean, 0.5, stream())
    assert torch.equal(changed[(mask == 0)], clean[mask == 0])
    assert (changed != clean)[mask == 1].float().mean() > 0.95
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    touched = mask.amax(dim=(1, 2, 3))
    assert 0.35 < touched.mean() < 0.55
    assert 0.05 < mask[touched == 1].mean() < 0.5
    assert changed.abs().max() <= 1


def test_anomalies_are_a_function_of_the_stream():
    assert torch.equal(plant(crops(), 0.5, stream(1))[0], plant(crops(), 0.5, stream(1))[0])
    assert not torch.equal(plant(crops(), 0.5, stream(1))[0], plant(crops(), 0.5, stream(2))[0])


def test_the_loss_by_hand():
    logit, truth = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
    focal = 0.5 * 0.5**4 * np.log(2)  # α · (1 − ½)⁴ · −log ½
    assert segmentation_loss(logit, truth).item() == pytest.approx(5 * focal + 0.125)
    assert segmentation_loss(torch.full_like(logit, 20), truth).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("side", [12, 24, 25])
def test_the_network_maps_every_size_to_itself(side):
    network = SegmentationNetwork(2, [4, 8])
    assert network(torch.zeros(3, 2, side, side)).shape == (3, 1, side, side)


def objective_of(config):
    return SegmentationObjective(Oracle(config), SCHEDULE, config.method.settings.segmentation)


def clock(**changes):
    values = {"seed": 0, "step": 0, "batch": 0, "rank": 0, "world_size": 1, "device": torch.device("cpu")}
    return StepClock(**(values | changes))


def test_the_denoiser_is_neither_trained_nor_stored(composed):
    config = composed(*ORACLE, "method=diffusion_ad")
    network = SegmentationNetwork(2, [8, 16])
    module = TrainingModule(network, objective_of(config), training=config.training, trainer=config.trainer, seed=0)
    assert len(module.state_dict()) == 2 * len(network.state_dict())  # the network and its average
    groups = module.configure_optimizers()["optimizer"].param_groups
    assert {id(each) for group in groups for each in group["params"]} == {id(each) for each in network.parameters()}


def test_every_step_and_process_sees_anomalies_of_its_own_and_every_validation_the_same(composed):
    objective, network = objective_of(composed(*ORACLE, "method=diffusion_ad")), SegmentationNetwork(2, [4])
    first = objective.training_loss(network, crops(), clock())
    assert first == objective.training_loss(network, crops(), clock(batch=5))
    assert (
        len({objective.training_loss(network, crops(), clock(**at)).item() for at in ({}, {"step": 1}, {"rank": 1})})
        == 3
    )
    losses = [objective.validation_losses(network, crops(), clock(step=step))["validation_loss"] for step in (0, 9)]
    assert losses[0] == losses[1]


def test_a_planted_defect_is_found_where_it_lies(composed):
    config = composed(*ORACLE, "method=diffusion_ad", "method.segmentation.channels=[8,16]")
    method = fitted_with(config, Oracle(config), oracle_normals(), steps=400)
    maps = method.read(answers(method, with_spots()))
    assert maps.points[:3].min() > maps.points[3:].max()
    for mapped in maps.anomaly[:3]:
        assert mapped[9:15, 9:15].mean() > 1.5 * mapped.mean()
    assert (maps.anomaly >= 0).all() and (maps.anomaly <= 1).all()
    assert (method.draws, method.network_passes) == (NoiseDraws(2), 3)


def test_its_own_network_is_a_training_of_its_own(composed):
    config, normal = composed(*ORACLE, "method=diffusion_ad"), oracle_normals()

    def own(**changes):
        settings = config.method.settings
        changed = replace(settings, segmentation=replace(settings.segmentation, **changes))
        return method_of(replace(config, method=replace(config.method, settings=changed))).trainings(normal)[1]

    assert own().parents == (DENOISER,)
    assert (own().training.max_steps, own(max_steps=7).training.max_steps) == (1000, 7)
    assert own(anomalous=0.4).inputs != own().inputs
    assert own(score_near=100).inputs == own().inputs


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("near=[9,3]", r"near=\[9, 3\]: needs a first and a last step between 1 and 1000"),
        ("far=[7]", r"far=\[7\]: needs a first"),
        ("score_far=1001", r"score_far=1001: must be ≤ diffusion\.timesteps=1000"),
        ("channels=[]", r"channels=\[\]: needs the width of"),
    ],
)
def test_broken_rules_are_one_line(composed, override, message):
    with pytest.raises(ConfigError, match=message):
        composed(*ORACLE, "method=diffusion_ad", f"method.segmentation.{override}")
