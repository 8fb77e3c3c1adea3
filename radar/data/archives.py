"""Unpacking archives of strangers: it stays in its folder, is bounded, and takes damage for damage."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import math
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from radar.errors import DataError

_BLOCK = 1 << 20  # bytes
_RATIO = 100  # of unpacked to packed bytes, at most: images that were packed well reach a fifth of that
_LEAST_LIMIT = 64 << 20  # bytes that any archive may unpack to
_MOST_MEMBERS = 100_000  # files and folders: of the public sets the largest has a tenth of that
_LONGEST_HEADER = 16 << 20  # bytes of a tar that are read at once: names and attributes, which tarfile holds in memory
_MOST_HEADERS = 256 << 20  # bytes of all of them
_COMPRESSIONS: tuple[tuple[bytes, Callable[[Path], Any]], ...] = (  # streams of bytes
    (b"\x1f\x8b", gzip.GzipFile),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
    (b"\x5d\x00\x00", lzma.LZMAFile),
    (b"", lambda path: path.open("rb")),
)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar (any compression) or zip into `folder`.

    Raises DataError, before anything is written, if a member would land outside of `folder`, is a link or device, if there are
    more than 100,000 members, or if all, with their headers, unpack to more than 100 times the archive's bytes; later if a size
    was a lie, or if the archive is damaged or cannot be written.
    """
    with _one_line(archive, folder):
        folder.mkdir(parents=True, exist_ok=True)
        limit = max(_LEAST_LIMIT, _RATIO * archive.stat().st_size)
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, folder, limit)
        else:
            _unpack_tar(archive, folder, limit)


@contextmanager
def _one_line(archive: Path, folder: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except tarfile.ReadError as error:
        if (
            "invalid header" not in str(error)
            and "empty file" not in str(error)
            and "truncated header" not in str(error)
        ):
            raise _damaged(archive, error) from error
        raise DataError(f"{archive}: neither a tar nor a zip archive; remove it and download it again") from error
    except OSError as error:
        if error.errno is None:  # not of a file system: a checksum of gzip or bzip2
            raise _damaged(archive, error) from error
        raise DataError(
            f"{error.filename or folder}: {error.strerror}; mend that and run again, {archive} is left where it is"
        ) from error
    except (
        Exception
    ) as error:  # what a broken archive makes its decoders raise, encryption and unknown methods among it
        raise _damaged(archive, error) from error


def _damaged(archive: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return DataError(f"{archive}: cannot be unpacked ({reason}); remove it and download it again")


class _Writer:
    """Writes members below a folder, all together no more than `limit` bytes."""

    def __init__(self, archive: Path, folder: Path, limit: int) -> None:
        self._archive, self._folder, self._limit, self._left = archive, folder, limit, limit
        self._members = 0

    def check(self, names: list[str], size: int) -> None:
        """Raises DataError before anything is written."""
        for name in names:
            path = PurePosixPath(name.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or ":" in name:
                raise DataError(
                    f"{self._archive}: {name!r} would be written outside of the folder; do not unpack this archive"
                )
        self._members += len(names)
        if self._members > _MOST_MEMBERS:
            raise DataError(
                f"{self._archive}: has more than {_MOST_MEMBERS:,} files and folders; unpack it by other means if you trust it"
            )
        self.check_size(size)

    def check_size(self, size: int) -> None:
        """Raises DataError where so many bytes are more than the archive may unpack to."""
        if size > self._limit:
            raise self._too_large()

    def folder(self, name: str) -> None:
        """Make it."""
        (self._folder / PurePosixPath(name)).mkdir(parents=True, exist_ok=True)

    def file(self, name: str, content: IO[bytes]) -> None:
        """Write it under a temporary name, then rename it."""
        target = self._folder / PurePosixPath(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            while block := content.read(_BLOCK):
                self._left -= len(block)
                if self._left < 0:
                    raise self._too_large()
                file.write(block)
        temporary.replace(target)

    def _too_large(self) -> DataError:
        return DataError(
            f"{self._archive}: unpacks to more than {self._limit / 1e6:.0f} MB, {_RATIO} times what it holds or more; "
            "do not unpack this archive"
        )


def _unpack_zip(archive: Path, folder: Path, limit: int) -> None:
    writer = _Writer(archive, folder, limit)
    with zipfile.ZipFile(archive) as file:
        members = file.infolist()
        for member in members:
            if stat.S_ISLNK(member.external_attr >> 16):
                raise _link(archive, member.filename)
        writer.check([member.filename for member in members], sum(member.file_size for member in members))
        for member in members:
            if member.is_dir():
                writer.folder(member.filename)
                continue
            with file.open(member) as content:
                writer.file(member.filename, content)


def _unpack_tar(archive: Path, folder: Path, limit: int) -> None:
    writer = _Writer(archive, folder, limit)
    with archive.open("rb") as packed:
        start = packed.read(8)
    opened = next(opened for magic, opened in _COMPRESSIONS if start.startswith(magic))
    with (
        opened(archive) as stream,
        _Bounded(stream, writer) as bounded,
        tarfile.open(fileobj=bounded, mode="r:") as file,
    ):
        size, members = 0, []
        for member in file:
            if not (member.isfile() or member.isdir()):
                raise _link(archive, member.name)
            size += member.size  # of a sparse file more than the stream holds
            writer.check([member.name], size)
            members.append(member)
        while stream.read(_BLOCK):  # to where the checksum of all is
            writer.check_size(stream.tell())
        bounded.headers_left = math.inf
        for member in members:
            if member.isdir():
                writer.folder(member.name)
                continue
            with cast(IO[bytes], file.extractfile(member)) as content:  # none for links and devices alone
                writer.file(member.name, content)


def _link(archive: Path, name: str) -> DataError:
    return DataError(f"{archive}: {name} is a link or device; do not unpack this archive")


class _Bounded(io.RawIOBase):
    """A stream that leads no further than an archive may unpack to, and of which no more is read than headers take."""

    def __init__(self, stream: IO[bytes], writer: _Writer) -> None:
        self._stream, self._writer = stream, writer
        self.headers_left: float = _MOST_HEADERS

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_HEADER:
            raise tarfile.TarError("a header that is longer than any name")
        self._writer.check_size(self._stream.tell() + size)
        self.headers_left -= size
        if self.headers_left < 0:
            raise tarfile.TarError("headers that are longer than any names")
        return self._stream.read(size)

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        self._writer.check_size(place)  # before what lies between is unpacked
        return self._stream.seek(place, whence)

    def tell(self) -> int:
        return self._stream.tell()
