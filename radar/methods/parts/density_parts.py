"""The parts of fused densities: which there are, what they are set to, and what they read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from omegaconf import MISSING
from torch import Tensor

from radar.config.fields import number, numbers, sigma
from radar.config.schema import Config
from radar.methods.parts.pixel_fields import (
    AppearanceConfig,
    ColourConfig,
    NoiseFieldConfig,
    blur_problems,
    noise_field_problems,
)
from radar.methods.parts.pretrained import block_problems
from radar.networks.efficientnet import STRIDES, EfficientNetFeatures
from radar.runtime.entries import SIDE

NOISE_PARTS = ("energy", "detail", "context")
FEATURE_PART = "features"
PARTS = (*NOISE_PARTS, "appearance", "colour", FEATURE_PART)
LEAST_CHROMA = 1e-3  # below it, a plane in [−1, 1] holds rounding errors of grey


@dataclass
class FeaturePartConfig:
    """Pretrained features of the image as a whole, seen at its first scale alone; needs the extra `pretrained`."""

    side: int = number(minimum=32, maximum=SIDE)  # px of the square that images are resized to
    margin: int = number(minimum=0, maximum=SIDE)  # px by which they are mirrored beyond each border
    blocks: list[int] = numbers(minimum=0, maximum=63)  # EfficientNet-Lite0 blocks whose outputs are one vector
    relative: float = number(minimum=0.0, maximum=1.0)  # share of its mean over the image that is taken off


@dataclass
class FusedDensitiesConfig:
    """Gaussians of noise, brightness and colour at every pixel of every scale, and of pretrained features, cross-fitted and fused. A
    part is left out where it is null; without any of the noise, no network is trained."""

    energy: NoiseFieldConfig | None = MISSING
    detail: NoiseFieldConfig | None = MISSING
    context: NoiseFieldConfig | None = MISSING
    appearance: AppearanceConfig | None = MISSING
    colour: ColourConfig | None = MISSING
    features: FeaturePartConfig | None = None  # models that were stored before there was such a part have none
    least_side: int | None = number(minimum=4, maximum=SIDE)
    # px of the shorter side at the coarsest scale; null: the image as it is, alone
    ridge: float = number(minimum=1e-9, maximum=1000.0)  # share of the mean variance added to each
    smoothing: float = sigma()  # σ in px, of each part before it is fused
    relative: float = number(minimum=0.0, maximum=1.0)
    # 0: how unlikely a pixel is; 1: how much more than its image is as a whole; between: a geometric mean
    folds: int = number(minimum=2, maximum=1000)  # most parts that the normals are split into, by group
    calibration_quantile: float = number(above=0.0, maximum=1.0)  # of normal scores, that all parts have in common
    power: float = number(
        minimum=1.0, maximum=1000.0
    )  # of the norm over parts and scales: 1 sums up, a high one takes the largest


def noise_parts(settings: FusedDensitiesConfig) -> dict[str, NoiseFieldConfig]:
    """The parts that read the noise, by name."""
    return {name: part for name in NOISE_PARTS if (part := getattr(settings, name)) is not None}


def timesteps(settings: FusedDensitiesConfig) -> list[int]:
    """The timesteps at which the network is asked, each once."""
    return sorted({part.timestep for part in noise_parts(settings).values()})


def parts_at(parts: Sequence[str], level: int) -> list[tuple[int, str]]:
    """Those of the parts that are asked at one scale, each with its place among all."""
    return [(index, part) for index, part in enumerate(parts) if level == 0 or part != FEATURE_PART]


def feature_network(settings: FeaturePartConfig, *, pretrained: bool) -> EfficientNetFeatures:
    """The network of the features, with or without its weights."""
    blocks, side, margin = settings.blocks, settings.side, settings.margin
    return EfficientNetFeatures(blocks=blocks, side=side, margin=margin, pretrained=pretrained)


def parts_of(settings: FusedDensitiesConfig, planes: Sequence[Tensor]) -> list[str]:
    """The parts that are asked for and can be fitted: normals without any colour tell no density of it."""
    asked = [name for name in PARTS if getattr(settings, name) is not None]
    coloured = any(image[:, 1:].abs().max() > LEAST_CHROMA for image in planes if image.shape[1] > 1)
    return [name for name in asked if name != "colour" or coloured]


def part_problems(config: Config, settings: FusedDensitiesConfig) -> Iterator[str]:
    """What is wrong with the parts, and with images that they cannot read."""
    key, image = "method.fused_densities", config.dataset.image
    if image.channels == "rgb":
        yield "dataset.image.channels=rgb: fused_densities reads brightness and colour apart; use luma_chroma or grey"
    if settings.colour is not None and image.channels == "grey":
        yield f"{key}.colour: grey images have none; use dataset.image.channels=luma_chroma or {key}.colour=null"
    if all(getattr(settings, name) is None for name in PARTS):
        yield f"{key}: every part is null; keep at least one"
    for name, part in noise_parts(settings).items():
        yield from noise_field_problems(f"{key}.{name}", part, config.diffusion.timesteps)
    if settings.appearance is not None:
        yield from blur_problems(f"{key}.appearance.blurs", settings.appearance.blurs)
    if settings.colour is not None:
        yield from blur_problems(f"{key}.colour.blurs", settings.colour.blurs)
    if settings.features is not None:
        yield from feature_problems(f"{key}.{FEATURE_PART}", settings.features)


def feature_problems(key: str, settings: FeaturePartConfig) -> Iterator[str]:
    """What is wrong with the features whose section is `key`."""
    yield from block_problems(key, settings.blocks, settings.side)
    if settings.margin % STRIDES[-1] or settings.margin >= settings.side:
        yield f"{key}.margin={settings.margin}: must be a multiple of {STRIDES[-1]} px below {key}.side={settings.side}"
