"""`radar monitor`: one line on whether photos still come as they did, an exit code for a scheduler, and the charts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from radar.cli.exit_codes import DONE, DRIFT
from radar.compose.settings import verb_settings
from radar.config.verbs import MonitorConfig
from radar.deploy.monitor import Chart, Monitored, in_utc
from radar.deploy.monitor import monitor as watched
from radar.errors import ConfigError
from radar.model_folder import load
from radar.runtime.options import Parser
from radar.runtime.paths import named_path
from radar.runtime.terminal import tell


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "radar monitor",
        description="Control charts of brightness, sharpness and scores over a log of radar predict: has anything changed?",
        epilog="Exit code: 0 in control, 1 drift, 3 and above: no answer.",
    )
    parser.add_argument("run", help="run directory, or a model's folder")
    parser.add_argument(
        "log", type=named_path, help="predictions.jsonl, or the folder that radar predict --out has written it to"
    )
    parser.add_argument("settings", nargs="*", help="key=value of conf/monitor")
    parser.add_argument(
        "--since", metavar="TIME", help="pass over what is older (ISO 8601, UTC); after a lamp was changed, say"
    )
    parser.add_argument("--picture", type=named_path, metavar="PNG", help="draw the charts")
    return parser


def monitor(arguments: Sequence[str]) -> int:
    """Run `radar monitor`; returns the exit code."""
    parsed = _parser().parse_intermixed_args(arguments)
    settings = verb_settings(MonitorConfig, "monitor", parsed.settings)
    since = None if parsed.since is None else _since(parsed.since)
    if parsed.picture is not None:
        _check_picture(parsed.picture)  # before the work
    found = watched(load(parsed.run), parsed.log, since, settings)
    print(_line(found, settings))
    if found.too_few_normals is not None:
        tell(
            f"note: scores were compared with those of the log's first {settings.baseline} photos, as the threshold's "
            f"{found.too_few_normals} normal images are fewer than baseline={settings.baseline}: what was wrong from the log's start "
            "is not seen; calibrate with more normal photos"
        )
    if parsed.picture is not None:
        _draw(parsed.picture, found)
    return DRIFT if found.drifted else DONE


def _check_picture(path: Path) -> None:
    """Raises `ConfigError` where the charts would take the place of a file that is no figure of radar's."""
    from radar.report.figures import is_figure  # noqa: PLC0415 - matplotlib, which most calls do without

    with suppress(OSError):  # what cannot be read is told when it cannot be written
        if path.exists() and not is_figure(path):
            raise ConfigError(
                f"--picture {path}: is no chart that radar signed, and would be replaced; name another file"
            )


def _since(text: str) -> datetime:
    try:
        return in_utc(text)
    except ValueError:
        raise ConfigError(f"--since {text}: is no time; write it as 2026-01-31T14:05") from None


def _line(found: Monitored, settings: MonitorConfig) -> str:
    passed = "".join(
        f", {count} {what} passed over"
        for count, what in (
            (found.unreadable, "unreadable"),
            (found.others, "of other models"),
            (found.repeated, "repeated"),
        )
        if count
    )
    photos = (
        f"{len(found.times)} photos from {_told(found.times[0])} to {_told(found.times[-1])}, {found.rejected} of them called "
        f"defective{passed}"
    )
    expected = f"a false alarm is expected once in {settings.run_length:g} photos"
    if not found.drifted:
        return f"in control: {photos}; {expected}"
    left = ", ".join(_left(chart, found.times) for chart in found.drifted)
    return f"drift: {left}; {photos}; {expected}"


def _left(chart: Chart, times: Sequence[datetime]) -> str:
    assert chart.alarm is not None
    return f"{chart.measure} left its limits at {_told(times[chart.alarm])} ({'rising' if chart.rises else 'falling'})"


def _told(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _draw(path: Path, found: Monitored) -> None:
    """A picture that fails is told, and the answer stands."""
    try:
        from radar.report.control_charts import write_control_charts  # noqa: PLC0415 - matplotlib, which most calls do without

        write_control_charts(path, found)
    except Exception as error:
        tell(f"{path}: cannot be drawn ({error})")
