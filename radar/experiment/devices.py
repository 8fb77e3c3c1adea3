"""The devices of a process: how torch uses them, and which GPU it has among the processes of a sweep."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import gettempdir

import torch

from radar.config.schema import TrainerConfig

_VISIBLE = "CUDA_VISIBLE_DEVICES"


def configure_torch(trainer: TrainerConfig, threads: int) -> None:
    """Torch's settings of this process, as the trainer's section has them; `threads` where it leaves them open."""
    torch.set_num_threads(trainer.threads or threads)
    torch.set_float32_matmul_precision(trainer.matmul_precision)
    if trainer.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses
    if trainer.compile == "none":  # the same but for the compiler, whose import takes seconds of every command
        torch.set_deterministic_debug_mode("error" if trainer.deterministic else "default")
    else:
        torch.use_deterministic_algorithms(trainer.deterministic)


def claim_device() -> None:
    """Leave this process one GPU: a free one, or where there are more processes than GPUs, a shared one.

    Has no effect on a process that has used a GPU before. A cluster's scheduler that shows a job one GPU has decided already.
    """
    count = torch.cuda.device_count()
    if count > 1:
        names = [name.strip() for name in os.environ.get(_VISIBLE, "").split(",") if name.strip()]
        os.environ[_VISIBLE] = claimed(names or [str(number) for number in range(count)], Path(gettempdir()))


def claimed(names: Sequence[str], folder: Path) -> str:
    """The first of `names` that no living process holds, held from now on until this process ends."""
    for name in names:
        lock = os.open(folder / f"radar-gpu-{os.getuid()}-{name}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return name  # the lock stays open: the kernel frees it when the process ends
    return names[os.getpid() % len(names)]
