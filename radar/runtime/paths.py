"""From what a command names to image files; results of radar are none, and masks are no photos."""

from __future__ import annotations

import glob
import os
from argparse import ArgumentTypeError
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path

from .crops import file_and_crop, names_no_crop
from .decoding import EXTENSIONS
from .errors import DataError
from .file_names import is_picture_name
from .mask_names import names_masks, photo_of_mask
from .own_pictures import is_own_picture

LITTER = {"thumbs.db", "desktop.ini", "@eadir", "__macosx"}  # what systems leave in folders unasked
LOGS = LOG, TABLE = "predictions.jsonl", "predictions.csv"
OVERLAYS, MASKS = PICTURES = "overlays", "masks"  # folders beside a log
_OF_A_RUN = {"status.json", "config.yaml", "environment.json", "manifest.csv"}


def named_path(text: str) -> Path:
    """A path of a command line. Raises `ArgumentTypeError` for none."""
    if not text:
        raise ArgumentTypeError("is empty, as of a variable that is not set; name a path")
    return Path(text)


def named(text: str) -> str:
    """What a command line names. Raises `ArgumentTypeError` for nothing."""
    if not text:
        raise ArgumentTypeError("is empty, as of a variable that is not set; name something")
    return text


def given_paths(given: object) -> list[Path]:
    """The paths that a program names: one by itself, or several. Raises `DataError` where one is none, before anything is read."""
    if isinstance(given, str | bytes | os.PathLike) or not isinstance(given, Iterable):
        return [given_path(given)]
    return [given_path(each) for each in given]


def given_path(given: object) -> Path:
    """The path that a program names. Raises `DataError` for what is none, and for an empty one, which would be the working folder."""
    text = os.fspath(given) if isinstance(given, os.PathLike) else given
    if not isinstance(text, str):
        raise DataError(f"a value of type {type(given).__name__} is no path; name each file as a str or a Path")
    if not text:
        raise DataError("a path is empty, as of a variable that is not set; name a file or a folder")
    return Path(text)


def image_files(names: Sequence[str], besides: Path | None = None) -> Iterator[Path]:
    """The images that files, folders (with those below) and patterns name, in that order, sorted within each.

    A named file is taken whatever it is called and, if it is called as an image is, whether it exists. In folders and of patterns,
    where a file is taken once, those that are no PNG, JPEG, BMP or TIFF by their name, hidden ones, masks by their name or their
    folder's, and results of radar, such as any picture that it drew, are passed over. Raises `DataError` before the first one where a
    folder or a pattern holds no image, where another name leads nowhere, and where a run or the pictures in `besides`, where results
    go, are named. What is there is listed at once, so that a file that vanishes meanwhile is still told of, by whoever opens it.
    """
    listed: dict[str, list[Path]] = {}
    for name in names:
        if _leads_nowhere(Path(name)):
            raise DataError(f"{name}: no such file or folder; name files, folders or patterns")
        refuse_results(Path(name), besides)
        listed[name] = _named(name)
        if next(_photos(name, listed[name], None), None) is None:
            raise DataError(
                f"{name}: holds no images (read are {', '.join(EXTENSIONS)}, but none that radar drew, and no masks); name files, "
                "folders or patterns"
            )
        if next(_photos(name, listed[name], besides), None) is None:
            raise _lie_in_results(name, besides)
    return (path for name in names for path in _photos(name, listed[name], besides))


def _photos(name: str, listed: Iterable[Path], besides: Path | None) -> Iterator[Path]:
    """Without pictures that radar drew, and those in `besides`, as they will be told once the log is there, but for one that is named
    itself; files are opened for it one after the other.
    """
    among_pictures = cache(_is_among_pictures)
    for path in listed:
        is_result = besides is not None and among_pictures(path.parent, besides)
        if path == Path(name) or not (is_result or is_own_picture(path)):
            yield path


