"""Files below a data set's folder that are neither photos nor masks of it, by why they are not read."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from radar.data.decoding import EXTENSIONS
from radar.data.layouts.files import FilesLayout, has_images_name, is_litter
from radar.data.layouts.layout import Entry
from radar.runtime.crops import file_and_crop
from radar.runtime.paths import OTHER_PICTURES

_NAMED = 3  # files of each reason
_NOT_TAKEN = "beside the layout's photos and masks, and not taken as one: a second mask of a photo, or of another name"


def passed_over(layout: FilesLayout, entries: Iterable[Entry]) -> tuple[str, ...]:
    """One line for each reason, with the number of files and the names of the first; hidden files are of no account.

    Of public sets, what lies beside their photos is known: there, only what was meant to be a photo is told.
    """
    names = {name for each in entries for name in (each.path, each.mask) if name}
    known = {str(file_and_crop(PurePosixPath(name))[0]) for name in names}
    looked_into = {str(PurePosixPath(name).parent) for name in known}
    accounted = known | looked_into
    found: dict[str, list[str]] = defaultdict(list)
    for path in _visible_files(layout.folder):
        name = path.relative_to(layout.folder).as_posix()
        if name not in accounted and (reason := _reason(path, str(PurePosixPath(name).parent) in looked_into)):
            found[reason].append(name)
    if layout.public is not None:
        found.pop(_NOT_TAKEN, None)
    return tuple(f"{len(names)} passed over: {reason}: {_listed(sorted(names))}" for reason, names in found.items())


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


def _visible_files(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_litter(name))
        linked = [name for name in folders if (Path(place) / name).is_symlink()]  # which are not walked
        yield from (Path(place) / name for name in sorted([*files, *linked]) if not is_litter(name))


def _reason(path: Path, looked_into: bool) -> str:
    """Empty where nobody would have meant it to be read."""
    if path.is_dir():
        return "a link to a folder, which is not looked into"
    if path.is_symlink() and not path.exists():
        return "a link to nothing"
    if not has_images_name(path):
        meant = looked_into or path.suffix.lower() in OTHER_PICTURES
        return f"{path.suffix.lower() or 'no ending'} is not read ({', '.join(EXTENSIONS)} are)" if meant else ""
    return _NOT_TAKEN if looked_into else "in a folder that is not looked into"
