"""Rules between the keys of a typed config, whether it was composed or is stored with a model."""

from __future__ import annotations

import re
from collections.abc import Iterator

from radar.config.schema import Config, ImageConfig
from radar.config.typed import extents
from radar.data.layouts import LAYOUTS
from radar.data.region_of_interest import region_of_interest_problem
from radar.errors import ConfigError
from radar.methods.controls import FILTERS
from radar.methods.registry import METHODS, method_of
from radar.methods.relevance import unread_by
from radar.networks.efficientnet import is_installed
from radar.runtime.entries import ONE_SIZE
from radar.runtime.terminal import brief, printable
from radar.scoring.border import border_problem

_LONGEST_NAME = 200  # of the 255 bytes that file systems give a name, as a fingerprint and endings follow it


def check(config: Config) -> None:
    """Raise `ConfigError` for the first rule between keys that `config` breaks; of keys that nothing reads, none counts."""
    for problem in _rule_problems(config):
        if unread_by(config, re.split(r"[=:,]", problem)[0]) is None:
            raise ConfigError(printable(problem))


def check_extra(config: Config) -> None:
    """Raise `ConfigError` where the method reads pretrained weights, which are not installed here; a stored model holds its own."""
    method = method_of(config)
    if method.pretrained and not is_installed():
        raise ConfigError(
            f"method.name={method.name}: needs pretrained features; install them with pip install '.[pretrained]'"
        )


def _rule_problems(config: Config) -> Iterator[str]:
    if not re.fullmatch(r"[A-Za-z0-9._-]+", config.name):
        yield f"name={brief(config.name)}: is part of a folder's name; use letters, digits, '.', '_' and '-' alone"
    if len(config.name) > _LONGEST_NAME:
        yield f"name={brief(config.name)}: has {len(config.name)} characters, and a folder's name has room for {_LONGEST_NAME}"
    yield from _dataset_problems(config)
    yield from _unet_problems(config)
    yield from _diffusion_problems(config)
    yield from _scoring_problems(config)
    yield from _detector_problems(config)
    yield from method_of(config).problems()
    yield from _trainer_problems(config)


def _dataset_problems(config: Config) -> Iterator[str]:
    yield from _image_problems(config.dataset.image)
    side = _shorter_side(config)
    for key, length in extents(config):
        if side is not None and length > side:
            yield f"{key}={length}: must be ≤ the image's side, {side} px (dataset.image.size)"


def _image_problems(image: ImageConfig) -> Iterator[str]:
    key = "dataset.image"
    if problem := region_of_interest_problem(image):
        yield f"{key}.region_of_interest{problem}"
    if image.width is not None and (image.size is None or image.aspect not in ONE_SIZE):
        aspects = " or ".join(f"{key}.aspect={aspect}" for aspect in ONE_SIZE)
        yield f"{key}.width={image.width}: is that of a rectangle; set {key}.size, its height, and {aspects}"
    if (image.resolution is None) != (image.file_resolution is None):
        given, other = ("resolution", "file_resolution")[:: 1 if image.file_resolution is None else -1]
        yield f"{key}.{given}: px per mm are wanted of the picture and of the files; set {key}.{other}, too"
    if image.resolution is not None and (image.size is not None or image.aspect in ("crop", "pad")):
        yield f"{key}.resolution={image.resolution}: decides the size of each picture; set {key}.size=null and {key}.aspect=short"
    if image.working_size is not None and image.size is None and image.aspect in ("crop", "pad"):
        yield f"{key}.working_size: pictures are made smaller, nothing else; set {key}.size or {key}.aspect=short"


def _shorter_side(config: Config) -> int | None:
    """Of every picture, px; None where the files decide."""
    image = config.dataset.image
    if image.resolution is not None:
        return None
    if image.size is None:
        # not asked for its problems: a stored config does not say where the files lay
        return LAYOUTS.get(config.dataset.layout)(config.dataset).side
    return None if image.aspect == "long" else min(image.size, image.width or image.size)


def _unet_problems(config: Config) -> Iterator[str]:
    unet = config.unet
    if not unet.channels:
        yield "unet.channels=[]: needs the width of at least one level"
        return
    compact = unet.kind == "compact"
    for width in unet.channels:
        if width < 1:
            yield f"unet.channels={unet.channels}: widths must be ≥ 1"
        elif not compact and width % unet.groups:
            yield f"unet.channels={unet.channels}: {width} cannot be split into unet.groups={unet.groups} equal groups"
    for level in unet.attention_levels:
        if not 0 <= level < len(unet.channels):
            yield f"unet.attention_levels={unet.attention_levels}: levels are 0 to {len(unet.channels) - 1}"
        elif unet.channels[level] % unet.attention_heads:
            yield f"unet.attention_heads={unet.attention_heads}: must divide the width {unet.channels[level]} of level {level}"
    if unet.attention_levels and not compact and unet.channels[-1] % unet.attention_heads:
        yield f"unet.attention_heads={unet.attention_heads}: must divide the last width, {unet.channels[-1]}"
    if not compact and unet.fold != 1:
        yield f"unet.fold={unet.fold}: only unet.kind=compact folds pixels; use unet.fold=1 or unet=compact"
    if config.patch.size < unet.fold * 2 ** (len(unet.channels) - 1):
        folded = f" of unet.fold={unet.fold}" if unet.fold > 1 else ""
        yield f"patch.size={config.patch.size}: too small for {len(unet.channels)} levels{folded}; shorten unet.channels"


