"""The project's own exceptions: each message is one line that says what, where and what to do."""


class RadarError(Exception):
    """Base of every error that a user can cause and mend."""


class Interrupted(BaseException):
    """The run was stopped from outside; `exit_code` is what the shell expects for the signal, `advice` how to go on."""

    def __init__(self, exit_code: int, advice: str = "") -> None:
        super().__init__(f"stopped from outside, exit code {exit_code}")
        self.exit_code = exit_code
        self.advice = advice


class ConfigError(RadarError):
    """A config key or value is wrong; the message names the key."""


class DataError(RadarError):
    """A folder, an image, a mask or a manifest is wrong; the message names the path."""


class RunError(RadarError):
    """A run cannot start, go on or be read; the message names the run directory."""
