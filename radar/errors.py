"""The project's own exceptions: each message is one line that says what, where and what to do."""

from radar.runtime.errors import ConfigError, DataError, RadarError, RunError, StoredError, WriteError

__all__ = [
    "ConfigError",
    "DataError",
    "RadarError",
    "RunError",
    "StoredError",
    "WriteError",
]  # the runtime raises them, too


class Interrupted(BaseException):
    """The run was stopped from outside; `exit_code` is what the shell expects for the signal, `advice` how to go on."""

    def __init__(self, exit_code: int, advice: str = "") -> None:
        super().__init__(f"stopped from outside, exit code {exit_code}")
        self.exit_code = exit_code
        self.advice = advice
