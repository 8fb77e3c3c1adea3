"""GPUs of one machine, shared out between processes: checked with locks alone, since the test machine may have none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from radar.experiment.devices import claimed

HOLD = """
import sys
from pathlib import Path
from radar.experiment.devices import claimed
print(claimed(["0", "1"], Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def holder(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_each_process_has_a_gpu_of_its_own_and_a_dead_one_gives_it_back(tmp_path: Path) -> None:
    first, of_first = holder(tmp_path)
    second, of_second = holder(tmp_path)
    assert (of_first, of_second) == ("0", "1")
    assert claimed(["0", "1"], tmp_path) in ("0", "1")  # more processes than GPUs: shared
    first.kill()
    first.wait()
    assert claimed(["0", "1"], tmp_path) == "0"
    second.communicate("")
