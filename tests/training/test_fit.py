"""One training: resumed it ends where an uninterrupted one ends, and it fails in one line."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from network_builders import diffusion_config, trainer_config, training_config, unet_config
from pytorch_lightning.callbacks import Callback
from torch import nn

from radar.config.schema import PatchConfig
from radar.diffusion.objective import DiffusionObjective
from radar.errors import ConfigError, RunError
from radar.networks.build import build_unet
from radar.progress import silent
from radar.rasters import Rasters
from radar.training.device import resolve_device
from radar.training.fit import build_trainer, fit_network
from radar.training.objective import Objective

TRAINING = training_config(max_steps=7, epoch_steps=3, warmup_steps=2, validation_patches=5)
IMAGES = torch.rand(4, 1, 14, 14, generator=torch.Generator().manual_seed(0)) - 0.5


class Distillation(Objective):
    """The network does what a frozen one does, on noisy crops; it stays as it scores."""

    training_mode = False

    def __init__(self, teacher: nn.Module) -> None:
        self.frozen = (teacher,)

    def training_loss(self, network, crops, clock):
        noise = torch.randn(crops.shape, generator=clock.stream("training", clock.rank, clock.step))
        return (network(crops + noise) - self.frozen[0](crops)).square().mean()

    def validation_losses(self, network, crops, clock):
        return {"validation_loss": (network(crops) - self.frozen[0](crops)).square().mean()}


def denoising():
    unet = build_unet(unet_config(channels=[8], dropout=0.3), patch_size=12, image_channels=1, seed=0)
    return unet, DiffusionObjective(diffusion_config(validation_timesteps=[1, 300]), simplex=None)


def distillation():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        student, teacher = nn.Sequential(nn.Conv2d(1, 1, 3), nn.BatchNorm2d(1)), nn.Conv2d(1, 1, 3)
    return student, Distillation(teacher.requires_grad_(False))


class StopAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            raise ArithmeticError


def fit(make, folder, *, followers=(), published=None, **changes):
    network, objective = make()
    return fit_network(
        network,
        objective,
        Rasters.of(IMAGES),
        Rasters.of(IMAGES),
        patch=PatchConfig(size=12, flips=True, rotations=False),
        training=replace(TRAINING, **changes),
        trainer=trainer_config(),
        seed=3,
        checkpoints=folder,
        publish=(published if published is not None else []).append,
        report=silent,
        followers=followers,
    )


@pytest.mark.parametrize("make", [denoising, distillation])
def test_an_interrupted_training_ends_at_the_bits_of_an_uninterrupted_one(tmp_path, make):
    published = []
    average, rows = fit(make, tmp_path / "whole", published=published)
    assert [row["step"] for row in rows] == [3, 6, 7] and published == rows
    with pytest.raises(ArithmeticError):
        fit(make, tmp_path / "parts", followers=[StopAt(5)])
    resumed, same = fit(make, tmp_path / "parts", published=(again := []))
    assert same == rows == again, "a dashboard that begins anew is told all rows"
    stored = average.state_dict()
    assert all(torch.equal(value, stored[name]) for name, value in resumed.state_dict().items())
    assert any(not torch.equal(value, stored[name]) for name, value in make()[0].state_dict().items())


def test_the_average_of_a_network_that_learns_as_it_scores_keeps_its_statistics(tmp_path):
    average, _ = fit(distillation, tmp_path)
    assert not average.training and average[1].running_mean.item() == 0


@pytest.mark.parametrize("damage", [b"", b"half a file", b"PK\x03\x04half a file", b"\x80\x02}q\x00."], ids=repr)
def test_a_checkpoint_that_cannot_be_read_is_told_in_one_line(tmp_path, damage):
    (tmp_path / "last.ckpt").write_bytes(damage)
    with pytest.raises(RunError, match=r"last\.ckpt: cannot be read \(.*\); the training starts over$"):
        fit(denoising, tmp_path)


@pytest.mark.parametrize(
    ("available", "changes", "expected"),
    [
        (False, {"accelerator": "auto"}, "cpu"),
        (True, {"accelerator": "auto"}, "cuda"),
        (True, {"accelerator": "cpu"}, "cpu"),
        (False, {"accelerator": "gpu"}, r"trainer\.accelerator=gpu: no GPU is available"),
        (False, {"accelerator": "auto", "precision": "16-mixed"}, r"trainer\.precision=16-mixed: needs a GPU"),
    ],
    ids=["none-there", "one-there", "not-wanted", "missing", "too-precise"],
)
def test_the_device_that_the_trainer_section_asks_for(monkeypatch, available, changes, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    if expected in ("cpu", "cuda"):
        assert resolve_device(trainer_config(**changes)).type == expected
    else:
        with pytest.raises(ConfigError, match=expected):
            resolve_device(trainer_config(**changes))


SCHEDULERS = {
    "SLURM": {
        "SLURM_JOB_ID": "11",
        "SLURM_JOB_NAME": "job",
        "SLURM_NTASKS": "4",
        "SLURM_PROCID": "3",
        "SLURM_LOCALID": "3",
        "SLURM_NODEID": "1",
    },
    "torchrun": {
        "RANK": "1",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "nowhere",
        "MASTER_PORT": "1",
        "TORCHELASTIC_RUN_ID": "1",
        "GROUP_RANK": "0",
        "LOCAL_WORLD_SIZE": "2",
    },
    "LSF": {
        "LSB_JOBID": "1",
        "LSB_DJOB_RANKFILE": "nowhere",
        "JSM_NAMESPACE_LOCAL_RANK": "0",
        "JSM_NAMESPACE_SIZE": "4",
    },
    "Kubeflow": {"MASTER_ADDR": "nowhere", "MASTER_PORT": "1", "WORLD_SIZE": "4", "RANK": "0", "KUBERNETES_PORT": "1"},
}


@pytest.mark.parametrize("variables", SCHEDULERS.values(), ids=SCHEDULERS.keys())
def test_a_run_of_one_process_ignores_what_a_scheduler_set(tmp_path, monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    loop = build_trainer(TRAINING, trainer_config(), torch.device("cpu"), [])
    assert (loop.world_size, loop.global_rank, loop.is_global_zero) == (1, 0, True)
