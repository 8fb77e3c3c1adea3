"""The diffusion network that methods share: its training, and the trained network asked over whole images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from torch import nn

from radar.config.method_settings import SimplexConfig
from radar.config.schema import Config
from radar.diffusion.objective import DiffusionObjective
from radar.diffusion.schedule import build_schedule
from radar.errors import ConfigError
from radar.files import Plain
from radar.methods.method import Material, Method, Networks, Normals, Training
from radar.methods.parts.pyramid import at_all_levels
from radar.networks.build import build_unet
from radar.rasters import Size
from radar.scoring.denoiser import Denoiser, Windows

DENOISER = "denoiser"  # the name of its training
_NETWORK_KEYS = ("patch", "unet", "diffusion", "training")


def denoiser_keys(config: Config) -> tuple[str, ...]:
    """Prefixes of the config keys that ε̂ of a whole image depends on."""
    return (*_NETWORK_KEYS, *Windows.keys(config.scoring.field))


def trains_denoiser(method: Method[Any]) -> bool:
    """Whether the shared network is among the trainings of a method, which then depends on all that this one's depends on."""
    return set(_NETWORK_KEYS) <= set(method.fitting_keys)


def denoiser_training(
    config: Config, normals: Normals, simplex: SimplexConfig | None = None, levels: int = 1
) -> Training:
    """The training of the shared network; methods that add the same noise share one.

    With several `levels` its crops are of images at every scale of a pyramid, each as often as another.
    """
    inputs: dict[str, Plain] = {"unet": asdict(config.unet), "diffusion": asdict(config.diffusion)}
    if simplex is not None:
        inputs["simplex"] = asdict(simplex)
    if levels > 1:
        inputs["levels"] = levels

    def material(_: Networks) -> Material:
        train, validation = (at_all_levels(images.learnt_planes, levels) for images in normals.sets)
        _check_crops(config, (*train.sizes, *validation.sizes))
        objective = DiffusionObjective(config.diffusion, simplex=simplex)
        return Material(train, validation, objective, has_region=normals.train.has_region)

    return Training(
        DENOISER,
        lambda _: untrained_network(config, normals.train.network_planes.channels),
        material,
        inputs,
        config.patch,
        config.training,
    )


def _check_crops(config: Config, sizes: Iterable[Size]) -> None:
    """Raise `ConfigError` where images, at the smallest of their scales, are smaller than a crop."""
    height, width = min(sizes, key=min)
    if config.patch.size > min(height, width):
        raise ConfigError(
            f"patch.size={config.patch.size}: must be ≤ the sides of all that crops are drawn from, of which one has {width} × "
            f"{height} px; lower it, or raise method.{config.method.name}.least_side, down to which images are halved"
        )


def untrained_network(config: Config, channels: int) -> nn.Module:
    """The U-Net with its initial weights."""
    return build_unet(config.unet, patch_size=config.patch.size, image_channels=channels, seed=config.seed)


def denoiser(config: Config, network: nn.Module) -> Denoiser:
    """`network` over whole images, as `scoring` lays its windows; on the network's device."""
    windows = Windows.of(config.scoring, config.patch.size)
    return Denoiser(network, build_schedule(config.diffusion).to(next(network.parameters()).device), windows)
