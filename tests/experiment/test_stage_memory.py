"""The memory of a stage is that of this stage alone, and is stored with its result."""

from __future__ import annotations

from mmap import mmap
from pathlib import Path

import pytest
import torch

from radar.evaluation.metrics import StageMemory
from radar.experiment import memory
from radar.experiment.artefact_store import ArtefactStore
from radar.experiment.memory import follow_memory
from radar.experiment.stage import Stage, json_stage
from radar.files import Plain, read_json, write_json

PLANTED = 96  # MiB
BESIDE = 24  # MiB that anything else may take meanwhile

needs_linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the kernel keeps no such peak")


def stage(store: ArtefactStore, mebibytes: int) -> Stage[dict[str, Plain]]:
    def make() -> dict[str, Plain]:
        with mmap(-1, mebibytes * 2**20) as pages:  # an array may take what an earlier one has let go
            for _ in range(mebibytes):
                pages.write(bytes(2**20))
            return {"written": pages.tell()}

    return json_stage(store, "data_measures", {"mebibytes": mebibytes}, {}, make)


@needs_linux
def test_a_planted_allocation_is_seen_in_its_stage_and_not_in_the_next(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    found = []
    for mebibytes in (PLANTED, 1):
        made = stage(store, mebibytes)
        assert made.memory is None
        assert made.value["written"] == mebibytes * 2**20
        found.append(made.memory)
    large, small = found
    assert large is not None and small is not None
    assert PLANTED - 1 <= large.host_growth < PLANTED + BESIDE
    assert small.host_growth < BESIDE
    assert large.host - small.host > PLANTED - BESIDE
    assert stage(ArtefactStore(tmp_path), PLANTED).memory == large  # as it was when it was made


def test_of_a_result_that_was_stored_without_it_the_memory_is_not_known(tmp_path: Path) -> None:
    made = stage(ArtefactStore(tmp_path), 1)
    assert made.value
    (file,) = tmp_path.glob("*/*/made.json")
    record = read_json(file, "")
    del record["memory"]
    write_json(file, record)
    assert made.memory is None
    assert made.seconds is not None


def test_where_the_kernel_cannot_set_its_peak_back_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_PROCESS", tmp_path / "nowhere")
    measured = follow_memory()()
    assert (measured.host, measured.host_growth) == (None, None)


def test_the_peak_of_a_gpu_is_set_back_before_each_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = {"now": 8 * 2**20, "peak": 900 * 2**20}  # as an earlier stage left it
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: gpu["now"])
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: gpu["peak"])
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: gpu.update(peak=gpu["now"]))
    since = follow_memory()
    gpu["peak"] = 48 * 2**20
    measured = since()
    assert (measured.device, measured.device_growth) == (48.0, 40.0)


def test_without_a_gpu_nothing_is_told_of_it() -> None:
    if torch.cuda.is_initialized():
        pytest.skip("a GPU is in use")
    measured = follow_memory()()
    assert isinstance(measured, StageMemory)
    assert (measured.device, measured.device_growth) == (None, None)
