"""Memory that work would take, before it is taken, and what running out of it looks like."""

from __future__ import annotations

from pathlib import Path

import torch

from radar.errors import ConfigError, RunError

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")  # of a container: its limit may be below what the machine has
_CPU_MESSAGES = ("can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")


class OutOfMemoryError(RunError):
    """Memory ran out, and nothing is left that could take less."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on the host or on a GPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError, OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _CPU_MESSAGES)


def available(device: torch.device) -> int | None:
    """Bytes that are free on the host or on a GPU; None where the system does not say."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    known = [each for each in (_free_on_machine(), _free_in_group()) if each is not None]
    return min(known, default=None)


def require(needed: int, device: torch.device, key: str, advice: str) -> None:
    """Raise `ConfigError` where `needed` bytes are more than are free; `key` says with its value what takes them."""
    free = available(device)
    if free is not None and needed > free:
        where = "the GPU" if device.type == "cuda" else "this machine"
        raise ConfigError(
            f"{key}: takes at least {needed / 1e9:,.1f} GB of memory, and {free / 1e9:,.1f} GB are free on {where}; {advice}"
        )


def _free_on_machine() -> int | None:
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _free_in_group() -> int | None:
    try:
        limit, used = (int((_GROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        kept = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
        return limit - used + int(kept.get("inactive_file", 0))  # files that were read, which give way
    except (OSError, ValueError):  # no such group, or "max": no limit
        return None
