"""A long sweep in one process does not grow it."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_experiment import run

from radar.config.schema import Config
from radar.experiment.session import Session


def resident_mib() -> float:
    """What is held, without what was let go and lies between it: how much that is depends on what the process did before."""
    gc.collect()
    getattr(ctypes.CDLL(None), "malloc_trim", bool)(0)
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads resident memory from /proc")
def test_fifty_jobs_do_not_grow_the_process(tiny: Callable[..., Config]) -> None:
    session = Session(afresh=None)
    after: list[float] = []
    for number in range(50):
        config = tiny(f"seed={number}", "training.max_steps=4", "method.controls=[]")
        run(config, session)
        after.append(resident_mib())
    assert after[-1] <= 1.02 * after[4]  # the first jobs load what all of them use
