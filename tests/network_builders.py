"""Small networks and configs that the tests of the diffusion, scoring and data rooms are written with."""

from __future__ import annotations

from typing import Any

import torch

from radar.config.schema import Config, DiffusionConfig, TrainerConfig, TrainingConfig, UNetConfig
from radar.methods.method import Method
from radar.methods.parts.denoising import untrained_network
from radar.networks.build import NoisePredictor, build_unet
from radar.networks.untrained import awake


def unet_config(**changes) -> UNetConfig:
    values = {
        "kind": "ddpm",
        "channels": [8, 16],
        "blocks": 1,
        "attention_levels": [1],
        "attention_heads": 4,
        "embedding": 16,
        "groups": 4,
        "dropout": 0.0,
        "fold": 1,
    }
    return UNetConfig(**(values | changes))


def diffusion_config(**changes) -> DiffusionConfig:
    values = {
        "timesteps": 1000,
        "schedule": "linear",
        "first_beta": 1e-4,
        "last_beta": 0.02,
        "cosine_offset": 0.008,
        "timestep_sampling": "uniform",
        "validation_timesteps": [1],
    }
    return DiffusionConfig(**(values | changes))


def training_config(**changes) -> TrainingConfig:
    values = {
        "max_steps": 100,
        "epoch_steps": 10,
        "batch_size": 4,
        "learning_rate": 1e-3,
        "learning_rate_schedule": "cosine",
        "warmup_steps": 9,
        "weight_decay": 0.0,
        "gradient_clip": 1.0,
        "ema_decay": 0.9,
        "validation_patches": 6,
    }
    return TrainingConfig(**(values | changes))


def trainer_config(**changes) -> TrainerConfig:
    values = {
        "accelerator": "cpu",
        "devices": 1,
        "strategy": "auto",
        "precision": "32-true",
        "matmul_precision": "highest",
        "compile": "none",
        "threads": 2,
        "deterministic": False,
        "stack": "auto",
        "stack_memory_fraction": 0.5,
        "workers": 0,
        "progress": False,
    }
    return TrainerConfig(**(values | changes))


def random_unet(seed: int = 0, *, image_channels: int = 1, patch_size: int = 28, **changes) -> NoisePredictor:
    """A U-Net whose layers are all random, the ones that training starts at zero too."""
    unet = build_unet(unet_config(**changes), patch_size=patch_size, image_channels=image_channels, seed=seed)
    stream = torch.Generator().manual_seed(seed)
    for parameter in unet.parameters():
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 25
        parameter.data = torch.randn(parameter.shape, generator=stream) / fan_in**0.5
    return unet.to(memory_format=torch.channels_last).eval()


def uses_denoiser(method: Method[Any]) -> bool:
    """Whether it asks the diffusion network that methods share."""
    return {"patch", "unet"} <= set(method.fitting_keys)


def untrained(config: Config, channels: int) -> torch.nn.Module:
    """The experiment's network as it is before training, but that no layer of it is zero: it predicts something."""
    return awake(untrained_network(config, channels), config.seed, "denoiser").eval().requires_grad_(False)
