"""Which config keys a run depends on: those that its method and its controls read, and no other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from radar.config.plain import plain
from radar.config.schema import Config, DatasetConfig
from radar.files import Plain
from radar.methods.controls import control_of, controls
from radar.methods.method import Method
from radar.methods.registry import method_of

METHODS_OWN = ("patch", "unet", "diffusion", "timestep", "scoring", "training")  # sections that only some methods read
_ALWAYS = ("scoring.images_per_pass", "scoring.border.name")
_ONLY_WITH = {  # keys that are read where another one has this value
    "detector.trees": ("detector", "name", "isolation_forest"),
    "detector.max_samples": ("detector", "name", "isolation_forest"),
    "detector.spread_prior": ("detector", "threshold", "shifted"),
    "diffusion.first_beta": ("diffusion", "schedule", "linear"),
    "diffusion.last_beta": ("diffusion", "schedule", "linear"),
    "diffusion.cosine_offset": ("diffusion", "schedule", "cosine"),
}
_OF_NOISE = ("evaluation.noise.thinning", "evaluation.noise.level")  # features and score have no pixels
_SPLITTING = ("dataset.validation_fraction", "dataset.test_fraction")
_TRAINS = (
    "precision",
    "compile",
    "strategy",
    "devices",
    "stack",
    "stack_memory_fraction",
    "workers",
)  # keys of `trainer`
_DATASET = ("", *(item.name for item in fields(DatasetConfig)))  # beside the section of the layout


def reads(config: Config) -> tuple[str, ...]:
    """Prefixes of the keys that the method and its controls read, in the sections that not every method reads."""
    keys = [key for each in _methods(config) for key in (*each.fitting_keys, *each.reading_keys)]
    return tuple(dict.fromkeys((*keys, *_ALWAYS)))


def _methods(config: Config) -> list[Method[Any]]:
    """The method, and those that run as its controls."""
    run_as_controls = [control_of(config, name) for name in controls(config)]
    return [method_of(config), *(each for each in run_as_controls if each is not None)]


def idle_because(config: Config, key: str) -> str | None:
    """What does not read `key` or any key below it as the config is, in words; None where it may have an effect.

    Such keys stay part of a run and of its fingerprint, so that what is stored is found; only to type them in vain is refused.
    """
    methods = _methods(config)
    own = [each.idle_keys for each in methods if type(each) is type(methods[0])]  # controls that are filters have none
    idle = {name: why for name, why in own[0].items() if all(name in others for others in own)}
    if config.unet.kind == "compact":
        idle["unet.groups"] = "unet.kind=compact"
    if not config.unet.attention_levels:
        idle["unet.attention_heads"] = "unet.attention_levels=[]"
    if config.dataset.split == "official":
        idle["dataset.test_fraction"] = "dataset.split=official"
    if config.dataset.manifest is not None:
        idle |= dict.fromkeys(_SPLITTING, "dataset.manifest, which says the split,")
    if not config.evaluation.pixel:
        idle["evaluation.aupro_limit"] = "evaluation.pixel=false"
    if not methods[0].predicts_noise:
        idle |= dict.fromkeys(_OF_NOISE, f"method {config.method.name}, which predicts no noise,")
    if not any(_overlap("training", prefix) for prefix in reads(config)):
        idle |= dict.fromkeys(
            (f"trainer.{name}" for name in _TRAINS), f"method {config.method.name}, which trains no network,"
        )
    if config.detector.threshold != "shifted" and all(each.one_score for each in methods):
        idle["detector.fitted_on"] = f"method {config.method.name}"
    return next((why for name, why in idle.items() if f"{key}.".startswith(f"{name}.")), None)


def unread_by(config: Config, key: str) -> str | None:
    """What does not read `key` or any key below it, in words; None where it has an effect."""
    return _unread_by(config, reads(config), key)


def _unread_by(config: Config, read: tuple[str, ...], key: str) -> str | None:
    if key.partition(".")[0] in METHODS_OWN and not any(_overlap(key, prefix) for prefix in read):
        return f"method {config.method.name}"
    first, _, rest = key.partition(".")
    section, layout = rest.partition(".")[0], config.dataset.layout
    if first == "dataset" and section not in (*_DATASET, layout):
        return f"layout {layout}"
    if key in _ONLY_WITH:
        section, name, needed = _ONLY_WITH[key]
        value = getattr(getattr(config, section), name)
        return None if value == needed else f"{section}.{name}={value}"
    return None


def _overlap(key: str, prefix: str) -> bool:
    return f"{key}.".startswith(f"{prefix}.") or f"{prefix}.".startswith(f"{key}.")


def effective(config: Config) -> dict[str, Plain]:
    """The config as plain values without what is not read; the method's own keys stand directly below `method`."""
    tree = plain(config)
    method = tree["method"]
    if isinstance(method, dict):
        method["controls"] = list[Plain](controls(config))
    return _pruned(config, reads(config), tree, "")


def _pruned(config: Config, read: tuple[str, ...], tree: Mapping[str, Plain], prefix: str) -> dict[str, Plain]:
    kept: dict[str, Plain] = {}
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if _unread_by(config, read, key) is None:
            kept[name] = _pruned(config, read, value, f"{key}.") if isinstance(value, dict) else value
    return kept
