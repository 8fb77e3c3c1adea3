"""`radar predict`: a run's model asked about new photos, a line for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from radar.compose.settings import is_override, refuse_unread, verb_settings
from radar.config.verbs import PredictConfig
from radar.deploy.current_model import CurrentModel
from radar.deploy.scorer import ModelScorer
from radar.experiment.devices import configure_torch
from radar.model_folder import load
from radar.runtime.command import answer, checked, parser_of
from radar.runtime.decoding import EXTENSIONS
from radar.runtime.terminal import tell

_NAME = "radar predict"


def predict(arguments: Sequence[str]) -> int:
    """Run `radar predict`; returns the exit code."""
    parser = parser_of(
        _NAME, "run directory, or a model's folder", "files, folders, patterns; key=value of conf/predict"
    )
    parsed = parser.parse_intermixed_args(arguments)
    overrides = [word for word in parsed.paths if _is_override(word)]
    parsed.paths = [word for word in parsed.paths if word not in overrides]
    paths = checked(parsed)
    settings = verb_settings(PredictConfig, "predict", overrides)
    if parsed.watch is None:
        refuse_unread(overrides, dict.fromkeys(("interval", "patience"), "radar predict without --watch"))
    if not parsed.overlays:
        refuse_unread(overrides, dict.fromkeys(("colour_range", "opacity"), "radar predict without --overlays"))
    model = load(parsed.model, settings.device)
    configure_torch(model.config.trainer, settings.threads or torch.get_num_threads())
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    current = CurrentModel(Path(parsed.model), model, tell)
    return answer(parsed, paths, ModelScorer(model, current), settings)


def _is_override(word: str) -> bool:
    """Also a key that is mistyped: to take it for a photo that is not there would hide that."""
    key, _, value = word.partition("=")
    like_a_file = "/" in value or value.lower().endswith(EXTENSIONS)
    return is_override(word) and key.replace(".", "_").isidentifier() and not like_a_file
