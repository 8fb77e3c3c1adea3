"""Other ways to compute the same training: bfloat16, a compiled step, a GPU. Each must end near the plain one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from tiny_experiment import TINY, run

from radar.data.dataset import open_dataset
from radar.diffusion.objective import DiffusionObjective
from radar.methods.parts.denoising import denoiser
from radar.networks.build import build_unet
from radar.progress import silent
from radar.scoring.denoiser import Denoiser
from radar.training.fit import fit_network

COMPACT = (*TINY, "unet=compact", "unet.channels=[16,32]", "scoring=whole", "training.learning_rate=3e-3")


def noise_maps(composed, folder: Path, *overrides: str) -> torch.Tensor:
    """Maps of the test images after a tiny training."""
    config = composed(*COMPACT, *overrides)
    dataset = open_dataset(config.dataset, silent)
    train, test = (dataset.load(dataset.split(split)) for split in ("train", "test"))
    unet, rows = fit_network(
        build_unet(config.unet, patch_size=config.patch.size, image_channels=1, seed=config.seed),
        DiffusionObjective(config.diffusion, simplex=None),
        train.network_planes,
        train.network_planes.some(slice(3)),
        patch=config.patch,
        training=config.training,
        trainer=config.trainer,
        seed=config.seed,
        checkpoints=folder / str(len(list(folder.iterdir()))),
        publish=lambda row: None,
        report=silent,
    )
    assert rows[-1]["train_loss"] < 1.5
    asked, timestep = denoiser(config, unet), config.timestep.value
    images = test.network_planes.whole[:4].to(asked.schedule.signal.device)
    with torch.inference_mode():
        predicted: torch.Tensor = asked(asked.scaled(images, timestep), timestep)
    return predicted.cpu()


def assert_close(found: torch.Tensor, plain: torch.Tensor, tolerance: float) -> None:
    """Root mean square difference, relative to the maps' own spread."""
    assert plain.std() > 0.01
    assert (found - plain).square().mean().sqrt() <= tolerance * plain.std()


def test_bfloat16_training_ends_near_the_plain_one(composed, tmp_path):
    plain = noise_maps(composed, tmp_path)
    half = noise_maps(composed, tmp_path, "trainer.precision=bf16-mixed")
    assert not torch.equal(half, plain)
    assert_close(half, plain, 0.1)


def test_training_and_scoring_run_at_the_matrix_precision_that_was_asked_for(composed, monkeypatch):
    """What it does to the numbers only a GPU shows; that it is set where it counts shows here."""
    seen: list[str] = []
    loss, mapped = DiffusionObjective.loss, Denoiser.forward

    def noting(function):
        def call(*arguments, **named):
            seen.append(torch.get_float32_matmul_precision())
            return function(*arguments, **named)

        return call

    monkeypatch.setattr(DiffusionObjective, "loss", noting(loss))
    monkeypatch.setattr(Denoiser, "forward", noting(mapped))
    try:
        for precision in ("high", "highest"):
            config = composed(*COMPACT, f"trainer.matmul_precision={precision}")
            run(config)
            assert len(seen) > 12 and set(seen) == {precision}
            seen.clear()
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler, and g++ is not there")
def test_a_compiled_step_ends_near_the_plain_one(composed, tmp_path):
    plain = noise_maps(composed, tmp_path)
    assert_close(noise_maps(composed, tmp_path, "trainer.compile=default"), plain, 0.01)


NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is available")


@NEEDS_GPU
@pytest.mark.parametrize(
    "trainer",
    [
        ("trainer=auto",),
        ("trainer=gpu", "trainer.compile=none"),
        ("trainer=gpu",),
        ("trainer=auto", "trainer.stack=host", "trainer.workers=1"),
    ],
    ids=["float32", "bf16", "compiled", "host-stack"],
)
def test_a_gpu_ends_near_the_cpu(composed, tmp_path, trainer):
    plain = noise_maps(composed, tmp_path)
    try:
        assert_close(noise_maps(composed, tmp_path, "trainer.accelerator=gpu", *trainer), plain, 0.2)
    finally:
        torch.set_float32_matmul_precision("highest")


@NEEDS_GPU
def test_a_whole_run_on_a_gpu(composed):
    config = composed(*COMPACT, "trainer=gpu", "scoring.images_per_pass=8")
    outcome = run(config)
    assert 0 <= outcome.metrics.image.auroc <= 1
