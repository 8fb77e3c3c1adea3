"""What exit codes mean, in one place: 0 is well, 1 and 2 are answers about parts, 3 and above are no answers.

0    done; of `predict`: all images are good; of `monitor`: in control
1    some are defective          (`predict`), photos have drifted (`monitor`)
2    some are unreadable         (`predict` alone)
3    the command is refused: a wrong key, path, file or option, told in one line
4    jobs failed or are not done, or radar itself failed, with its traceback
128+ a signal ended it: 130 Ctrl-C, 143 terminated, 137 killed, 141 nobody reads its output any more
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from .errors import RadarError
from .terminal import prepare_output, tell

DONE, DEFECTIVE, UNREADABLE, REFUSED, FAILED = range(5)
_FULL = (errno.ENOSPC, errno.EIO, errno.EFBIG)
_OWN = __name__.partition(".")[0]
_LONGEST = 200  # characters of what a library says
_BROKEN_PIPE = 13  # SIGPIPE, which Windows does not name


def _of_the_system(error: OSError) -> str:
    """Where it failed, and why."""
    path = error.filename
    if path is None and error.errno == errno.ENOENT and not _is_somewhere():
        return "the folder that this was started in is not there any more; change to another one"
    if path is None and error.errno in _FULL:  # whatever else is written says where
        return f"standard output cannot be written ({error.strerror}); free some space, or let it go elsewhere"
    where = os.fsdecode(path) if isinstance(path, str | bytes) else "the system" if path is None else path
    return f"{where}: {error.strerror or error}"


def _is_somewhere() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def _not_imported(error: BaseException) -> str:
    """The library that failed while this package imported it, which is not this package's error; or nothing."""
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] != _OWN:
        return error.name.partition(".")[0]
    beyond = [frame for frame in _beyond(error) if _package_of(frame) != "importlib"]
    return _package_of(beyond[0]) if beyond and beyond[0].f_code.co_name == "<module>" else ""


def _is_said(error: SystemExit) -> bool:
    """Whether this package ends the command, or what it has asked to read the command, which have said why."""
    packages = [_package_of(frame) for frame in _beyond(error)]  # the last may be of whoever watches exits, as W&B does
    return not packages or "argparse" in packages or "hydra" in packages


def _beyond(error: BaseException) -> list[FrameType]:
    """The frames of other packages that an exception came through since it left this one."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    last = max((place for place, frame in enumerate(frames) if _package_of(frame) == _OWN), default=-1)
    return frames[last + 1 :]


def _package_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def guarded(command: Callable[[], int], name: str) -> int:
    """The exit code of `command`, whatever ends it; `name` is whose error it is."""
    prepare_output()
    try:
        return command()
    except SystemExit as error:
        if _is_said(error):  # argparse's and Hydra's own codes would read as answers
            return REFUSED if error.code else DONE
        _show(error)
        line, code = "something ended the process before it was done; the traceback is above", FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be flushed goes nowhere
        return 128 + _BROKEN_PIPE
    except RadarError as error:
        line, code = str(error), REFUSED
    except OSError as error:  # of the system, wherever it was asked for: no error of `name`
        line, code = _of_the_system(error), REFUSED
    except KeyboardInterrupt:
        line, code = "interrupted", 128 + signal.SIGINT
    except BaseException as error:
        if library := _not_imported(error):
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST]
            line = f"{library} cannot be imported ({reason}); see that it is whole, and what environment variables it reads"
            code = REFUSED
        else:
            _show(error)
            line, code = f"this is an error of {name} itself; the traceback is above", FAILED
    with suppress(OSError):  # the code says it to whoever reads no errors
        tell(line, name)
    return code


def _show(error: BaseException) -> None:
    with suppress(OSError):
        traceback.print_exception(error)


def run(main: Callable[[], int]) -> NoReturn:
    """End the process by what `main` returns.

    Ctrl-C changes nothing any more from then on, as it would break into what libraries do last; once more ends even those.
    """
    code = main()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end_at_the_next)
    sys.exit(code)


def _end_at_the_next(*_: object) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
