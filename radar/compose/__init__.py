"""From a command line to checked configs, errors in one line.

In a program of one's own, `compose.experiment(["experiment=paper", "dataset=grid"])` gives the checked `Config` that the
command `radar experiment=paper dataset=grid` runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from radar.compose import hydra_internals
from radar.compose.command_line import CommandLine
from radar.compose.composed_config import refuse_empty_root
from radar.compose.messages import one_line, refuse_numbers_for_groups, refuse_sweeps
from radar.config.schema import Config
from radar.config.typed import refuse_numbers_for_names
from radar.files import expanded
from radar.plugins import import_plugins

__all__ = ["experiment", "output_root"]


def experiment(
    overrides: Sequence[str],
    *,
    presets: Sequence[str] = (),
    config_dir: str | None = None,
    plugins: Sequence[str] = (),
) -> Config:
    """One checked config, composed as the command `radar OVERRIDES` does.

    `presets` are overrides that are dropped where the method does not read them; `config_dir` is a folder with configs of one's
    own, `plugins` are modules with methods and layouts. Raises `ConfigError`, one line that names the key and the fix.
    """
    from radar.compose.plan import plan  # noqa: PLC0415 - methods, and with them torch, are of no use to the rest

    import_plugins(plugins)
    return plan(CommandLine(tuple(overrides), tuple(presets), config_dir=config_dir)).jobs[0].config


def output_root(overrides: Sequence[str]) -> Path:
    """Where experiments with these overrides keep their outputs; no other key is checked. Raises `ConfigError`."""
    refuse_numbers_for_groups(overrides)
    with one_line(overrides), hydra_internals.composing():
        refuse_sweeps(overrides)
        root = hydra_internals.compose_config(hydra_internals.CONFIG_NAME, overrides).output_root
    refuse_numbers_for_names(root, "output_root")
    refuse_empty_root(str(root))
    return Path(expanded(str(root)))
