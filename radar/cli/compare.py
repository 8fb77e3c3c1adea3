"""`radar compare`: what tells runs apart, and what that did to the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table as Printed

from radar.cli.printing import PlainConsole
from radar.cli.report import used_settings
from radar.compose.settings import is_override
from radar.errors import RunError
from radar.report.comparison import comparison_tables
from radar.report.records import is_records
from radar.report.result import Result
from radar.report.stored import read_results
from radar.report.tables import Table, markdown
from radar.runtime.options import Parser
from radar.runtime.paths import named

_USED = ("level", "alpha", "resamples", "permutations", "seed")  # keys of conf/report


def compare(arguments: Sequence[str]) -> int:
    """Run `radar compare`; returns the exit code."""
    parser = Parser("radar compare", description="What differs in config, data, versions and numbers.")
    parser.add_argument(
        "runs",
        nargs="+",
        type=named,
        help="run directories, FILE:RUN of records; level=, alpha=, resamples=, permutations=, seed=",
    )
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parsed = parser.parse_intermixed_args(arguments)
    overrides = [each for each in parsed.runs if is_override(each) and is_override(each.rpartition(":")[0] or each)]
    results = [_one_result(each) for each in parsed.runs if each not in overrides]
    if len(results) < 2:
        raise RunError("compare: one run has nothing to be compared with; name two or more")
    console = PlainConsole()
    for each in comparison_tables(results, used_settings(overrides, _USED, "compare")):
        if parsed.markdown:
            print(markdown(each))
        else:
            console.print_table(_printed(each))
    return 0


def _one_result(text: str) -> Result:
    """Of a run directory, or of a run in a file of records: FILE:RUN."""
    path, _, name = text.rpartition(":")
    of_records = bool(path) and is_records(Path(path))
    results = read_results([Path(path if of_records else text)])
    named = [each for each in results if each.name == name] if of_records else results
    if len(named) != 1:
        some = ", ".join(each.name for each in results[:3])
        raise RunError(
            f"{text}: {len(results)} runs are here; name one run directory, or one of a file as FILE:RUN ({some}, …)"
        )
    return named[0]


def _printed(content: Table) -> Printed:
    printed = Printed(
        title=content.title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0),
        caption="\n".join(content.notes) or None, caption_justify="left",
    )  # fmt: skip
    for column, heading in enumerate(content.headings):
        printed.add_column(heading, justify="right" if column in content.numeric else "left")
    for row in content.rows:
        printed.add_row(*(entry.text for entry in row))
    return printed
