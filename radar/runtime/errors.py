"""What goes wrong, each in one line that says what, where and what to do."""

from __future__ import annotations

import errno

_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room there, or name "),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "make it writable, or name "),
    errno.ENAMETOOLONG: "choose shorter names, or name ",
    **dict.fromkeys((errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS), "its file system knows no locks, name "),
}


class RadarError(Exception):
    """Base of every error that a user can cause and mend."""


class ConfigError(RadarError):
    """A config key, an option or a value is wrong; the message names it."""


class DataError(RadarError):
    """A folder, an image, a mask or a manifest is wrong; the message names the path."""


class RunError(RadarError):
    """A run, a model or an export cannot start, go on or be read; the message names its folder."""


class StoredError(RunError):
    """A stored file is damaged, or is none of ours; the message names it."""


class WriteError(RunError, OSError):
    """Something cannot be written: what the system says, and where; made like an `OSError`, of a number, a reason and a path."""

    place = "another folder"  # what to name instead; whoever knows the option that named this one says so

    def __str__(self) -> str:
        return f"{self.filename}: cannot be written ({self.strerror}); {_REMEDIES.get(self.errno or 0, 'name ')}{self.place}"


class ImageError(Exception):
    """An image cannot be read or does not fit; the message says why, and whoever knows its path adds that."""
