"""What goes wrong, each in one line that says what, where and what to do."""


class RadarError(Exception):
    """Base of every error that a user can cause and mend."""


class ConfigError(RadarError):
    """A config key, an option or a value is wrong; the message names it."""


class DataError(RadarError):
    """A folder, an image, a mask or a manifest is wrong; the message names the path."""


class RunError(RadarError):
    """A run, a model or an export cannot start, go on or be read; the message names its folder."""


class ImageError(Exception):
    """An image cannot be read or does not fit; the message says why, and whoever knows its path adds that."""
