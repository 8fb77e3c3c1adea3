"""What a training takes is known before its first step, and running out of it is one line."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
import torch
from network_builders import diffusion_config, trainer_config, training_config, unet_config
from torch import nn

from radar.config.schema import PatchConfig
from radar.diffusion.objective import DiffusionObjective
from radar.errors import ConfigError, RunError
from radar.networks.build import build_unet
from radar.progress import silent
from radar.rasters import Rasters
from radar.training import memory
from radar.training.fit import fit_network
from radar.training.memory import built_within_memory, check_step
from radar.training.module import TrainingModule

PATCH = PatchConfig(size=12, flips=False, rotations=False)
IMAGES = Rasters.of(torch.zeros(4, 1, 14, 14))
CPU = torch.device("cpu")


def unet(*channels: int) -> nn.Module:
    return build_unet(unet_config(channels=list(channels)), patch_size=12, image_channels=1, seed=0)


def fit(network: nn.Module, folder: Path, **training: int) -> None:
    fit_network(
        network, DiffusionObjective(diffusion_config(validation_timesteps=[1]), simplex=None), IMAGES, IMAGES,
        patch=PATCH, training=training_config(max_steps=2, epoch_steps=1, warmup_steps=0, **training),
        trainer=trainer_config(), seed=0, checkpoints=folder, publish=lambda row: None, report=silent,
    )  # fmt: skip


def test_a_batch_beyond_memory_is_refused_before_the_first_step(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^training.batch_size=1000000, patch.size=12: takes at least .* GB"):
        fit(unet(64, 64), tmp_path, batch_size=1_000_000)
    assert not list(tmp_path.iterdir())


def test_a_network_beyond_memory_is_refused_before_it_is_built() -> None:
    with pytest.raises(ConfigError, match="the network's channels: takes at least"):
        built_within_memory(lambda: unet(16_384, 16_384), CPU)


def test_a_network_that_finds_room_is_the_one_that_is_built() -> None:
    built, plain = built_within_memory(lambda: unet(8), CPU).state_dict(), unet(8).state_dict()
    assert all(torch.equal(built[name], plain[name]) for name in plain)


def test_memory_that_runs_out_while_training_names_what_to_lower(tmp_path: Path) -> None:
    network = unet(8)
    room, plain = [3], network.forward

    def forward(crops: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        room[0] -= 1
        if room[0] == 0:
            raise torch.OutOfMemoryError("planted")
        return plain(crops, steps)

    network.forward = forward  # type: ignore[method-assign]
    with pytest.raises(
        RunError, match=r"^training.batch_size=4, patch.size=12: out of memory; lower training.batch_size"
    ):
        fit(network, tmp_path, batch_size=4)


class Squares:
    """What its backward pass keeps is known: the crop's square, once."""

    training_mode, compiles, frozen = True, False, ()

    def training_loss(self, network, crops, clock):
        return network(crops).square().sum()


def test_what_the_backward_pass_keeps_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    needed: list[int] = []
    monkeypatch.setattr(memory, "require", lambda bytes_, *_: needed.append(bytes_))
    network = nn.Conv2d(1, 7, 1, bias=False)
    learner = TrainingModule(network, Squares(), training=training_config(), trainer=trainer_config(), seed=0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    check_step(learner, torch.zeros(1, 1, 12, 12), PATCH, training_config(batch_size=10))
    crop, answer = 12 * 12 * 4, 7 * 12 * 12 * 4  # bytes: the convolution keeps its input, the square its own
    assert needed == [10 * (crop + answer)]
    assert network.training and all(torch.equal(network.state_dict()[name], before[name]) for name in before)


def test_nothing_of_the_step_is_held_behind_it() -> None:
    network = unet(8)
    learner = TrainingModule(
        network, DiffusionObjective(diffusion_config(validation_timesteps=[1]), simplex=None),
        training=training_config(), trainer=trainer_config(), seed=0,
    )  # fmt: skip
    made: list[weakref.ref[torch.Tensor]] = []
    hooks = [
        each.register_forward_hook(lambda _module, _given, found: made.append(weakref.ref(found)))
        for each in network.modules()
        if isinstance(each, nn.Conv2d | nn.GroupNorm)
    ]
    check_step(learner, torch.zeros(1, 1, 12, 12), PATCH, training_config())
    for hook in hooks:
        hook.remove()
    gc.collect()
    assert len(made) > 5 and all(each() is None for each in made)