def refuse_results(named: Path, besides: Path | None) -> None:
    """Raise `DataError` for a run's folder, and for a folder or a pattern among the pictures in `besides`, where more will come."""
    is_folder = os.path.isdir(named)  # noqa: PTH112 - Path.is_dir raises where nobody may look
    if is_folder and is_run(named):
        raise DataError(f"{named}: is a run, whose pictures are no photos; name the folder of the photos")
    if besides is None or not (is_folder or glob.has_magic(str(named))):
        return
    if _is_among_pictures(named if is_folder else _fixed_part(named), besides):
        raise _lie_in_results(str(named), besides)


def _lie_in_results(name: str, besides: Path | None) -> DataError:
    return DataError(f"{name}: its images lie in {besides}, where results go; name another folder for these")


def _is_among_pictures(folder: Path, besides: Path) -> bool:
    # realpath takes links that lead in a circle
    here, out = Path(os.path.realpath(folder)), Path(os.path.realpath(besides))
    return any(here.is_relative_to(out / pictures) for pictures in PICTURES)


def _leads_nowhere(path: Path) -> bool:
    """Whether nothing is there, and its name is neither a pattern's nor an image's, which may have vanished since it was named."""
    file, _ = file_and_crop(path)
    if file.name.lower().endswith(EXTENSIONS) or names_no_crop(path) or glob.has_magic(str(path)):
        return False
    try:
        return not (path.exists() or file.exists())
    except OSError:  # as below
        return False


def _named(name: str) -> list[Path]:
    """Images, and pictures that radar drew among them."""
    path = Path(name)
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError:  # a name that is too long, or a folder that nobody may look into: whoever opens it says so
        return [path]
    if is_folder:
        return _found_below(path)
    if is_there or not glob.has_magic(name):
        return [path]
    return list(dict.fromkeys(_of_pattern(path)))  # a file and the folder that it lies in may both match


def _of_pattern(pattern: Path) -> Iterator[Path]:
    matching = _matching(pattern, results=False)
    masks = _masks_among(str(path) for path in matching if is_image(path.name))
    for found in matching:
        if found.is_dir():
            yield from _found_below(found)
        elif is_image(found.name) and str(found) not in masks:
            yield found


def _masks_among(images: Iterable[str]) -> set[str]:
    """Those, of names or of paths, that are called as the mask of another beside them."""
    stems = {image: image.rpartition(".")[0] for image in images}
    called = {image: photo for image, stem in stems.items() if (photo := photo_of_mask(stem)) is not None}
    photos = set(stems.values()) if called else set()
    return {image for image, photo in called.items() if photo in photos}


def _matching(pattern: Path, *, results: bool) -> list[Path]:
    """What there is of a pattern, sorted; hidden files and folders only where it names them; without `results`, these and folders of
    masks only where it names them before its first sign that stands for others. `**` follows no link, as no folder's walk does: two
    that lead upwards would make more paths than can be counted.
    """
    fixed = _fixed_part(pattern)
    wanted = pattern.relative_to(fixed)
    hidden = any(map(_is_hidden_name, wanted.parts))

    @cache
    def is_of_results(path: Path) -> bool:
        """Or lies in a folder of them."""
        if path == fixed:
            return False
        is_folder = not (is_image(path.name) and path.is_file())
        return (is_folder and (names_masks(path.name) or holds_results(path))) or is_of_results(path.parent)

    return sorted(
        path
        for path in fixed.glob(str(wanted))
        if (hidden or not _is_hidden(path, fixed)) and not _comes_back(path) and (results or not is_of_results(path))
    )


def _fixed_part(pattern: Path) -> Path:
    """What stands before the first sign that stands for others."""
    return Path(*takewhile(lambda part: not glob.has_magic(part), pattern.parts))


def holds_results(folder: Path) -> bool:
    """Whether it is a run, or the pictures beside a log."""
    return is_run(folder) or _is_beside_a_log(folder)


def is_run(folder: Path) -> bool:
    """Whether a run lies there."""
    return all(os.path.exists(folder / each) for each in _OF_A_RUN)  # noqa: PTH110 - Path.exists raises where nobody may look


def _is_beside_a_log(folder: Path) -> bool:
    return folder.name in PICTURES and os.path.exists(folder.parent / LOG)  # noqa: PTH110 - as above


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(map(_is_hidden_name, path.relative_to(folder).parts))


