"""`radar-runtime FOLDER PATHS…`: an exported model asked about photos, as `radar predict` asks the model itself."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from typing import NoReturn

from .command import answer, checked, parser_of
from .entries import MOST_THREADS
from .errors import WriteError
from .exit_codes import guarded, run
from .exported import load
from .options import refuse_dashes_for_values

_NAME = "radar-runtime"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return guarded(lambda: _run(sys.argv[1:] if arguments is None else arguments), _NAME)


def _run(arguments: Sequence[str]) -> int:
    parser = parser_of(
        _NAME, "folder that `radar export` has written", "PNG, JPEG, BMP or TIFF files, folders, patterns"
    )
    parser.add_argument("--threads", type=_threads, help="of the graph; without it, one for each core")
    refuse_dashes_for_values(arguments)
    parsed = parser.parse_intermixed_args(arguments)
    paths = checked(parsed)
    model = load(parsed.model, parsed.threads)
    try:
        return answer(parsed, paths, model, model.manifest.predict)
    except WriteError as error:
        error.place = "another folder with --out FOLDER"
        raise


def _threads(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:5]) <= MOST_THREADS:
        raise ArgumentTypeError(f"{text}: must be a whole number from 1 to {MOST_THREADS}")
    return int(text)


def process() -> NoReturn:
    """The command `radar-runtime`, as a process of its own."""
    run(main)


if __name__ == "__main__":
    process()
