"""Public data sets from the web: a download that resumes and checks, an unpacking that stays in its folder."""

from __future__ import annotations

import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, cast

from radar.data.decoding import file_hash
from radar.data.layouts import public_sources
from radar.errors import DataError

_BLOCK = 1 << 20  # bytes
_TIMEOUT = 60  # s without a byte
_PARTIAL_CONTENT, _RANGE_NOT_SATISFIABLE = 206, 416

Received = Callable[[int, int | None], None]  # (bytes so far, bytes in all if known)


def fetch_public(
    name: str, data_root: Path, *, sha256: str | None, unchecked: bool, received: Received | None = None
) -> Path:
    """Download and unpack the public set `name` to `data_root`/`name`, where the presets look; returns that folder.

    Raises DataError where the publisher wants consent first, where no checksum is known unless `sha256` is given or
    `unchecked` says that none is wanted, and where the folder is there already.
    """
    sources, root = public_sources(), data_root / name
    if name not in sources:
        raise DataError(f"no public source named {name!r}; there are {', '.join(sources)}")
    source = sources[name]
    if source.url is None:
        raise DataError(f"{name}: accept its terms at {source.page}, download it there and unpack it into {root}")
    if root.exists():
        raise DataError(f"{root}: is there already; remove it to download it anew")
    checksum = sha256 or source.sha256
    if checksum is None and not unchecked:
        raise DataError(f"{name}: its publisher states no checksum; give --sha256, or --unchecked to do without")
    archive = fetch(source.url, data_root / f"{name}.zip", sha256=checksum, received=received)
    _unpack_to(root, archive, source.landmark)
    archive.unlink()
    return root


def _unpack_to(root: Path, archive: Path, landmark: str) -> None:
    """Unpack beside `root` and rename the part that matters, so that `root` is whole or not there."""
    scratch = root.with_name(f".{root.name}.unpacking")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        unpack(archive, scratch)
        found = sorted(scratch.glob(landmark))
        if not found:
            raise DataError(f"{archive}: has no folder {landmark}; its publisher changed it, unpack it by hand")
        found[0].parent.rename(root)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def fetch(url: str, target: Path, *, sha256: str | None, received: Received | None = None) -> Path:
    """Download `url` (http, https, file) to `target`, by way of `target`.part, from which a later call goes on.

    Raises DataError if the transfer fails (the part stays) or the SHA-256 differs (nothing stays).
    """
    if target.is_file() and sha256 is not None and file_hash(target) == sha256.lower():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    try:
        _transfer(url, part, received)
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise DataError(f"{url}: download failed ({error}); run the command again to go on from {part}") from error
    if sha256 is not None and (found := file_hash(part)) != sha256.lower():
        part.unlink()
        raise DataError(f"{url}: SHA-256 is {found}, not {sha256}; the download was deleted, check the source")
    part.replace(target)
    return target


def _transfer(url: str, part: Path, received: Received | None) -> None:
    """Append to `part` what it lacks, or start over where the server cannot go on."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if have and error.code == _RANGE_NOT_SATISFIABLE and error.headers.get("Content-Range") == f"bytes */{have}":
            return  # nothing is left to transfer
        if not have or error.code != _RANGE_NOT_SATISFIABLE:
            raise
        part.unlink()
        return _transfer(url, part, received)
    with response:
        resumed = have > 0 and response.status == _PARTIAL_CONTENT
        length = response.headers.get("Content-Length")
        have = have if resumed else 0
        total = None if length is None else have + int(length)
        with part.open("ab" if resumed else "wb") as file:
            have = _copy(response, file, have, total, received)
    if total is not None and have < total:
        raise OSError(f"the connection ended after {have} of {total} bytes")


def _copy(response: IO[bytes], file: IO[bytes], have: int, total: int | None, received: Received | None) -> int:
    while block := response.read(_BLOCK):
        file.write(block)
        have += len(block)
        if received is not None:
            received(have, total)
    return have


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar (any compression) or zip into `folder`.

    Raises DataError, before anything is written, if a member would land outside of `folder` or is a link or device.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, folder)
        elif tarfile.is_tarfile(archive):
            _unpack_tar(archive, folder)
        else:
            raise DataError(f"{archive}: neither a tar nor a zip archive; download it again")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise DataError(f"{archive}: cannot be unpacked ({error}); download it again") from error


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for name in file.namelist():
            _check_inside(name, archive)
        for member in file.infolist():
            target = folder / PurePosixPath(member.filename)
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open(member) as content:
                _write(content, target)


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as file:
        members = file.getmembers()
        for member in members:
            _check_inside(member.name, archive)
            if not (member.isfile() or member.isdir()):
                raise DataError(f"{archive}: {member.name} is a link or device; do not unpack this archive")
        for member in members:
            target = folder / PurePosixPath(member.name)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with cast(IO[bytes], file.extractfile(member)) as content:  # none for links and devices alone
                _write(content, target)


def _write(content: IO[bytes], target: Path) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        shutil.copyfileobj(content, file, _BLOCK)
    temporary.replace(target)


def _check_inside(name: str, archive: Path) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name:
        raise DataError(f"{archive}: {name!r} would be written outside of the folder; do not unpack this archive")