def _is_hidden_name(name: str) -> bool:
    """Or one that systems leave in folders unasked, such as previews of the photos there."""
    return name.startswith(".") or name.lower() in LITTER


def _comes_back(path: Path) -> bool:
    """Whether a path leads through a link to a folder that it has come through: what lies there is found without the link, too."""
    links = (each for each in (path, *path.parents) if each.is_symlink())
    return any(os.path.realpath(each) in map(os.path.realpath, each.parents) for each in links)


def is_image(name: str) -> bool:
    """Whether a file of that name is looked at where a folder holds it."""
    return name.lower().endswith(EXTENSIONS) and not name.startswith(".")


def images_below(folder: Path) -> Iterator[Path]:
    """Images in a folder and below it, a folder's own first, sorted; neither hidden ones, nor masks, nor results."""
    return (path for path in _found_below(folder) if not is_own_picture(path))


def _found_below(folder: Path) -> list[Path]:
    return [path for path in _files_below(folder, results=False) if is_image(path.name) and path.is_file()]


def _files_below(folder: Path, *, results: bool) -> Iterator[Path]:
    """Without `results`, neither of a run below it nor of the pictures beside a log, which show photos and are none, nor masks."""
    for place, folders, files in os.walk(folder):
        here = Path(place)
        if not results and here != folder and set(files) >= _OF_A_RUN:
            folders.clear()
            continue
        drawn = PICTURES if not results and LOG in files else ()
        folders[:] = sorted(each for each in folders if not _is_hidden_name(each) and each not in drawn)
        linked = [each for each in folders if results and (here / each).is_symlink()]  # which are not walked
        if not results:
            folders[:] = [each for each in folders if not names_masks(each)]
        masks = set() if results else _masks_among(filter(is_image, files))
        named = (name for name in sorted([*files, *linked]) if not name.startswith("."))
        yield from (here / name for name in named if name not in masks)


def passed_over(names: Sequence[str], besides: Path | None = None) -> list[Path]:
    """Files in folders and of patterns among `names` that `image_files` does not take, and links to folders, but for hidden ones, what
    systems leave, and what `besides` holds of radar's.
    """
    taken = {path for name in names for path in _photos(name, _named(name), None)}
    looked_into = {*map(Path, names), *(above for path in taken for above in path.parents)}
    offered = dict.fromkeys(path for name in names for path in _offered(Path(name)))
    real, out = cache(os.path.realpath), None if besides is None else Path(os.path.realpath(besides))

    def is_of_log(path: Path) -> bool:
        """The log itself, a picture of a photo, or a link to the folder that has them."""
        if out is None or path.is_symlink():
            return out is not None and Path(os.path.realpath(path)) == out
        folder = Path(real(path.parent))
        if not folder.is_relative_to(out):
            return False
        below = folder.relative_to(out).parts[:1]
        return path.name in LOGS if not below else below[0] in PICTURES and is_picture_name(path.name)

    return [
        path
        for path in offered
        if path not in taken
        and path not in looked_into
        and not _is_hidden_name(path.name)
        and not is_of_log(path)
        and not (path.is_symlink() and _comes_back(path))
    ]


def note_on_passed_over(names: Sequence[str], besides: Path | None = None) -> str:
    """In one line how many those are, and why; empty where there is none."""
    if not (skipped := passed_over(names, besides)):
        return ""
    told = (
        "no PNG, JPEG, BMP or TIFF by their name, masks by their name or their folder's, results of radar, links to folders or to "
        "nothing, or no regular files"
    )
    return f"note: {len(skipped)} files were passed over, as they are {told}, first {skipped[0]}"


def _offered(path: Path) -> Iterator[Path]:
    """All files below a folder, or of a pattern; none of a file, which is taken."""
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError:  # as above
        return
    if is_folder:
        yield from _files_below(path, results=True)
    elif not is_there and glob.has_magic(str(path)):
        for found in _matching(path, results=True):
            yield from _files_below(found, results=True) if found.is_dir() else (found,)
