"""Which keys of a config its method reads: no other one makes a run another run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from omegaconf import OmegaConf

from radar.compose.method_rules import EMBEDDINGS, FEATURE_SPACE_METHODS, WINDOW_METHODS, shares_network
from radar.config.schema import Config

_METHODS_OWN = ("patch", "unet", "diffusion", "timestep", "scoring", "training")  # sections that only some methods read
_ONLY_WITH = {  # keys that are read where another one has this value
    "detector.trees": ("detector.name", "isolation_forest"),
    "detector.max_samples": ("detector.name", "isolation_forest"),
    "detector.spread_prior": ("detector.threshold", "shifted"),
    "diffusion.first_beta": ("diffusion.schedule", "linear"),
    "diffusion.last_beta": ("diffusion.schedule", "linear"),
    "diffusion.cosine_offset": ("diffusion.schedule", "cosine"),
}
_NETWORK = (
    "patch",
    "unet",
    "diffusion",
    "training",
    "scoring.field",
    "scoring.stride",
    "scoring.micro_batch",
    "scoring.tile",
)
_EDGES = ("scoring.blur", "scoring.window", "scoring.smoothing", "scoring.images_per_pass")
_UNTRAINED = "untrained"  # a control with the shared network, which only methods that share it are compared with


def controls(config: Config) -> list[str]:
    """The controls that run beside the method."""
    return [name for name in config.method.controls if name != _UNTRAINED or shares_network(config)]


def reads(config: Config) -> tuple[str, ...]:
    """Prefixes of the keys that the method and its controls read, in the sections that not every method reads."""
    found = dict.fromkeys(_method_reads(config))
    for control in controls(config):
        found |= dict.fromkeys(_radar_reads(config) if control == _UNTRAINED else _EDGES)
    return tuple(found)


def _method_reads(config: Config) -> tuple[str, ...]:
    method = config.method
    if method.name == "radar":
        return _radar_reads(config)
    if method.name in (*WINDOW_METHODS, *EMBEDDINGS):
        return ()
    if method.name == "deep_svdd":
        return ("patch", "training")
    field = method.residual_field
    timestep = ("timestep",) if field is not None and field.timestep is None else ()
    if method.name in FEATURE_SPACE_METHODS and method.feature_space is not None:
        return ("unet", "diffusion", "training", *timestep)
    return (*_NETWORK, "scoring.images_per_pass", *timestep)


def _radar_reads(config: Config) -> tuple[str, ...]:
    timestep = ("timestep",) if config.scoring.density.name == "none" else ()
    return (*_NETWORK, *timestep, "scoring")


def is_read(config: Config, key: str) -> bool:
    """Whether the value of `key`, or of any key below it, has an effect."""
    return _unread_by(config, reads(config), key) is None


def unread_by(config: Config, key: str) -> str | None:
    """What does not read `key`, in words; None where it is read."""
    return _unread_by(config, reads(config), key)


def _unread_by(config: Config, read: tuple[str, ...], key: str) -> str | None:
    if key.partition(".")[0] in _METHODS_OWN and not any(_overlap(key, prefix) for prefix in read):
        return f"method {config.method.name}"
    other, needed = _ONLY_WITH.get(key, ("", ""))
    if other and (value := OmegaConf.select(OmegaConf.structured(config), other)) != needed:
        return f"{other}={value}"
    return None


def _overlap(key: str, prefix: str) -> bool:
    return f"{key}.".startswith(f"{prefix}.") or f"{prefix}.".startswith(f"{key}.")


def effective(config: Config) -> dict[str, object]:
    """The config as plain values without what is not read; the method's own keys stand directly below `method`."""
    tree = asdict(config)
    tree["method"]["controls"] = controls(config)
    return _pruned(config, reads(config), tree, "")


def _pruned(config: Config, read: tuple[str, ...], tree: Mapping[str, object], prefix: str) -> dict[str, object]:
    kept: dict[str, object] = {}
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if _unread_by(config, read, key) is None:
            kept[name] = _pruned(config, read, value, f"{key}.") if isinstance(value, Mapping) else value
    return kept
