"""Work on many files at once: Pillow and hashlib let go of the interpreter, so threads suffice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from radar.progress import Report

_Given = TypeVar("_Given")
_Got = TypeVar("_Got")


def in_threads(
    work: Callable[[_Given], _Got], given: Sequence[_Given], what: str, progress: Report | None
) -> list[_Got]:
    """`work` of each, in order; `progress` is told how many of them are done."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(_reported(pool.map(work, given), len(given), what, progress))


def _reported(results: Iterable[_Got], total: int, what: str, progress: Report | None) -> Iterator[_Got]:
    for done, result in enumerate(results, start=1):
        if progress is not None:
            progress(done, total, what)
        yield result
