"""The table that answers a sweep: printed at its end, written into its folder, and printed again by `radar report`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from radar.cli.transfer import add_transfers
from radar.errors import ConfigError
from radar.experiment.sweep import Sweep
from radar.experiment.transfer import DoneRun
from radar.files import make_folder, write_text
from radar.report.control_settings import without_control_settings
from radar.report.result import Result
from radar.report.stored import read_results
from radar.report.tables import Table, csv_text, latex, markdown
from radar.report.tables_sweep import ANSWERS, sweep_table
from radar.report.tables_transfer import Transfers
from radar.runtime.file_names import file_name

_TRANSFER = "transfer"


def print_answer(sweep: Sweep, name: str) -> None:
    """Print the table `name` of the jobs that are done, and write it into the sweep's folder."""
    done = sweep.done()
    if not done:
        return
    transfers: Transfers = []
    if name == _TRANSFER:
        runs = [DoneRun.at(path) for path in done]
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        transfers = add_transfers(runs, sweep.root, device, []) if len({run.data for run in runs}) > 1 else []
    content = sweep_table(name, without_control_settings(read_results(done)), None, transfers)
    print(f"\n{markdown(content)}")
    for file in write_answer(content, sweep.path):
        print(file)
    print(f"Again: radar report {sweep.path} --table {name}")


def answer(name: str, results: Sequence[Result], seeds: int | None, transfers: Transfers) -> Table:
    """The table `name` of results. Raises `ConfigError` for an unknown one."""
    if name not in (known := (*ANSWERS, _TRANSFER)):
        raise ConfigError(f"--table {name}: there is none of this name; there are: {', '.join(sorted(known))}")
    return sweep_table(name, results, seeds, transfers)


def write_answer(content: Table, folder: Path) -> list[Path]:
    """Write a table as Markdown, LaTeX and CSV."""
    make_folder(folder)
    texts = (markdown(content), latex(content), csv_text(content))
    paths = [folder / name for name in answer_names(content)]
    for path, text in zip(paths, texts, strict=True):
        write_text(path, text)
    return paths


def answer_names(content: Table) -> list[str]:
    """Names of the files that hold a table."""
    return [f"{file_name(content.name)}.{ending}" for ending in ("md", "tex", "csv")]
