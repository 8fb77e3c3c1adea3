"""Single-step, reconstruction-free anomaly detection with patch diffusion, as a configurable experiment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from radar.model import Model

__version__ = "0.1.0"
DISTRIBUTION = "radar-patch-diffusion"  # the name to install by: `radar` on PyPI is another project


def install_command(extra: str) -> str:
    """The command that adds an extra of pyproject.toml to this installation."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def load(run_or_folder: str | Path, device: str = "cpu", plugins: Sequence[str] = ()) -> Model:
    """The fitted model of a run directory or of a model's folder, on `device`; reading it executes nothing.

    `plugins` are modules to import first, where the model's method comes from one. Raises `RunError`, `ConfigError`.
    """
    from radar.model import load as load_model  # noqa: PLC0415 - torch, which the command line's help does without
    from radar.plugins import import_plugins  # noqa: PLC0415 - as above

    import_plugins(plugins)
    return load_model(run_or_folder, device)
