"""Code that a config names runs only where the command line names its module: `--plugins`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from omegaconf import DictConfig, OmegaConf

from radar.errors import ConfigError

_KEYS = ("_target_", "()", "class")  # behind which Hydra, or the logging module, looks for something to call
_REFERENCE = "ext://"  # behind which logging looks for something to import
_KNOWN = ("hydra._internal.core_plugins.", "hydra_plugins.", "optuna.samplers.", "logging.", "colorlog.", "sys.")


def refuse_code(settings: DictConfig, plugins: Sequence[str]) -> None:
    """Raise `ConfigError` where Hydra's own node names code that is neither Hydra's, of an installed launcher, nor of `plugins`."""
    known = (*_KNOWN, *(f"{plugin}." for plugin in plugins))
    for key, named in _named(OmegaConf.to_container(settings, resolve=False), "hydra"):
        if not named.startswith(known):
            module = named.rpartition(".")[0] or "MODULE"
            raise ConfigError(
                f"{key}={named}: a config runs no code of its own; name its module with --plugins {module}"
            )


def _named(node: object, key: str) -> Iterator[tuple[str, str]]:
    """Where code is named below `key`, and which."""
    if isinstance(node, dict):
        for name, value in node.items():
            below = f"{key}.{name}"
            if name in _KEYS and value is not None:
                yield below, str(value)
            else:
                yield from _named(value, below)
    elif isinstance(node, list):
        for value in node:
            yield from _named(value, key)
    elif isinstance(node, str) and node.startswith(_REFERENCE):
        yield key, node.removeprefix(_REFERENCE)
