"""`radar report`: tables, figures and one page from stored results; nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from radar.cli.answer import answer, answer_names, write_answer
from radar.compose.settings import is_override, verb_settings
from radar.config.verbs import ReportConfig
from radar.errors import ConfigError, RunError
from radar.experiment.sweep import Sweep
from radar.files import claim, list_claimed, make_subfolder, refuse_foreign, remove_claimed, write_text, writing
from radar.report.build import Report, table_files, write_figures, write_tables
from radar.report.cells import Cell
from radar.report.control_settings import without_control_settings
from radar.report.html import page
from radar.report.result import Result
from radar.report.stored import read_results
from radar.report.tables import markdown, marked
from radar.report.tables_transfer import note_on_untold, transfers_at
from radar.runtime.options import Parser
from radar.runtime.paths import named, named_path
from radar.runtime.terminal import brief, tell

PAGE = "report.html"
_VERB = "report"
_TABLES, _FIGURES = "tables", "figures"
_OF_ONE_TABLE = ("seeds", "development")  # keys that --table reads


def report(arguments: Sequence[str]) -> int:
    """Run `radar report`; returns the exit code."""
    parser = Parser("radar report", description="Tables, figures and one page from stored results.")
    parser.add_argument(
        "paths", type=named, nargs="*", help="run directories, records, sweeps, folders of them; key=value"
    )
    parser.add_argument(
        "--out", type=named_path, help="folder that the report is written to; with --table it may be left out"
    )
    parser.add_argument("--table", metavar="NAME", help="print that one table, as a sweep with sweep.table=NAME does")
    parsed = parser.parse_intermixed_args(arguments)
    overrides = [each for each in parsed.paths if is_override(each)]
    paths = [Path(each) for each in parsed.paths if each not in overrides]
    if not paths:
        raise RunError("report: nothing to report on; name run directories, records, or folders of them")
    if parsed.out is None and parsed.table is None:
        raise RunError("report: nowhere to write to; name a folder with --out, or one table with --table")
    paths, folders = _without_sweeps(paths)
    results = without_control_settings(read_results(paths))
    settings = (
        report_settings(overrides)
        if parsed.table is None
        else used_settings(overrides, _OF_ONE_TABLE, "report --table")
    )
    _check_development(settings.development, results)
    content = Report(results, settings, transfers_at(folders))
    if parsed.table is not None:
        told = answer(parsed.table, results, settings.seeds, content.transfers)
        told = marked(told, settings.development)
        if parsed.out is not None:
            refuse_foreign(parsed.out, _VERB, answer_names(told))
        if not told.rows:
            tell(f"note: the table {parsed.table} has no row, as nothing that was read has what it tells")
        if parsed.table == "transfer":
            _say_untold(content, content.all_cells)
        print(markdown(told), end="")
        if parsed.out is not None:
            claim(parsed.out, _VERB, answer_names(told))
            write_answer(told, parsed.out)
        return 0
    _write(content, parsed.out)
    _say_untold(content, content.cells)
    return 0


def _say_untold(content: Report, shown: Sequence[Cell]) -> None:
    if note := note_on_untold(content.results, shown, content.transfers):
        tell(note)


def _write(content: Report, out: Path) -> None:
    """Tables, figures, and last the page, in place of all that an earlier report wrote. Its page goes first, so that an interruption
    leaves none that tells of other files than lie beside it.
    """
    claim(out, _VERB, (PAGE, _TABLES, _FIGURES))
    table_folder, figure_folder = make_subfolder(out, _TABLES), make_subfolder(out, _FIGURES)
    files = table_files(content)
    with writing(out / PAGE):
        (out / PAGE).unlink(missing_ok=True)
    remove_claimed(out, _VERB, (_TABLES, _FIGURES))
    list_claimed(out, _VERB, [f"{_TABLES}/{name}" for name in files])
    tables = write_tables(files, table_folder)
    figures = write_figures(
        content, figure_folder, lambda names: list_claimed(out, _VERB, [f"{_FIGURES}/{name}" for name in names])
    )
    write_text(out / PAGE, page(content, figures))
    print(f"{len(content.results)} runs, {len(tables)} table files, {len(figures)} figures: {out / PAGE}")


def _without_sweeps(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The runs of sweeps in the place of their folders, and the folders where transfers lie."""
    runs: list[Path] = []
    folders: list[Path] = []
    for path in paths:
        sweep = Sweep.at(path)
        is_sweep = sweep.is_there
        if is_sweep and (missing := sum(state.state != "done" for state in sweep.states())):
            tell(f"note: {missing} jobs of this sweep are not done, or damaged; radar status {path} says why")
        runs += sweep.done() if is_sweep else [path]
        folders.append(sweep.root if is_sweep else path)
    if not runs:
        raise RunError(f"{paths[0]}: no job of this sweep is done; radar status {paths[0]} says how far it is")
    return runs, folders


def _check_development(names: Sequence[str], results: Sequence[Result]) -> None:
    """Raise `ConfigError` for names that no result has, whose rows would stay unmarked."""
    there = sorted({result.dataset for result in results})
    if missing := [name for name in names if name not in there]:
        unknown = ",".join(map(brief, missing))
        raise ConfigError(f"development=[{unknown}]: no result is of such a data set; there are: {', '.join(there)}")


def report_settings(overrides: Sequence[str]) -> ReportConfig:
    """conf/report/default.yaml with `overrides`. Raises `ConfigError`."""
    return verb_settings(ReportConfig, "report", overrides)


def used_settings(overrides: Sequence[str], used: Sequence[str], what: str) -> ReportConfig:
    """The same for `what`, which reads the keys `used` alone. Raises `ConfigError` for another one, which would do nothing."""
    settings = report_settings(overrides)
    for word in overrides:
        if word.partition("=")[0].partition(".")[0] not in used:
            raise ConfigError(
                f"{brief(word)}: {what} does not read this key; leave it out, or give one of {', '.join(used)}"
            )
    return settings
