"""Which device trains and scores."""

from __future__ import annotations

import torch

from radar.config.schema import TrainerConfig
from radar.errors import ConfigError


def named_device(name: str) -> torch.device:
    """The device that a user names. Raises `ConfigError` for what is neither a CPU nor a GPU that is there."""
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda"):
            raise ValueError("it is neither a CPU nor a CUDA GPU")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device={name}: cannot be used ({reason}); use cpu, cuda or cuda:N") from None
    return device


def resolve_device(trainer: TrainerConfig) -> torch.device:
    """The device that trains and scores. Raises `ConfigError` where `trainer.accelerator=gpu` finds none."""
    available = torch.cuda.is_available()
    if trainer.accelerator == "gpu" and not available:
        raise ConfigError("trainer.accelerator=gpu: no GPU is available; use trainer=cpu or trainer=auto")
    if trainer.precision == "16-mixed" and not available:
        raise ConfigError("trainer.precision=16-mixed: needs a GPU; use trainer.precision=bf16-mixed or 32-true")
    return torch.device("cuda" if available and trainer.accelerator != "cpu" else "cpu")
