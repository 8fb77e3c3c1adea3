"""The project's own exceptions: each message is one line that says what, where and what to do."""


class RadarError(Exception):
    """Base of every error that a user can cause and mend."""


class ConfigError(RadarError):
    """A config key or value is wrong; the message names the key."""


class DataError(RadarError):
    """A folder, an image, a mask or a manifest is wrong; the message names the path."""


class RunError(RadarError):
    """A run cannot start, go on or be read; the message names the run directory."""
