"""Single-step, reconstruction-free anomaly detection with patch diffusion, as a configurable experiment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from radar.model import Model
    from radar.runtime.prediction import Prediction

__version__ = "0.1.0"
_UNREAD = (
    "device",
    "threads",
    "interval",
    "patience",
    "colour_range",
    "opacity",
)  # of conf/predict: what a line does not hold
DISTRIBUTION = "radar-patch-diffusion"  # the name to install by: `radar` on PyPI is another project


def install_command(extra: str) -> str:
    """The command that adds an extra of pyproject.toml to this installation."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def load(run_or_folder: str | Path, device: str = "cpu", plugins: str | Sequence[str] = ()) -> Model:
    """The fitted model of a run directory or of a model's folder, on `device`; reading it executes nothing.

    `plugins` are modules, or the one, to import first, where the model's method comes from one. Raises `RunError`, `ConfigError`.
    """
    from radar.errors import ConfigError  # noqa: PLC0415 - as the next, which needs
    from radar.model_folder import load as load_model  # noqa: PLC0415 - torch, which the command line's help does without
    from radar.plugins import import_plugins  # noqa: PLC0415 - as above

    names = [plugins] if isinstance(plugins, str) else plugins
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise ConfigError(
            f"plugins: a value of type {type(plugins).__name__} names no modules; give a name, or a list of names"
        )
    import_plugins(names)
    return load_model(run_or_folder, device)


def predict(model: Model, paths: str | Path | Sequence[str | Path], *overrides: str) -> Iterator[Prediction]:
    """What `model` says of image files, folders and patterns, or of one, each photo in its order, as `radar predict` does.

    `overrides` are keys of conf/predict that say what a line holds, such as "regions=5"; the device is the model's, and threads are
    torch's. A file that cannot be read is told in its prediction. Raises
    `DataError` where a folder or a pattern holds no image or another name leads nowhere, `ConfigError` for a wrong key, `RunError`
    for what is no model.
    """
    from radar.compose.settings import refuse_unread, verb_settings  # noqa: PLC0415 - as above
    from radar.config.verbs import PredictConfig  # noqa: PLC0415 - as above
    from radar.deploy.scorer import ModelScorer  # noqa: PLC0415 - as above
    from radar.errors import RunError  # noqa: PLC0415 - as above
    from radar.model import Model  # noqa: PLC0415 - as above
    from radar.runtime.paths import given_paths, image_files  # noqa: PLC0415 - as above
    from radar.runtime.stream import examined  # noqa: PLC0415 - as above

    settings = verb_settings(PredictConfig, "predict", overrides)
    refuse_unread(overrides, dict.fromkeys(_UNREAD, "radar.predict"))
    if not isinstance(model, Model):
        raise RunError(f"a value of type {type(model).__name__} is no model; give what radar.load returns")
    files = image_files([str(path) for path in given_paths(paths)])
    return (each.prediction for each in examined(ModelScorer(model), files, settings))
