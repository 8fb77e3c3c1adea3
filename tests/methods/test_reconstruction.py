"""Reconstruction with an optimal denoiser: what it must remove, keep, and not depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from denoiser_builders import ORACLE, SPREAD, Oracle, oracle_normals, oracle_train, with_spots
from method_builders import SMALL, image_set, normals
from network_builders import random_unet
from radar.methods.denoiser import Denoiser
from radar.methods.feature_maps import UNetFeatures, feature_distance
from radar.methods.interface import Forgetful, ImageSet
from radar.methods.reconstruction import ReconstructionMethod, absolute_error, squared_error

from radar.diffusion.sampling import reverse
from radar.progress import silent

STEPS = ("method.reconstruction.start=250", "method.reconstruction.steps=10")


def no_training(*_, **__):
    raise AssertionError("nothing is to be trained")


def method_of(composed, name, *overrides):
    config = composed(*ORACLE, f"method={name}", *STEPS, *overrides)
    return ReconstructionMethod(config, Forgetful(), oracle_train(config), {}, no_training)


def test_errors_by_hand():
    image, back = torch.tensor([[[[1.0]], [[0.0]]]]), torch.tensor([[[[0.0]], [[2.0]]]])
    assert squared_error(image, back).item() == 2.5
    assert absolute_error(image, back).item() == 1.5


def test_the_feature_distance_is_the_cosines(composed):
    class Rays:
        """Directions 0° and 0° of the first image, 45° and 0° of the second."""

        stride = 1

        def __call__(self, images):
            first = torch.tensor([1.0, images.mean().item()])
            return [first.view(1, 2, 1, 1), torch.ones(1, 2, 1, 1)]

    distance = feature_distance(Rays(), torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4))
    torch.testing.assert_close(distance, torch.full((1, 1, 4, 4), 1 - 0.5**0.5))


@pytest.mark.parametrize("kind", ["ddpm", "compact"])
@pytest.mark.parametrize("side", [48, 51, 53])
def test_a_defect_at_the_far_border_is_far_in_features_there(kind, side):
    """Maps of a side that their stride, 8 px, does not divide reach beyond the image, and are not to be squeezed into it."""
    network = random_unet(kind=kind, channels=[8, 8, 8, 8], attention_levels=[])
    features = UNetFeatures(network)
    image = image_set(1, 5, side=side).images
    defect = image.clone()
    defect[..., side - 6 :, side - 6 :] = 0.95
    continued = [
        torch.from_numpy(np.pad(each, [(0, 0), (0, 0), (0, -side % 8), (0, -side % 8)], "edge"))
        for each in (image, defect)
    ]
    with torch.inference_mode():
        distance = feature_distance(features, image, defect)[0, 0]
        expected = feature_distance(features, *continued)[0, 0, :side, :side]
    torch.testing.assert_close(distance, expected)
    assert min(divmod(int(distance.argmax()), side)) >= side - 8


@pytest.mark.parametrize("name", ["ddpm", "anoddpm"])
def test_a_planted_defect_is_found_where_it_lies(composed, name):
    method, test = method_of(composed, name), with_spots()
    method.fit(oracle_normals(), silent)
    scores = method.score(test, silent)
    assert scores.scores[:3].min() > scores.scores[3:].max()
    assert scores.decisions[:3].all()
    for mapped in scores.anomaly_maps[:3]:
        row, column = divmod(int(mapped.argmax()), 24)
        assert 8 <= row <= 15 and 8 <= column <= 15


def test_the_reconstruction_is_the_samplers_own(composed):
    method, image = method_of(composed, "ddpm", "method.reconstruction.eta=0"), image_set(1, 3)
    denoiser = Denoiser(Oracle(method.config), method.config)
    noise = denoiser.draw(image.images, "a", 0)
    noisy = denoiser.schedule(image.images, noise, torch.tensor([250]))
    expected = reverse(
        noisy, denoiser.predict, lambda _: noise, schedule=denoiser.schedule, start=250, steps=10, eta=0
    ).clamp(-1, 1)
    torch.testing.assert_close(method.reconstruct(denoiser, image.images, "a"), expected)


def test_ancestral_reconstructions_have_the_spread_of_normals(composed):
    method = method_of(composed, "ddpm", "method.reconstruction.start=999", "method.reconstruction.steps=999")
    denoiser = Denoiser(Oracle(method.config), method.config)
    backs = [method.reconstruct(denoiser, torch.zeros(1, 1, 24, 24), str(index)) for index in range(4)]
    assert torch.cat(backs).std().item() == pytest.approx(SPREAD, rel=0.08)


def test_full_guidance_of_ddad_gives_the_image_back_more_than_none(composed):
    image = with_spots().images[:1]
    errors = []
    for weight in (0, 4):
        method = method_of(
            composed, "ddad", f"method.reconstruction.guidance={weight}", "method.reconstruction.features=none"
        )
        back = method.reconstruct(Denoiser(Oracle(method.config), method.config), image, "a")
        errors.append((image - back).abs().mean().item())
    assert errors[1] < errors[0]


def real_ddad(composed, *overrides):
    config = composed(
        *SMALL, "method=ddad", "method.reconstruction.steps=2", "method.reconstruction.calibration_images=2", *overrides
    )
    return ReconstructionMethod(config, Forgetful(), lambda *_: random_unet(), {}, no_training)


def test_ddads_map_does_not_depend_on_the_batch(composed):
    """Its authors' code scales the map by the maximum of the batch (PEERS: pain 11)."""
    method, test = real_ddad(composed), with_spots(4)
    method.fit(normals(), silent)
    together = method.noise_maps(test, silent)
    alone = method.noise_maps(ImageSet(test.images[3:], test.identities[3:]), silent)
    assert torch.equal(alone[0], together[3])


