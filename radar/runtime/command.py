"""Asking a model about photos from the command line: a line for each, pictures, a watched folder; `radar predict` is this, too."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from threading import Event

from . import prediction as said
from .errors import ConfigError, DataError
from .examination import Examined
from .exit_codes import DEFECTIVE, DONE, UNREADABLE
from .log import continued_log, new_log
from .options import Parser
from .overlays import remove_pictures, write_mask, write_overlay
from .paths import image_files, named_path, note_on_passed_over, refuse_results
from .picture import Scorer
from .settings import PredictSettings
from .stream import examined
from .terminal import printable, tell
from .watch import Watcher

Take = Callable[[Examined], None]


def parser_of(name: str, model: str, paths: str) -> argparse.ArgumentParser:
    """The options of the command `name`; `model` and `paths` say what these arguments are."""
    parser = Parser(
        name,
        description="Score photos with a model: a line each, good, defective or unreadable, and where.",
        epilog="Exit code: 0 all are good, 1 some are defective, 2 some are unreadable, 3 and above: no answer.",
    )
    parser.add_argument("model", help=model)
    parser.add_argument("paths", nargs="*", help=paths)
    parser.add_argument(
        "--watch", type=named_path, metavar="FOLDER", help="score what comes into a folder, until stopped"
    )
    parser.add_argument(
        "--out",
        type=named_path,
        metavar="FOLDER",
        help="for predictions.csv, predictions.jsonl and pictures; else lines are printed",
    )
    parser.add_argument("--overlays", action="store_true", help="draw what is flagged over each photo, in its own size")
    parser.add_argument(
        "--masks", action="store_true", help="write what is flagged as 0 and 255, in the photo's own size"
    )
    parser.add_argument("--jsonl", action="store_true", help="without --out: print JSON Lines in place of CSV")
    parser.add_argument("--force", action="store_true", help="start over where --out holds predictions")
    return parser


def checked(parsed: argparse.Namespace) -> Iterator[Path]:
    """The photos that a command names. Raises `ConfigError` where options do not go together, `DataError` where there is no photo."""
    if parsed.watch is None and not parsed.paths:
        raise ConfigError("no photos are named; name files, folders or patterns, or a folder after --watch")
    if parsed.watch is not None and parsed.paths:
        raise ConfigError(f"--watch: takes no other photos ({parsed.paths[0]}); score them with another command")
    if "" in parsed.paths:
        raise ConfigError("a path is empty, as of a variable that is not set; name files, folders or patterns")
    wants_folder = [option for option in ("watch", "overlays", "masks", "force") if getattr(parsed, option)]
    if parsed.out is None and wants_folder:
        raise ConfigError(f"--{wants_folder[0]}: needs a folder; name one with --out FOLDER")
    if parsed.out is not None and parsed.jsonl:
        raise ConfigError(
            "--jsonl: says what is printed without --out, whose folder gets JSON Lines and CSV; leave one out"
        )
    if parsed.watch is not None and parsed.force:
        raise ConfigError("--watch: goes on with its log; to start over, name another folder with --out")
    if parsed.watch is not None and not parsed.watch.is_dir():
        raise DataError(f"{parsed.watch}: no such folder to watch; make it first")
    if parsed.watch is not None:
        refuse_results(parsed.watch, parsed.out)
    return image_files(parsed.paths, parsed.out)


def answer(parsed: argparse.Namespace, paths: Iterator[Path], scorer: Scorer, settings: PredictSettings) -> int:
    """Ask about the photos that were named, or about what comes; returns the exit code."""
    counts, began = Counter[str](), time.perf_counter()
    with ExitStack() as closing:
        if parsed.watch is not None:
            if note := note_on_passed_over([str(parsed.watch)], parsed.out):
                tell(note)
            watcher = Watcher(scorer, parsed.watch, settings)
            log = closing.enter_context(continued_log(parsed.out, watcher.remember))
            stop = closing.enter_context(_stopped_by_signals())
            watcher.run(_taking(parsed, settings, log.append, counts), stop)
        else:
            if parsed.out is None:
                write = _printing(parsed.jsonl)
            else:
                forget = partial(remove_pictures, parsed.out)
                write = closing.enter_context(new_log(parsed.out, force=parsed.force, forget=forget)).append
            take = _taking(parsed, settings, write, counts)
            for each in examined(scorer, paths, settings):
                take(each)
    _summarise(counts, time.perf_counter() - began, watched=parsed.watch is not None)
    if note := note_on_passed_over(parsed.paths, parsed.out):
        tell(note)
    return UNREADABLE if counts[said.UNREADABLE] else DEFECTIVE if counts[said.DEFECTIVE] else DONE


def _taking(
    parsed: argparse.Namespace,
    settings: PredictSettings,
    write: Callable[[said.Prediction], None],
    counts: Counter[str],
) -> Take:
    """What becomes of each photo: its pictures first, then its line, so that a photo with a line has them."""

    def take(each: Examined) -> None:
        if parsed.overlays:
            write_overlay(parsed.out, each, settings)
        if parsed.masks:
            write_mask(parsed.out, each)
        write(each.prediction)
        counts[each.prediction.decision] += 1
        if parsed.out is not None:
            _print(f"{_short_line(each.prediction)}\n")

    return take


def _printing(json_lines: bool) -> Callable[[said.Prediction], None]:
    # a terminal obeys what a name may hold; whoever reads a pipe or a file gets every byte
    shown = printable if sys.stdout is not None and sys.stdout.isatty() else str
    line = said.json_line if json_lines else lambda each: said.csv_line(each).removesuffix("\n")
    if not json_lines:
        _print(said.csv_header())
    return lambda each: _print(f"{shown(line(each))}\n")


def _print(text: str) -> None:
    """At once; nowhere, where the command was started without a standard output."""
    if sys.stdout is not None:
        sys.stdout.write(text)
        sys.stdout.flush()


def _short_line(each: said.Prediction) -> str:
    """For a reader."""
    if each.score is None:
        return printable(f"{each.decision:<10}            {each.path}: {each.error}")
    where = f", {each.region_count} region{'s'[: each.region_count - 1]}" if each.region_count else ""
    return printable(f"{each.decision:<10} {each.score:>10.4g}  {each.path}{where}")


def _summarise(counts: Counter[str], seconds: float, *, watched: bool) -> None:
    """A watch is mostly waiting, so its time says nothing of a photo's."""
    total = sum(counts.values())
    photos = f"{total} photo{'' if total == 1 else 's'}"
    parts = ", ".join(f"{counts[decision]} {decision}" for decision in said.DECISIONS)
    if watched:
        tell(f"{photos}: {parts}; watched for {seconds:.1f} s")
    else:
        each = f", {1000 * seconds / total:.0f} ms each" if total else ""
        tell(f"{photos}: {parts}; {seconds:.1f} s{each}")


@contextmanager
def _stopped_by_signals() -> Iterator[Event]:
    """Set by SIGTERM and Ctrl-C, which end a watch after the photo at hand."""
    stop = Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
