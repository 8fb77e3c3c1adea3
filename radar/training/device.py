"""Which device trains and scores."""

from __future__ import annotations

import torch

from radar.config.schema import TrainerConfig
from radar.errors import ConfigError


def resolve_device(trainer: TrainerConfig) -> torch.device:
    """The device that trains and scores. Raises `ConfigError` where `trainer.accelerator=gpu` finds none."""
    available = torch.cuda.is_available()
    if trainer.accelerator == "gpu" and not available:
        raise ConfigError("trainer.accelerator=gpu: no GPU is available; use trainer=cpu or trainer=auto")
    if trainer.precision == "16-mixed" and not available:
        raise ConfigError("trainer.precision=16-mixed: needs a GPU; use trainer.precision=bf16-mixed or 32-true")
    return torch.device("cuda" if available and trainer.accelerator != "cpu" else "cpu")
