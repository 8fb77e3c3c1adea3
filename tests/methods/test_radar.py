"""RADAR: its noise map by hand, its density fitted to training normals alone, and a planted defect from end to end."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from method_builders import SMALL, answers, image_set, images_of, normals
from network_builders import random_unet

from radar.methods.parts.blurring import blurred
from radar.methods.parts.denoising import DENOISER
from radar.methods.registry import method_of
from radar.progress import silent
from radar.scoring.detector import fit_detector

ALPHA_BAR = 1 - 1e-4  # at t = 1
K = 0.3
DENSITY = (
    "scoring=density",
    "scoring.field=stitched",
    "scoring.density.timesteps=[3,30]",
    "scoring.density.blurs=[0,1]",
)


class Scaled(torch.nn.Module):
    """Predicts k·x."""

    def __init__(self, k: float = K) -> None:
        super().__init__()
        self.k = torch.nn.Parameter(torch.tensor(k))

    def forward(self, x: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        return self.k * x


def fitted(config, network=None, normal=None):
    return method_of(config).fit(normal or normals(), {DENOISER: network or Scaled()}, silent)


def test_without_draws_the_scaled_image_is_asked_and_the_seed_does_not_matter(composed):
    method, test = fitted(composed(*SMALL, "scoring.draws=0", "timestep.value=1")), image_set(3, 2)
    torch.testing.assert_close(answers(method, test), K * math.sqrt(ALPHA_BAR) * test.planes.whole)
    assert torch.equal(answers(method, test, seed=9), answers(method, test))


@pytest.mark.parametrize("field", ["whole", "stitched"])
@pytest.mark.parametrize("kind", ["prediction", "residual"])
def test_draws_are_averaged(composed, field, kind):
    own = (
        "scoring.draws=2",
        f"scoring.map={kind}",
        f"scoring.field={field}",
        "timestep.value=1",
        "scoring.micro_batch=5",
    )
    method, test = fitted(composed(*SMALL, *own)), image_set(3, 2)
    noise = method.draws.of(test.identities, (1, 24, 24), 4)
    assert method.draws.count == noise.shape[1] == method.network_passes == 2
    singles = [
        K * (math.sqrt(ALPHA_BAR) * test.planes.whole + math.sqrt(1 - ALPHA_BAR) * draw)
        - (draw if kind == "residual" else 0)
        for draw in noise.unbind(dim=1)
    ]
    response = answers(method, test, seed=4)
    torch.testing.assert_close(response, torch.stack(singles).mean(dim=0), atol=2e-6, rtol=1e-5)
    assert method.predicts_noise
    assert method.read(response).noise is response


def test_values_come_from_the_config(composed):
    config = composed(*SMALL, "timestep.value=7", "patch.size=16", "diffusion=cosine", "scoring.draws=0")
    method, unet, test = (
        fitted(config, random_unet(patch_size=16)),
        random_unet(patch_size=16),
        image_set(1, 2, side=16),
    )
    signal = method.denoiser.schedule.signal[6]
    assert method.denoiser.schedule.noise[0].item() == pytest.approx(0.0064, abs=5e-5)
    with torch.inference_mode():
        expected = unet(signal * test.planes.whole, torch.tensor([7]))
    torch.testing.assert_close(answers(method, test), expected, atol=1e-5, rtol=1e-5)


def test_networks_see_the_brightness_alone(composed):
    names = ("luma", "red_green", "yellow_blue")
    normal, test = image_set(3, 0, channels=3), image_set(2, 2, channels=3)
    method = fitted(
        composed(*SMALL, "dataset.image.channels=luma_chroma"),
        normal=type(normals())(*(images_of(normal.planes.whole, "a", plane_names=names),) * 2),
    )
    assert method.structure() == {"channels": 1}
    grey = images_of(test.planes.whole[:, :1], "b")
    assert torch.equal(answers(method, images_of(test.planes.whole, "b", plane_names=names)), answers(method, grey))


def test_a_density_is_that_of_the_training_normals_fields(composed):
    config, normal, test = composed(*SMALL, *DENSITY), normals(), image_set(2, 2)
    unet = random_unet(patch_size=12)
    method = fitted(config, unet, normal)
    assert (method.network_passes, method.predicts_noise) == (2, False)
    with torch.inference_mode():
        field = method.field(test.planes.whole, None)
        by_hand = [method.denoiser(method.denoiser.scaled(test.planes.whole, t), t) for t in (3, 30)]
        pixels = torch.cat([method.field(image[None], None) for image in normal.train.planes.whole])
    torch.testing.assert_close(field, torch.cat([*by_hand, *(blurred(each, 1.0) for each in by_hand)], dim=1))
    vectors = pixels.permute(1, 0, 2, 3).flatten(1).double().numpy()
    covariance = np.cov(vectors, bias=True)
    covariance += config.scoring.density.ridge * covariance.diagonal().mean() * np.eye(4)
    deviation = field.permute(1, 0, 2, 3).flatten(1).double().numpy() - vectors.mean(axis=1, keepdims=True)
    squared = (deviation * np.linalg.solve(covariance, deviation)).sum(axis=0) / 4
    np.testing.assert_allclose(answers(method, test).square().flatten(), squared, rtol=2e-3)
    assert method.read(answers(method, test)).noise is None


def test_a_planted_patch_is_the_least_likely_place(composed):
    method, test = fitted(composed(*SMALL, *DENSITY), random_unet(patch_size=12)), image_set(1, 9)
    test.planes.whole[..., 5:9, 6:10] += 1.5
    row, column = divmod(answers(method, test).argmax().item(), 24)
    assert 3 <= row <= 10 and 4 <= column <= 11


def test_a_planted_defect_scores_highest_end_to_end(composed):
    """Of the network x on the scaled image alone, a bright square stands out by its known norm."""
    own = (
        "scoring.edge=none",
        "scoring.blur.kernel=1",
        "scoring.window=4",
        "scoring.draws=0",
        "scoring.smoothing=0",
        "timestep.value=1",
    )
    config = composed(*SMALL, *own, "detector=upper_tail")
    normal, test = image_set(20, 0, scale=0.05), image_set(3, 2, scale=0.05)
    test.planes.whole[1, 0, 5:9, 7:11] = 0.8
    method = fitted(config, Scaled(1.0))
    points = method.read(answers(method, normal)).points.numpy()
    detector, threshold = fit_detector(
        points, points, config=config.detector, contamination=config.contamination, seed=config.seed
    )
    maps = method.read(answers(method, test))
    assert (detector.score(maps.points.numpy()) > threshold).tolist() == [False, True, False]
    assert maps.points[1, 1].item() == pytest.approx(4 * 0.8 * math.sqrt(ALPHA_BAR), rel=1e-5)
    assert maps.anomaly[1, 5:9, 7:11].min() > 0.7
