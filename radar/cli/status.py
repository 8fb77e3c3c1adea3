"""`radar status`: how far a sweep is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE
from rich.table import Table

from radar.cli.exit_codes import DONE, FAILED
from radar.cli.printing import PlainConsole
from radar.compose import output_root
from radar.compose.settings import is_override
from radar.errors import RunError
from radar.experiment.sweep import JobState, Sweep, damaged_sweeps, seconds_left, sweeps
from radar.runtime.options import Parser
from radar.runtime.paths import named
from radar.runtime.terminal import tell


def status(arguments: Sequence[str]) -> int:
    """Run `radar status`; returns the exit code, which says whether every job is done."""
    parser = Parser("radar status", description="How far a sweep is: done, running, failed, missing.")
    parser.add_argument(
        "sweep", type=named, nargs="?", help="name or folder of a sweep; none: the latest one, and a list of all"
    )
    parser.add_argument("overrides", nargs="*", help="output_root=FOLDER")
    parsed = parser.parse_args(arguments)
    if parsed.sweep is not None and is_override(parsed.sweep):
        parsed.overrides, parsed.sweep = [parsed.sweep, *parsed.overrides], None
    root, console = output_root(parsed.overrides), PlainConsole()
    if parsed.sweep is None:
        known, damaged = sweeps(root), damaged_sweeps(root)
        if not known:
            raise damaged[0] if damaged else RunError(f"{root}: no sweep was started here; radar -m key=a,b starts one")
        for error in damaged:
            tell(f"note: {error}")
        for each in known[1:]:
            console.print(_line(each), highlight=False, soft_wrap=True)
        sweep = known[0]
    else:
        sweep = Sweep.named(root, parsed.sweep)
    states = sweep.states()
    console.print_table(_table(sweep, states))
    console.print(_line(sweep), highlight=False, soft_wrap=True)
    finished = states and all(state.state == "done" for state in states) and not sweep.is_searching
    return DONE if finished else FAILED


def _line(sweep: Sweep) -> str:
    states = sweep.states()
    counts = Counter(state.state for state in states)
    parts = [
        f"{counts[state]} {state}" for state in ("done", "running", "failed", "interrupted", "missing") if counts[state]
    ]
    if sweep.is_searching:
        parts.append("trials of the search are left: they run, or the same command makes them")
    if not states:
        parts.append("nothing was started")
    left = seconds_left(states)
    if left:
        parts.append(f"about {left / 60:.1f} min left at the mean time of a job")
    content = sweep.content()
    return f"{sweep.path.name}: {', '.join(parts)}; started {content['started']}: radar {' '.join(content['command'])}"


def _table(sweep: Sweep, states: Sequence[JobState]) -> Table:
    table = Table(title=f"Sweep {sweep.path.name}", title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("job")
    table.add_column("state")
    table.add_column("seconds", justify="right")
    table.add_column("directory, or why it failed")
    for state in states:
        seconds = "" if state.seconds is None else f"{state.seconds:.1f}"
        table.add_row(
            state.name, state.state, seconds, state.error or (state.directory.name if state.directory else "")
        )
    return table
