"""Output of a command that computes: that nobody takes it any more ends no training."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from radar.runtime.terminal import tell

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_OUTPUTS = ("stdout", "stderr")


class _Lasting(io.FileIO):
    """What an output's descriptor takes; from the first failure on everything goes nowhere, also what libraries write to it."""

    def __init__(self, descriptor: int, tells: bool) -> None:
        """`tells`: whether a failure is said on standard error."""
        super().__init__(descriptor, "w", closefd=False)
        self._tells = tells

    def write(self, data: ReadableBuffer) -> int:
        """Write bytes; how many of them are gone from the caller's hands, which is never none."""
        try:
            while (written := super().write(data)) is None:  # a terminal that another program has set not to wait
                select.select([], [self.fileno()], [])
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if self._tells and error.errno != errno.EPIPE:
                tell(f"note: standard output cannot be written ({error.strerror}); the command goes on without it")
            return memoryview(data).nbytes
        return written


@contextmanager
def lasting_output() -> Iterator[None]:
    """Let what is printed meanwhile fail nothing: the reader of a pipe has left (`| head`), a terminal is gone, a disk is full.

    Outputs that somebody has put in place of the process's own are left as they are.
    """
    before = {name: getattr(sys, name) for name in _OUTPUTS}
    own = [name for name, stream in before.items() if stream is not None and stream is getattr(sys, f"__{name}__")]
    for name in own:
        setattr(sys, name, _lasting_stream(before[name], tells=name == "stdout"))
    try:
        yield
    finally:
        for name in own:
            with suppress(ValueError):  # closed by somebody
                getattr(sys, name).flush()
            setattr(sys, name, before[name])


def _lasting_stream(stream: io.TextIOWrapper, tells: bool) -> io.TextIOWrapper:
    with suppress(OSError):  # the first line to come finds out
        stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Lasting(stream.fileno(), tells)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