def test_ddad_puts_both_distances_on_one_scale_by_held_out_normals(composed):
    method, normal = real_ddad(composed, "method.reconstruction.pixel_weight=2"), normals()
    denoiser = method.denoiser(normal, silent)
    features = UNetFeatures(denoiser.network)
    images, identities = normal.validation.images[:2], list(normal.validation.identities[:2])
    pixel, feature = [], []
    with torch.inference_mode():
        for index, identity in enumerate(identities):
            image = images[index : index + 1]
            back = method.reconstruct(denoiser, image, identity)
            pixel.append(absolute_error(image, back).max().item())
            feature.append(feature_distance(features, image, back).max().item())
    assert method._ratio(denoiser, features, ImageSet(images, identities)) == pytest.approx(
        2 * max(feature) / max(pixel)
    )


@pytest.mark.parametrize("kind", ["ddpm", "compact"])
def test_unet_features_are_one_map_per_level_and_equal_for_equal_images(kind):
    network = random_unet(kind=kind)
    features = UNetFeatures(network)
    image = image_set(1, 5).images
    with torch.inference_mode():
        maps, distance = features(image), feature_distance(features, image, image)
    assert [len(each.shape) for each in maps] == [4, 4]
    assert distance.max() < 1e-5
    assert not any(module._forward_hooks for module in network.modules())


def test_simplex_noise_is_the_networks_own_and_an_images_own(composed):
    method = method_of(composed, "anoddpm")
    denoiser = Denoiser(Oracle(method.config), method.config)
    image = torch.zeros(1, 1, 24, 24)
    first = denoiser.draw(image, "a", 0)
    assert torch.equal(first, denoiser.draw(image, "a", 0))
    assert not torch.equal(first, denoiser.draw(image, "b", 0))
    assert first.diff(dim=3).std() < 0.8 * first.std()  # white noise: √2 times


def test_what_it_depends_on_is_named(composed):
    normal = oracle_normals()
    plain = method_of(composed, "ddpm").map_inputs(normal)
    for changed in (
        "method.reconstruction.eta=0.5",
        "method.reconstruction.steps=5",
        "seed=1",
        "scoring.field=stitched",
    ):
        assert method_of(composed, "ddpm", changed).map_inputs(normal) != plain
    assert "calibrated_on" not in plain
    assert method_of(composed, "ddad").map_inputs(normal)["calibrated_on"] == list(normal.train.identities[:8])
    assert method_of(composed, "ddpm").network_passes == 10
    assert method_of(composed, "ddad").network_passes == 12


def test_scores_are_finite_with_a_network_that_knows_nothing(composed):
    method = real_ddad(composed)
    method.fit(normals(), silent)
    assert np.isfinite(method.score(image_set(2, 4), silent).scores).all()


def test_pretrained_weights_are_counted(composed, monkeypatch):
    monkeypatch.setattr("radar.compose.method_rules.find_spec", lambda name: True)
    monkeypatch.setattr("radar.methods.reconstruction.pretrained_maps", lambda: torch.nn.Linear(3, 4))
    assert method_of(composed, "ddad_pretrained").own_parameters(1) == 16
    assert method_of(composed, "ddad").own_parameters(1) == 0


def test_the_schedule_is_built_once(composed, monkeypatch):
    config, built = composed(*ORACLE, "method=ddpm"), []
    denoiser = Denoiser(Oracle(config), config)
    monkeypatch.setattr("radar.methods.radar.build_schedule", built.append)
    monkeypatch.setattr("radar.methods.denoiser.build_schedule", built.append)
    for timestep in (1, 2, 3):
        mapper = denoiser._mapper(timestep)
        assert (mapper.timestep, mapper.schedule) == (timestep, denoiser.schedule)
    assert not built
