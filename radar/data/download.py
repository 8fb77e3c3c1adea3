"""Public data sets from the web: a download that resumes and checks."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO

from radar.data.archives import unpack
from radar.data.decoding import file_hash
from radar.data.layouts import public_sources
from radar.errors import DataError
from radar.runtime.files import appending

_BLOCK = 1 << 20  # bytes
_TIMEOUT = 60  # s without a byte
_PARTIAL_CONTENT, _RANGE_NOT_SATISFIABLE = 206, 416

Received = Callable[[int, int | None], None]  # (bytes so far, bytes in all if known)


def fetch_public(
    name: str, data_root: Path, *, sha256: str | None, unchecked: bool, received: Received | None = None
) -> Path:
    """Download and unpack the public set `name` to `data_root`/`name`, where the presets look; returns that folder.

    Raises DataError where the publisher wants consent first, where no checksum is known unless `sha256` is given or
    `unchecked` says that none is wanted, where the folder is there already, and where it cannot be had or stored.
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
    try:
        _unpack_to(root, archive, source.landmark)
        archive.unlink()
    except OSError as error:
        raise DataError(
            f"{root}: cannot be written ({error.strerror}); mend that and unpack {archive} by hand"
        ) from error
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
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _transfer(url, part, received)
        if sha256 is not None and (found := file_hash(part)) != sha256.lower():
            part.unlink()
            raise DataError(f"{url}: SHA-256 is {found}, not {sha256}; the download was deleted, check the source")
        part.replace(target)
    except DataError:
        raise
    except Exception as error:  # whatever a server answers, and whatever the disk does
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{url}: download failed ({reason}); {_left(part)}") from error
    return target


def _left(part: Path) -> str:
    """What a failed download left, and what to do."""
    if part.is_file() and part.stat().st_size:
        return f"run the command again to go on from {part}"
    return f"nothing of it is in {part.parent}; check the address, the connection and the folder"


def _transfer(url: str, part: Path, received: Received | None) -> None:
    """Append to `part` what it lacks, or start over where the server cannot go on. Raises whatever goes wrong."""
    have = part.stat().st_size if part.exists() and not part.is_symlink() else 0
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
        goes_on = (response.headers.get("Content-Range") or "").startswith(f"bytes {have}-")
        resumed = have > 0 and response.status == _PARTIAL_CONTENT and goes_on
        if response.status == _PARTIAL_CONTENT and not resumed:
            raise OSError(f"the server went on elsewhere than at byte {have}; remove {part}")
        length = response.headers.get("Content-Length")
        have = have if resumed else 0
        total = None if length is None else have + int(length)
        with appending(part) as file:
            if not resumed:
                file.truncate(0)
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
