"""Memory that runs out: in scoring half as much shares a pass, to equal scores; in training one line names what to lower."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from method_builders import SMALL, image_set, normals
from network_builders import random_unet

from radar.config.schema import Config
from radar.errors import ConfigError, RunError
from radar.memory import available, is_out_of_memory, require
from radar.methods.method import FittedMethod
from radar.methods.parts.denoising import DENOISER
from radar.methods.parts.sharing import in_passes
from radar.methods.registry import method_of
from radar.methods.responses import read, responses
from radar.progress import silent
from radar.rasters import Rasters
from radar.scoring.denoiser import Denoiser

IMAGES = 5
OUT_OF_MEMORY = (
    torch.OutOfMemoryError("CUDA out of memory"),
    MemoryError(),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 24000000004 bytes"),
)


def fitted(composed: Callable[..., Config]) -> FittedMethod:
    method = method_of(composed(*SMALL, "scoring=paper", "scoring.field=stitched"))
    return method.fit(normals(), {DENOISER: random_unet(patch_size=12)}, silent)


def short_of_memory(denoiser: Denoiser, most: int) -> Callable[..., torch.Tensor]:
    """A network that has no room for more than `most` windows at once."""
    network = denoiser.network.forward

    def forward(windows: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        if len(windows) > most:
            raise torch.OutOfMemoryError("planted")
        return network(windows, steps)

    return forward


@pytest.mark.parametrize("most", [1, 3, 40])
def test_scoring_halves_what_shares_a_pass_and_says_so(
    composed: Callable[..., Config], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    method, images = fitted(composed), image_set(IMAGES, 3)

    def scored() -> tuple[torch.Tensor, torch.Tensor]:
        response = responses(method, images.planes, images.identities, seed=0, images_per_pass=4, report=silent)
        maps = read(method, response, images_per_pass=4)
        return torch.stack(maps.anomaly), maps.points

    expected = scored()
    (denoiser,) = (module for module in method.modules() if isinstance(module, Denoiser))
    monkeypatch.setattr(denoiser.network, "forward", short_of_memory(denoiser, most))
    found = scored()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert ("out of memory while scoring: scoring." in capsys.readouterr().err) == (most < 40)


def test_what_cannot_be_halved_is_one_line(composed: Callable[..., Config], monkeypatch: pytest.MonkeyPatch) -> None:
    method = fitted(composed)
    (denoiser,) = (module for module in method.modules() if isinstance(module, Denoiser))
    monkeypatch.setattr(denoiser.network, "forward", short_of_memory(denoiser, 0))
    with pytest.raises(RunError, match=r"dataset\.image\.size: out of memory with one image in a pass"):
        responses(method, Rasters.of(torch.zeros(2, 1, 24, 24)), ["a", "b"], seed=0, images_per_pass=2, report=silent)


def test_every_image_passes_once_in_order(composed: Callable[..., Config]) -> None:
    method, room, passed = fitted(composed), [2], list[int]()

    def work(batch: slice) -> int:
        if batch.stop - batch.start > room[0]:
            raise MemoryError
        assert len(set(sizes[batch])) == 1, "a pass is of one size"
        passed.extend(range(batch.start, batch.stop))
        return batch.stop - batch.start

    sizes = [(24, 24)] * 5 + [(24, 30)] + [(30, 24)] * 5
    assert sum(in_passes(method, sizes, 8, work)) == 11 and passed == list(range(11))


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
def test_memory_that_ran_out_is_told_from_other_errors(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("shapes do not match")) and not is_out_of_memory(ValueError("memory"))


def test_more_than_is_free_is_refused_before_it_is_taken() -> None:
    device = torch.device("cpu")
    free = available(device)
    if free is None:
        pytest.skip("this system does not say what is free")
    require(free // 2, device, "key=1", "lower it")
    with pytest.raises(ConfigError, match=r"^key=1: takes at least .* GB are free on this machine; lower it$"):
        require(free * 2, device, "key=1", "lower it")
