"""How much memory a stage takes: its peak, and how far that lies above what was there when it began."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from radar.evaluation.metrics import StageMemory

_PROCESS = Path("/proc/self")
_RESET_PEAK = "5"  # to clear_refs: the peak becomes what is resident now


def follow_memory() -> Callable[[], StageMemory]:
    """Begin to follow the memory of this process and of its GPU; the function that is returned says what it was since.

    The kernel and torch keep one peak each, which beginning anew sets back: of two stages, one must end before the other
    begins. The peak of the host is not known where the kernel cannot set it back, as beside Linux; that of the device where
    no GPU was used. Processes that this one starts are not counted.
    """
    host = _host("VmRSS") if _set_back() else None
    device = _device_now()

    def since() -> StageMemory:
        return StageMemory(*_peak_and_growth(host, _host("VmHWM")), *_peak_and_growth(device, _device_peak()))

    return since


def _peak_and_growth(before: float | None, peak: float | None) -> tuple[float | None, float | None]:
    if before is None or peak is None:
        return None, None
    return round(peak, 1), round(peak - before, 1)


def _set_back() -> bool:
    try:
        (_PROCESS / "clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def _host(field: str) -> float | None:
    """A line of the kernel's account of this process, MiB."""
    try:
        lines = (_PROCESS / "status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), None)


def _device_now() -> float:
    """What torch has allocated on the GPU, MiB, its peak being set to that; 0 before a GPU is used."""
    if not _uses_gpu():
        return 0.0
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated() / 1024**2


def _device_peak() -> float | None:
    return torch.cuda.max_memory_allocated() / 1024**2 if _uses_gpu() else None


def _uses_gpu() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