def _diffusion_problems(config: Config) -> Iterator[str]:
    diffusion = config.diffusion
    last = diffusion.timesteps
    if config.timestep.value > last:
        yield f"timestep.value={config.timestep.value}: must be ≤ diffusion.timesteps={last}"
    if diffusion.first_beta > diffusion.last_beta:
        yield f"diffusion.first_beta={diffusion.first_beta}: must be ≤ diffusion.last_beta={diffusion.last_beta}"
    if not diffusion.validation_timesteps or not all(1 <= t <= last for t in diffusion.validation_timesteps):
        yield f"diffusion.validation_timesteps={diffusion.validation_timesteps}: needs steps between 1 and {last}"


def _scoring_problems(config: Config) -> Iterator[str]:
    scoring = config.scoring
    if scoring.draws == 0 and scoring.map == "residual":
        yield "scoring.map=residual: no noise is added with scoring.draws=0; use scoring.map=prediction or scoring.draws=1"
    if scoring.field == "stitched" and scoring.stride > config.patch.size:
        yield f"scoring.stride={scoring.stride}: must be ≤ patch.size={config.patch.size}, or windows leave gaps"
    if scoring.field == "stitched" and scoring.images_per_pass > scoring.micro_batch:
        yield f"scoring.images_per_pass={scoring.images_per_pass}: must be ≤ scoring.micro_batch={scoring.micro_batch} windows"
    yield from _density_problems(config)
    if scoring.blur.kernel % 2 == 0:
        yield f"scoring.blur.kernel={scoring.blur.kernel}: must be odd"
    yield from _region_problems(config)
    side = _shorter_side(config)
    if side is not None and (problem := border_problem(scoring.border, side, side, scoring.window)):
        yield problem


def _region_problems(config: Config) -> Iterator[str]:
    """What does not go with a region of interest."""
    if config.dataset.image.region_of_interest is None:
        return
    if not METHODS.get(config.method.name).honours_region:
        chosen = (name for name in METHODS.names() if name not in FILTERS)  # which are controls alone
        able = ", ".join(f"method={name}" for name in chosen if METHODS.get(name).honours_region)
        yield (
            f"dataset.image.region_of_interest: method {config.method.name} would learn and score what lies outside; choose one that "
            f"does not: {able}"
        )
    if config.scoring.border.name == "standardised":
        yield (
            "scoring.border.name=standardised: its rings follow the image's border, and none those of "
            "dataset.image.region_of_interest; use margin or none"
        )


def _density_problems(config: Config) -> Iterator[str]:
    density, last = config.scoring.density, config.diffusion.timesteps
    if not density.timesteps or not all(1 <= t <= last for t in density.timesteps):
        yield f"scoring.density.timesteps={density.timesteps}: needs steps between 1 and {last}"
    if not density.blurs:
        yield "scoring.density.blurs=[]: needs at least one σ in px"
    if density.name != "none" and config.scoring.edge != "none":
        yield "scoring.edge=sobel: the density is taken of the noise, not of its edges; use scoring.edge=none"


def _detector_problems(config: Config) -> Iterator[str]:
    detector = config.detector
    for key in ("fitted_on", "threshold_on"):
        if getattr(detector, key) == "cross_fitted" and not METHODS.get(config.method.name).cross_fits:
            yield (
                f"detector.{key}=cross_fitted: method {config.method.name} fits no densities without the image it scores; use "
                "train or validation, or method=fused_densities"
            )
    if detector.threshold == "shifted" and detector.name != "upper_tail":
        yield f"detector.threshold=shifted: {detector.name} takes a quantile alone; use detector=shifted_tail"
    elif detector.threshold == "shifted" and detector.fitted_on == detector.threshold_on:
        yield (
            f"detector.threshold=shifted: shifts from detector.fitted_on to detector.threshold_on, both are "
            f"{detector.fitted_on}; use detector=shifted_tail"
        )


def _trainer_problems(config: Config) -> Iterator[str]:
    trainer = config.trainer
    if trainer.strategy == "auto" and trainer.devices > 1:
        yield f"trainer.devices={trainer.devices}: several devices need trainer=ddp"
    if config.training.warmup_steps > config.training.max_steps:
        yield f"training.warmup_steps={config.training.warmup_steps}: must be ≤ training.max_steps={config.training.max_steps}"
