"""From config sections to the schedule and the network."""

from __future__ import annotations

from typing import Any

import torch

from radar.config.schema import DiffusionConfig, UNetConfig
from radar.diffusion.schedule import NoiseSchedule, cosine_betas, linear_betas
from radar.networks.compact_unet import CompactUNet
from radar.networks.unet import UNet
from radar.seeds import Stream, stream_seed


def build_schedule(config: DiffusionConfig) -> NoiseSchedule:
    """The noise schedule that `diffusion` names."""
    if config.schedule == "cosine":
        return NoiseSchedule(cosine_betas(config.timesteps, offset=config.cosine_offset))
    return NoiseSchedule(linear_betas(config.timesteps, first=config.first_beta, last=config.last_beta))


NoisePredictor = UNet | CompactUNet
SCHEDULE_KEYS = ("timesteps", "schedule", "first_beta", "last_beta", "cosine_offset")  # what `build_schedule` reads


def build_unet(
    config: UNetConfig, *, patch_size: int, image_channels: int, seed: int, stream: Stream = "initialisation"
) -> NoisePredictor:
    """A U-Net whose initial weights depend on (seed, stream) alone; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, stream))
        unet = _initialised(config, patch_size=patch_size, image_channels=image_channels)
    return unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _initialised(config: UNetConfig, *, patch_size: int, image_channels: int) -> NoisePredictor:
    common: dict[str, Any] = {
        "image_channels": image_channels,
        "channels": config.channels,
        "blocks": config.blocks,
        "attention_levels": config.attention_levels,
        "attention_heads": config.attention_heads,
        "embedding": config.embedding,
        "dropout": config.dropout,
    }
    if config.kind == "compact":
        return CompactUNet(**common, fold=config.fold, patch_size=patch_size)
    return UNet(**common, groups=config.groups)
