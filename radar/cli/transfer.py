"""`radar transfer`: models of done runs, scored on the test images of each other's data sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from radar.cli.exit_codes import DONE, FAILED
from radar.errors import RunError
from radar.experiment.transfer import RECORDS_NAME, DoneRun, Transfer, read_transfers, transfers, write_transfers
from radar.files import make_folder
from radar.progress import silent
from radar.runtime.options import Parser
from radar.runtime.paths import named_path
from radar.runtime.terminal import say, tell
from radar.training.device import named_device


def transfer(arguments: Sequence[str]) -> int:
    """Run `radar transfer`; returns the exit code."""
    parser = Parser(
        "radar transfer",
        description="Score each run's model on the test images of the other runs' data sets, at the threshold that the run fitted.",
    )
    parser.add_argument("runs", nargs="+", type=named_path, help="run directories, on two data sets or more")
    parser.add_argument(
        "--out", type=named_path, required=True, help=f"folder whose {RECORDS_NAME} the results are added to"
    )
    parser.add_argument("--device", required=False, default="cpu", help="cpu (default), cuda or cuda:N")
    parsed = parser.parse_args(arguments)
    runs = [DoneRun.at(path) for path in parsed.runs]
    if len({run.data for run in runs}) < 2:
        raise RunError("transfer: all runs are on one data set; name runs on two or more")
    left_out: list[str] = []
    records = add_transfers(runs, parsed.out, named_device(parsed.device), left_out)
    say(f"{len(records)} transfers: {parsed.out / RECORDS_NAME}" if records else "0 transfers; no file is written")
    return FAILED if left_out else DONE


def add_transfers(runs: Sequence[DoneRun], folder: Path, device: torch.device, left_out: list[str]) -> list[Transfer]:
    """Ask the models of `runs` about each other's data sets, where `folder` does not know yet; all that it knows then.

    What cannot be asked is told, and added to `left_out`; what is not, as it would flatter a model, is told.
    """

    def leave_out(line: str) -> None:
        tell(f"left out: {line}")
        left_out.append(line)

    def not_asked(line: str) -> None:
        tell(f"not asked: {line}")

    make_folder(folder)
    path = folder / RECORDS_NAME
    records = read_transfers(path)
    known = {each.pair for each in records}
    for record in transfers(runs, known, device, silent, leave_out, not_asked=not_asked):
        records.append(record)
        write_transfers(path, records)
        auroc = record.image.auroc
        shown = "no anomalous images" if auroc is None else f"AUROC {auroc:.3f}"
        say(f"{record.source_run} on {record.target_dataset}: {shown}")
    return records
