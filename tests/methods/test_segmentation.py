"""DiffusionAD: its equations by hand, its synthetic anomalies, its loss, and a segmentation network that learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from denoiser_builders import ORACLE, Oracle, oracle_normals, oracle_train, with_spots
from method_builders import image_set
from network_builders import trainer_config, training_config
from radar.methods.interface import Forgetful
from radar.methods.segmentation import (
    SegmentationMethod,
    SegmentationNetwork,
    SegmentationObjective,
    norm_guided,
    segmentation_loss,
)
from radar.methods.synthetic_anomalies import plant

from radar.diffusion.schedule import NoiseSchedule, linear_betas
from radar.progress import silent
from radar.training.ema import ExponentialAverage
from radar.training.module import TrainingModule

BETAS = linear_betas(1000, first=1e-4, last=0.02)
SCHEDULE = NoiseSchedule(BETAS)


def crops(count=32, side=16, seed=0):
    return image_set(count, seed, side=side).images


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("far", [400, 1000])
def test_norm_guided_denoising_is_the_papers_equations(far):
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
        lambda noisy, step: predict(noisy, step.view(-1, 1, 1, 1) / 100),
        SCHEDULE,
        torch.from_numpy(image).float(),
        noise=tuple(torch.from_numpy(each).float() for each in noise),
        near=torch.tensor([200, 200]),
        far=torch.tensor([far, far]),
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
    focal = 0.25 * np.log(2)  # (1 − ½)² · −log ½
    assert segmentation_loss(logit, truth).item() == pytest.approx(5 * focal + 0.125)
    assert segmentation_loss(torch.full_like(logit, 20), truth).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("side", [12, 24, 25])
def test_the_network_maps_every_size_to_itself(side):
    network = SegmentationNetwork(2, [4, 8])
    assert network(torch.zeros(3, 2, side, side)).shape == (3, 1, side, side)


def test_the_denoiser_is_neither_trained_nor_stored(composed):
    config = composed(*ORACLE, "method=diffusion_ad")
    objective = SegmentationObjective(config.method.segmentation, schedule=SCHEDULE, denoiser=Oracle(config))
    module = TrainingModule(
        SegmentationNetwork(2, [4, 8]), objective, training=training_config(), trainer=trainer_config(), seed=0
    )
    assert not [name for name in module.state_dict() if not name.startswith(("network.", "average."))]
    assert {id(weight) for weight in module.parameters() if weight.requires_grad} == {
        id(weight) for weight in module.network.parameters()
    }


def learnt(steps):
    """A `Fit` that trains without Lightning, quickly."""

    def fit(network, objective, *, inputs, training, patch, normal, report):
        optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
        average = ExponentialAverage(network, decay=0.9)
        for step in range(1, steps + 1):
            windows = normal.train.images.unfold(2, 12, 12).unfold(3, 12, 12).flatten(2, 3).flatten(0, 2)[:, None]
            pair, mask = objective.pair(windows, stream(step))
            optimizer.zero_grad()
            segmentation_loss(network(pair), mask).backward()
            optimizer.step()
            average.update(step)
        return average.average.eval()

    return fit


def test_a_planted_defect_is_found_where_it_lies(composed):
    config = composed(*ORACLE, "method=diffusion_ad", "method.segmentation.channels=[8,16]")
    method = SegmentationMethod(config, Forgetful(), oracle_train(config), {}, learnt(200))
    method.fit(oracle_normals(), silent)
    scores = method.score(with_spots(), silent)
    assert scores.scores[:3].min() > scores.scores[3:].max()
    for mapped in scores.anomaly_maps[:3]:
        assert mapped[9:15, 9:15].mean() > 1.5 * mapped.mean()
    assert (scores.anomaly_maps >= 0).all() and (scores.anomaly_maps <= 1).all()
    assert method.own_parameters(1) == sum(each.numel() for each in SegmentationNetwork(2, [8, 16]).parameters())
