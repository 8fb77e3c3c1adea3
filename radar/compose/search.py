"""A search with Optuna: a study that outlives its process, and goes on where it was stopped."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

from omegaconf import DictConfig

from radar.compose.hydra_internals import searches_with_optuna
from radar.compose.overrides import quoted
from radar.errors import ConfigError

_NAME = "radar"


def study_overrides(settings: DictConfig, file: Path) -> list[str] | None:
    """Where Hydra's Optuna sweeper keeps its study, in `file`, and how many trials are left; None where none is.

    A trial whose process was killed is tried again before new ones. Raises `ConfigError` for another sweeper.
    """
    if not searches_with_optuna(settings):
        raise ConfigError(f"hydra/sweeper: {settings.sweeper._target_} is not known here; use basic or optuna")
    import optuna  # noqa: PLC0415 - an extra, which only a search needs

    optuna.logging.set_verbosity(logging.WARNING)
    storage = _storage(file)
    study = optuna.create_study(
        study_name=_NAME, storage=storage, direction=str(settings.sweeper.direction), load_if_exists=True
    )
    states = optuna.trial.TrialState
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):  # its process was killed
            study.enqueue_trial(trial.params)
            study.tell(trial.number, state=states.FAIL)
    trials = study.get_trials(deepcopy=False)
    ended = sum(trial.state in (states.COMPLETE, states.FAIL) for trial in trials)
    repeated = sum("fixed_params" in trial.system_attrs for trial in trials)  # stands for one that was killed
    left = settings.sweeper.n_trials - ended + repeated
    if left <= 0:
        return None
    overrides = [
        f"hydra.sweeper.study_name={_NAME}",
        f"hydra.sweeper.storage={quoted(storage)}",
        f"hydra.sweeper.n_trials={left}",
    ]
    seed = settings.sweeper.sampler.get("seed")
    if seed is not None:  # a sampler that begins anew would draw its first trials once more
        overrides.append(f"hydra.sweeper.sampler.seed={seed + len(trials)}")
    return overrides


def nothing_found(file: Path) -> bool:
    """Whether trials of the study in `file` were made, and every one failed."""
    import optuna  # noqa: PLC0415

    study = optuna.load_study(study_name=_NAME, storage=_storage(file))
    states = {trial.state for trial in study.get_trials(deepcopy=False)}
    return states == {optuna.trial.TrialState.FAIL}


def _storage(file: Path) -> str:
    return f"sqlite:///{file}"
