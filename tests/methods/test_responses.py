"""Asking about many images: one image's answer is the same bits whatever is asked beside it, in which order, on how many threads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from method_builders import SMALL, image_set, images_of, normals
from network_builders import random_unet

from radar.errors import RunError
from radar.methods.parts.denoising import DENOISER
from radar.methods.registry import method_of
from radar.methods.responses import read, responses
from radar.progress import silent

COUNT = 5
SCORINGS = {
    "paper": ("scoring.field=stitched", "scoring.draws=1", "scoring.edge=sobel", "scoring.micro_batch=5"),
    "recommended": ("scoring.field=stitched", "scoring.draws=0", "scoring.edge=none", "scoring.smoothing=2.0"),
    "whole": ("scoring.field=whole", "scoring.draws=2", "scoring.edge=sobel"),
    "large": ("dataset.image.size=40", "patch.size=33", "scoring.stride=16", "scoring.micro_batch=3"),
}  # of large windows GroupNorm splits one map among threads
_SIDES = {"large": (40, 33)}


@pytest.fixture(params=[1, 3], ids=["one-thread", "three-threads"])
def _threads(request) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("scoring", SCORINGS)
def test_bits_do_not_depend_on_batch_or_order(composed, scoring):
    side, patch = _SIDES.get(scoring, (24, 12))
    method = method_of(composed(*SMALL, "timestep.value=10", *SCORINGS[scoring]))
    fitted, images = (
        method.fit(normals(), {DENOISER: random_unet(patch_size=patch)}, silent),
        image_set(COUNT, 3, side=side),
    )

    def ask(some) -> list[torch.Tensor]:
        response = responses(fitted, some.planes, some.identities, seed=1, images_per_pass=1, report=silent)
        maps = read(fitted, response, images_per_pass=1)
        return [response.whole, torch.stack(maps.anomaly), maps.points]

    together = ask(images)
    assert together[0].std() > 0.05 and len(together[2][:, 1].unique()) == COUNT
    for size in (1, 3):
        parts = [ask(images[start : start + size]) for start in range(0, COUNT, size)]
        assert all(torch.equal(torch.cat(each), whole) for each, whole in zip(zip(*parts), together, strict=True))  # noqa: B905
    order = [4, 0, 2, 1, 3]
    assert all(torch.equal(each, whole[order]) for each, whole in zip(ask(images[order]), together, strict=True))


class Recorder(torch.nn.Module):
    """Answers with the image and remembers what it was asked."""

    def __init__(self, fitted, fold: int | None = None, asked: list | None = None) -> None:
        super().__init__()
        self.draws, self.noise_shape = fitted.draws, fitted.noise_shape
        self.folds, self.device = {"2/0": 0, "2/1": 1, "2/2": 0}, torch.device("cpu")
        self.fold, self.asked = fold, [] if asked is None else asked

    def without(self, fold: int) -> Recorder:
        return Recorder(self, fold, self.asked)

    def respond(self, images, noise):
        self.asked.append((len(images), self.fold, None if noise is None else tuple(noise.shape)))
        return images


@pytest.fixture
def recorder(composed) -> Recorder:
    return Recorder(method_of(composed(*SMALL, "scoring.draws=2")).fit(normals(), {DENOISER: random_unet()}, silent))


def test_images_share_passes_as_asked_each_with_its_own_noise(recorder):
    images = image_set(5, 3)
    found = responses(recorder, images.planes, images.identities, seed=0, images_per_pass=2, report=silent)
    assert torch.equal(found.whole, images.planes.whole)
    assert recorder.asked == [(count, None, (count, 2, 1, 24, 24)) for count in (2, 2, 1)]


@pytest.mark.parametrize("part", [np.s_[:-1], np.s_[:, :, :1, :1], np.s_[:, :, :, :-1], np.s_[:, 0]], ids=str)
def test_responses_that_are_not_of_each_image_are_refused(recorder, monkeypatch, part):
    monkeypatch.setattr(recorder, "respond", lambda images, noise: images[part])
    images = image_set(5, 3)
    with pytest.raises(RunError, match=r"^Recorder\.respond: gave .* it gives \(B, R, H, W\)$"):
        responses(recorder, images.planes, images.identities, seed=0, images_per_pass=2, report=silent)


def test_a_fitted_normal_is_answered_by_what_was_fitted_without_it(recorder):
    images = images_of(image_set(3, 3).planes.whole, "2")
    for held_out, folds in ((True, [0, 1, 0]), (False, [None])):
        recorder.asked.clear()
        responses(
            recorder, images.planes, images.identities, seed=0, images_per_pass=3, report=silent, held_out=held_out
        )
        assert [fold for _, fold, _ in recorder.asked] == folds


def test_progress_is_told_now_and_then(recorder):
    images, told = image_set(70, 3), []
    responses(
        recorder, images.planes, images.identities, seed=0, images_per_pass=1, report=lambda *each: told.append(each)
    )
    assert told == [(done, 70, "Scoring") for done in (0, 32, 64, 70)]
