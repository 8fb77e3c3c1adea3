"""Files that a reader may trust: written whole or not at all, and checked when they are read.

What fails is one line that names the path. Nothing here executes what it reads.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

from .errors import StoredError, WriteError

LARGEST = 512 * 2**20  # bytes of a stored text that are read; a run's largest has a few hundred kB
LONGEST_LINE = 64 * 2**20  # bytes of a log: a photo's line has about 1 kB, and 100 more for each of its regions
CHECKSUM = "checksum"  # entry of a stored JSON: SHA-256 of all others
_REMEDIES = {  # of what is not damaged
    errno.ENAMETOOLONG: "choose shorter names",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "make it readable"),
}
_UNFINISHED = ".*.tmp"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around what writes `path` and nothing else. Raises `WriteError` for what the system says of it, but for a lock that is taken."""
    try:
        yield
    except (WriteError, BlockingIOError):
        raise
    except OSError as error:
        raise WriteError(error.errno or 0, error.strerror or str(error), str(path)) from error


def appending(path: Path) -> BinaryIO:
    """A file to append to, and to read; a link in its place is refused, as it may lead out of the folder. Raises `OSError`."""
    return cast(BinaryIO, open(path, "a+b", opener=_following_no_link))


def _following_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def make_folder(path: Path) -> None:
    """Make a folder and those above it. Raises `WriteError`."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


def make_subfolder(folder: Path, *names: str) -> Path:
    """The folder of these names below `folder`, made where it is not there. Raises `WriteError`, also where one of them is a link."""
    for name in names:
        folder /= name
        if folder.is_symlink():
            raise WriteError(errno.ELOOP, "it is a link, which may lead elsewhere", str(folder))
    make_folder(folder)
    return folder


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a temporary file, which is flushed to the disk and then takes the place of `path`. Raises `WriteError`."""
    # not named after `path`, which may be as long as a name can be
    temporary = path.with_name(f".{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        with writing(path):
            file = temporary.open("wb")
        with _closing(file, path):
            target = _Target(file)
            try:
                write(cast(BinaryIO, target))
            except BaseException as error:
                if target.failure is None or isinstance(error, KeyboardInterrupt):
                    raise
                with writing(path):
                    raise target.failure from None
            with writing(path):
                file.flush()
                os.fsync(file.fileno())
        with writing(path):
            temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def _closing(file: BinaryIO, path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):  # what was left to be flushed fails as the write did
            file.close()
        raise
    with writing(path):
        file.close()


class _Target(io.RawIOBase):
    """A file to be written, which remembers why that failed: torch and zipfile raise errors of their own instead.

    It has no file number, which NumPy and Pillow would write to past it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failure: OSError | None = None

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        try:
            return self._file.write(content)
        except OSError as error:
            self.failure = error
            raise

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process was writing below `folder`, which no living one writes to."""
    for stray in folder.rglob(_UNFINISHED):
        with writing(stray):
            stray.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def difference(path: Path, stated: str) -> str:
    """What keeps a file from being the one with that SHA-256, in words; empty where it is that one."""
    if not path.is_file():
        return "is no file" if path.exists() else "is missing"
    return "" if sha256(path) == stated else "is damaged (its checksum differs)"


def read_bytes(path: Path, remedy: str, largest: float = LARGEST) -> bytes:
    """A stored file that is no device and has at most `largest` bytes. Raises `FileNotFoundError`, and `StoredError` with `remedy`."""
    try:
        length = check_is_file(path, largest)
        with path.open("rb") as file:
            return file.read(length)  # and no more, as some files of the system never end
    except FileNotFoundError:
        raise
    except NotADirectoryError as error:  # what is above it is a file: nothing is stored here
        raise FileNotFoundError(error.errno, error.strerror, str(path)) from None
    except (OSError, ValueError, MemoryError) as error:
        raise unreadable(path, error, remedy) from None


def check_is_file(path: Path, largest: float = LARGEST) -> int:
    """Its bytes. Raises `OSError` or `ValueError` for a device, a pipe, which may never end, and for more than `largest` of them."""
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise ValueError("it is no file")
    if state.st_size > largest:
        raise ValueError(f"it has {state.st_size / 2**20:.0f} MiB")
    return state.st_size


def bounded_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of an open file with their ends. Raises `ValueError` for one beyond `LONGEST_LINE`."""
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise ValueError(f"a line has more than {LONGEST_LINE / 2**20:.0f} MiB")
        yield line


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """The entries of a stored JSON, as it was written: its checksum is looked at where it has one, which older versions left out.

    Raises `FileNotFoundError`, and `StoredError` with `remedy` for anything else that is not a JSON object of finite numbers.
    """
    return parsed_json(read_bytes(path, remedy), path, remedy)


def parsed_json(content: bytes, path: Path, remedy: str) -> dict[str, Any]:
    """As `read_json`, of bytes that were read from `path`."""
    try:
        values = parsed(content)
        if not isinstance(values, dict):
            raise ValueError("it holds no entries")
        stated = values.pop(CHECKSUM, None)
        if stated is not None and stated != checksum(values):
            raise ValueError("it is damaged, its checksum differs")
        if b"\\u" in content:
            json.dumps(values, ensure_ascii=False).encode()  # halves of characters, which no text can hold
    except (ValueError, RecursionError) as error:
        raise unreadable(path, error, remedy) from None
    return values


def parsed(text: str | bytes) -> Any:
    """What a JSON text of finite numbers says. Raises `ValueError` for anything else, also where it is nested too deeply."""
    try:
        return json.loads(text, parse_constant=_refused, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def checksum(values: object) -> str:
    """Of plain values, whatever the order of their entries."""
    plain = json.loads(json.dumps(values))  # numbers as names become texts, as a reader finds them
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def unreadable(path: Path, error: BaseException, remedy: str) -> StoredError:
    """One line on a stored file that cannot be read; `remedy` is for one that is damaged."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        remedy = _REMEDIES[error.errno]
    return StoredError(f"{path}: cannot be read ({' '.join(reason.split())[:200] or type(error).__name__}); {remedy}")


def _refused(name: str) -> NoReturn:
    raise ValueError(f"{name} is no finite number")


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), -float("inf")):
        _refused(digits)
    return value
