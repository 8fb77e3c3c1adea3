"""From config sections to the network."""

from __future__ import annotations

import torch

from radar.config.schema import UNetConfig
from radar.networks.compact_unet import CompactUNet
from radar.networks.unet import UNet
from radar.seeds import stream_seed

NoisePredictor = UNet | CompactUNet


def build_unet(config: UNetConfig, *, patch_size: int, image_channels: int, seed: int) -> NoisePredictor:
    """A U-Net whose initial weights depend on the seed alone; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "initialisation"))
        unet = _initialised(config, patch_size=patch_size, image_channels=image_channels)
    for weight in unet.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.to(memory_format=torch.channels_last)
    return unet


def _initialised(config: UNetConfig, *, patch_size: int, image_channels: int) -> NoisePredictor:
    if config.kind == "compact":
        return CompactUNet(
            image_channels=image_channels,
            channels=config.channels,
            blocks=config.blocks,
            attention_levels=config.attention_levels,
            attention_heads=config.attention_heads,
            embedding=config.embedding,
            dropout=config.dropout,
            fold=config.fold,
            patch_size=patch_size,
        )
    return UNet(
        image_channels=image_channels,
        channels=config.channels,
        blocks=config.blocks,
        attention_levels=config.attention_levels,
        attention_heads=config.attention_heads,
        embedding=config.embedding,
        groups=config.groups,
        dropout=config.dropout,
    )
