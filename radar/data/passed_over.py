"""Files below a data set's folder that are neither photos nor masks of it, by why they are not read."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from radar.data.decoding import EXTENSIONS
from radar.data.layouts.files import FilesLayout, has_images_name, is_litter
from radar.data.layouts.layout import Entry
from radar.data.sample import ANOMALOUS_DEFECT
from radar.runtime.crops import file_and_crop
from radar.runtime.mask_names import photo_of_mask
from radar.runtime.own_pictures import is_own_picture

_OTHER_PICTURES = {  # files that hold photos and are not read
    ".webp", ".heic", ".heif", ".avif", ".gif", ".jp2", ".j2k", ".jxl", ".jfif", ".dng", ".nef", ".cr2", ".cr3", ".arw", ".raw",
    ".jpe", ".dib", ".apng", ".pgm", ".ppm", ".npy", ".exr", ".hdr", ".dcm", ".svg", ".zip", ".tar", ".gz", ".tgz",
}  # fmt: skip
_NAMED = 3  # files of each reason
_NOT_TAKEN = "beside the layout's photos and masks, and not taken as one: a second mask of a photo, or of another name"


def passed_over(layout: FilesLayout, entries: Iterable[Entry]) -> tuple[str, ...]:
    """One line for each reason, with the number of files and the names of the first; hidden files are of no account.

    Of public sets, what lies beside their photos is known: there, only what was meant to be a photo is told.
    """
    entries = tuple(entries)
    names = {name for each in entries for name in (each.path, each.mask) if name}
    known = {str(file_and_crop(PurePosixPath(name))[0]) for name in names}
    looked_into = {str(PurePosixPath(name).parent) for name in known}
    accounted = known | looked_into
    found: dict[str, list[str]] = defaultdict(list)
    for path in _visible_files(layout.folder):
        name = path.relative_to(layout.folder).as_posix()
        if name not in accounted and (reason := _reason(path, str(PurePosixPath(name).parent) in looked_into)):
            found[reason].append(name)
    not_taken = found.pop(_NOT_TAKEN, [])
    if not layout.is_published:
        masks = _MaskFolders(entries)
        for name in not_taken:
            found[masks.reason(PurePosixPath(name)) or _NOT_TAKEN].append(name)
    return tuple(f"{len(names)} passed over: {reason}: {_listed(sorted(names))}" for reason, names in found.items())


class _MaskFolders:
    """Where masks lie, and what a file there may be that is the mask of no defective photo."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        photos = {PurePosixPath(each.path).parent for each in entries}
        self._good = {PurePosixPath(each.path).stem for each in entries if each.label == 0}
        self._of_any = {  # masks of one class say nothing of the good photos, whose names may be the same numbers
            PurePosixPath(each.mask).parent: each.defect == ANOMALOUS_DEFECT
            for each in entries
            if each.mask and PurePosixPath(each.mask).parent not in photos
        }

    def reason(self, file: PurePosixPath) -> str:
        """Empty where no masks lie."""
        if file.parent not in self._of_any:
            return ""
        good = {file.stem, photo_of_mask(file.stem)} & self._good
        return "a good photo has a mask" if good and self._of_any[file.parent] else "a mask of no defective photo"


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
    if not path.is_file() and (looked_into or has_images_name(path)):
        return "no regular file"
    if not has_images_name(path):
        meant = looked_into or path.suffix.lower() in _OTHER_PICTURES
        return f"{path.suffix.lower() or 'no ending'} is not read ({', '.join(EXTENSIONS)} are)" if meant else ""
    if is_own_picture(path):
        return "a picture that radar drew, which is no photo"
    return _NOT_TAKEN if looked_into else "in a folder that is not looked into"
