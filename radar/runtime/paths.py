"""From what a command names to image files, and from an image's path to the names of what is written of it."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from argparse import ArgumentTypeError
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path, PurePath

from .crops import file_and_crop, names_no_crop
from .crops import stem as readable_stem
from .decoding import EXTENSIONS
from .errors import DataError

_STEM_BYTES = 80  # of an image's name in the names of what is made of it; file systems take 255
LITTER = {"thumbs.db", "desktop.ini", "@eadir", "__macosx"}  # what systems leave in folders unasked
LOG = "predictions.jsonl"
OVERLAYS, MASKS = PICTURES = "overlays", "masks"  # folders beside a log
_OF_A_RUN = {"status.json", "config.yaml", "environment.json", "manifest.csv"}
_DIGITS = 10  # of the hash that tells equal names of several folders apart
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # names that Windows takes for devices
# control characters, halves of characters that no text can hold, and what some file system refuses in a name
_REPLACED = re.compile(
    r'[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff<>:"/\\|?*]'
)


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
    files that are no PNG, JPEG, BMP or TIFF by their name, hidden ones and what lies in `besides` are passed over. Raises `DataError`
    before the first one where a folder or a pattern holds no image, and where another name leads nowhere.
    """
    for name in names:
        if _leads_nowhere(Path(name)):
            raise DataError(f"{name}: no such file or folder; name files, folders or patterns")
        if next(_named(name, besides), None) is None:
            if besides is not None and next(_named(name, None), None) is not None:
                raise DataError(f"{name}: its images lie in {besides}, where results go; name another folder for these")
            raise DataError(
                f"{name}: holds no images (read are {', '.join(EXTENSIONS)}); name files, folders or patterns"
            )
    return (path for name in names for path in _named(name, besides))


def _leads_nowhere(path: Path) -> bool:
    """Whether nothing is there, and its name is neither a pattern's nor an image's, which may have vanished since it was named."""
    file, _ = file_and_crop(path)
    if file.name.lower().endswith(EXTENSIONS) or names_no_crop(path) or glob.has_magic(str(path)):
        return False
    try:
        return not (path.exists() or file.exists())
    except OSError:  # as below
        return False


def _named(name: str, besides: Path | None) -> Iterator[Path]:
    path = Path(name)
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError:  # a name that is too long, or a folder that nobody may look into: whoever opens it says so
        yield path
        return
    if is_folder:
        yield from images_below(path, besides)
    elif is_there or not glob.has_magic(name):
        yield path
    else:
        for found in _matching(path):
            if found.is_dir():
                yield from images_below(found, besides)
            elif is_image(found.name):
                yield found


def _matching(pattern: Path) -> list[Path]:
    """What there is of a pattern, sorted; hidden files and folders only where it names them. `**` follows no link, as no folder's
    walk does: two that lead upwards would make more paths than can be counted.
    """
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), pattern.parts))
    wanted = pattern.relative_to(fixed)
    hidden = any(part.startswith(".") for part in wanted.parts)
    return sorted(
        path for path in fixed.glob(str(wanted)) if (hidden or not _is_hidden(path, fixed)) and not _comes_back(path)
    )


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _comes_back(path: Path) -> bool:
    """Whether a path leads through a link to a folder that it has come through: what lies there is found without the link, too."""
    links = (each for each in (path, *path.parents) if each.is_symlink())
    return any(each.resolve() in {above.resolve() for above in each.parents} for each in links)


def is_image(name: str) -> bool:
    """Whether a file of that name is looked at where a folder holds it."""
    return name.lower().endswith(EXTENSIONS) and not name.startswith(".")


def images_below(folder: Path, besides: Path | None = None) -> Iterator[Path]:
    """Images in a folder and below it, a folder's own first, sorted; not hidden ones, results, or what lies in `besides`."""
    return (path for path in _files_below(folder, besides, results=False) if is_image(path.name) and path.is_file())


def _files_below(folder: Path, besides: Path | None, *, results: bool) -> Iterator[Path]:
    """Without `results`, neither of a run below it nor of the pictures beside a log, which show photos and are none."""
    left_out = None if besides is None else besides.resolve()
    for place, folders, files in os.walk(folder):
        here = Path(place)
        if not results and here != folder and set(files) >= _OF_A_RUN:
            folders.clear()
            continue
        drawn = PICTURES if not results and LOG in files else ()
        folders[:] = sorted(
            each
            for each in folders
            if not each.startswith(".")
            and each not in drawn
            and (left_out is None or (here / each).resolve() != left_out)
        )
        if left_out is None or here.resolve() != left_out:
            yield from (here / name for name in sorted(files) if not name.startswith("."))


def passed_over(names: Sequence[str], besides: Path | None = None) -> list[Path]:
    """Files in folders and of patterns among `names` that `image_files` does not take, but for hidden ones and what systems leave."""
    taken = {path for name in names for path in _named(name, besides)}
    return [
        path
        for name in names
        for path in _offered(Path(name), besides)
        if path not in taken and path.name.lower() not in LITTER
    ]


def _offered(path: Path, besides: Path | None) -> Iterator[Path]:
    """All files below a folder, or of a pattern; none of a file, which is taken."""
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError:  # as above
        return
    if is_folder:
        yield from _files_below(path, besides, results=True)
    elif not is_there and glob.has_magic(str(path)):
        for found in _matching(path):
            yield from _files_below(found, besides, results=True) if found.is_dir() else (found,)


def output_name(path: PurePath) -> str:
    """A file's name, without extension, for what is made of the image at `path`: readable, and another one for every path."""
    return f"{_readable(readable_stem(path))}-{_told_apart(os.fsencode(path))}"


def file_name(text: str) -> str:
    """A name for a file or a folder that is called after `text`: `text` itself where any file system takes it, else what is left of it
    with digits that tell it from others. It names no folder, device or stream, and steers no terminal.
    """
    return text if is_plain_name(text) else f"{_readable(text)}-{_told_apart(text.encode(errors='surrogatepass'))}"


def is_plain_name(text: str) -> bool:
    """Whether a file or a folder can have that name anywhere, without leading elsewhere."""
    return bool(text) and text == _readable(text)


def _readable(text: str) -> str:
    """At most 80 bytes of `text`; what no file system or terminal takes for a command."""
    name = _REPLACED.sub("_", text).encode()[:_STEM_BYTES].decode(errors="ignore").strip(" .") or "_"
    return f"_{name}" if _DEVICE.match(name) else name


def _told_apart(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
