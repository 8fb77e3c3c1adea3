"""What exit codes mean, in one place: 0 is well, 1 and 2 are answers about parts, 3 and above are no answers.

0    done; of `radar predict`: all images are good; of `radar monitor`: in control
1    some are defective          (`radar predict`), photos have drifted (`radar monitor`)
2    some are unreadable         (`radar predict` alone)
3    the command is refused: a wrong key, path, file or option, told in one line
4    jobs failed or are not done, or radar itself failed, with its traceback
128+ a signal ended it: 130 Ctrl-C, 143 terminated, 137 killed, 141 nobody reads its output any more
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable

from radar.errors import Interrupted, RadarError

DONE, DEFECTIVE, UNREADABLE, REFUSED, FAILED = range(5)
DRIFT = 1


def guarded(command: Callable[[], int]) -> int:
    """The exit code of `command`, whatever ends it."""
    try:
        return command()
    except BaseException as error:
        return _code_of(error)


def _code_of(error: BaseException) -> int:
    match error:
        case SystemExit():  # of argparse and Hydra, which have said why; their own codes would read as answers
            return REFUSED if error.code else DONE
        case BrokenPipeError():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be flushed goes nowhere
            return 128 + signal.SIGPIPE
        case RadarError():
            line, code = str(error), REFUSED
        case KeyboardInterrupt():
            line, code = "interrupted", 128 + signal.SIGINT
        case Interrupted():
            line, code = "; ".join(filter(None, ("interrupted", error.advice))), error.exit_code
        case _:
            traceback.print_exception(error)
            line, code = "this is an error of radar itself; the traceback is above", FAILED
    print(f"radar: {line}", file=sys.stderr)
    return code
