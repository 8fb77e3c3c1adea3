"""Split manifests: one CSV row per image, read, checked, hashed and written."""

from __future__ import annotations

import csv
import hashlib
import io
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from radar.data.decoding import file_hash
from radar.data.sample import ANOMALOUS_DEFECT, NORMAL_DEFECT, SPLITS, Sample, Split, contradiction
from radar.errors import DataError, RunError
from radar.files import csv_text, make_folder, read_bytes, write_text
from radar.runtime.cells import Rows
from radar.runtime.crops import Crop, file_and_crop

COLUMNS = ("path", "content_hash", "split", "label", "defect", "mask", "group")
_NAMES = ("path", "defect", "mask", "group")
_WHOLE = Crop(0, 0, sys.maxsize, sys.maxsize)  # a file that no crop is named of


def manifest_text(samples: Iterable[Sample]) -> str:
    """The CSV text: a header and the rows sorted by path, lines ended by a line feed on every system."""
    ordered = sorted(samples, key=lambda sample: sample.path)
    return csv_text(COLUMNS, ([getattr(sample, column) for column in COLUMNS] for sample in ordered))


def manifest_hash(samples: Iterable[Sample]) -> str:
    """SHA-256 of the manifest's text, content hashes and all; the order of the samples does not matter."""
    return hashlib.sha256(manifest_text(samples).encode()).hexdigest()


def write_manifest(samples: Iterable[Sample], path: Path) -> None:
    """Write to a temporary name, then rename, so that a reader never meets half a manifest."""
    make_folder(path.parent)
    write_text(path, manifest_text(samples))


def read_manifest(path: Path) -> tuple[Sample, ...]:
    """Read and check every row by itself; files are not looked at.

    Blank are allowed: content_hash, mask, group (then the path, without the crop that it may name) and defect (then "good" or
    "anomalous"). A normal image has defect "good" and no mask, an anomalous one another defect.
    Raises DataError naming the file, the row and what to do.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such manifest; check dataset.manifest")
    try:
        text = read_bytes(path, "save it as a CSV text").decode("utf-8-sig")
    except (RunError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a CSV text in UTF-8 ({error}); save it as one") from error
    return parsed_manifest(text, str(path))


def parsed_manifest(text: str, where: str) -> tuple[Sample, ...]:
    """The rows of a manifest's text, as above; errors name `where` it comes from."""
    try:
        reader = Rows(io.StringIO(text, newline=""))
        _check_columns(reader.fieldnames or (), where)
        samples = [_sample(row, f"{where}, row {number}") for number, row in enumerate(reader, start=2)]
    except (RunError, csv.Error) as error:
        raise DataError(f"{where}: not a CSV text in UTF-8 ({error}); save it as one") from error
    if not samples:
        raise DataError(f"{where}: the manifest has no rows; list at least one image")
    _check_unique(samples, where)
    return tuple(sorted(samples, key=lambda sample: sample.path))


def check_readable(samples: Iterable[Sample], where: str) -> None:
    """Raise DataError for the first image of which a manifest would say something else when it is read again: names lose the blanks
    that they begin and end with, and a layout of one's own may suit it in no way.
    """
    rows = tuple(samples)
    for sample in rows:
        for column in _NAMES:
            name = getattr(sample, column)
            if isinstance(name, str) and name != name.strip():
                raise DataError(
                    f"{where}: {column} {name!r} begins or ends with a blank, which a manifest does not keep; rename it"
                )
    read = set(parsed_manifest(manifest_text(rows), where))
    if lost := next((sample for sample in rows if sample not in read), None):
        raise DataError(
            f"{where}: {lost.path} is read from a manifest as another image than was written; have the layout tell its path, hash, "
            "defect, mask and group as a manifest keeps them"
        )


def _check_columns(found: Sequence[str], where: str) -> None:
    missing = [column for column in COLUMNS if column not in found]
    if missing:
        raise DataError(f"{where}: column {', '.join(missing)} is missing; a manifest has {','.join(COLUMNS)}")


def _sample(row: Mapping[str, str], where: str) -> Sample:
    cells = {column: row[column].strip() for column in COLUMNS}
    label = _label(cells["label"], where)
    split = _split(cells["split"], where)
    if label == 1 and split != "test":
        raise DataError(f"{where}: {cells['path']} is anomalous and in {split}; only test may hold anomalous images")
    defect = cells["defect"] or (ANOMALOUS_DEFECT if label else NORMAL_DEFECT)
    if found := contradiction(label, defect, cells["mask"] or None):
        raise DataError(f"{where}: {cells['path']} {found}; make the row agree with itself")
    if defect in (".", "..") or "/" in defect or "\0" in defect:
        raise DataError(f"{where}: defect {defect!r} is no name of a folder; write a name without '/' that is not '..'")
    mask = _relative(cells["mask"], "mask", where) if cells["mask"] else None
    path = _relative(cells["path"], "path", where)
    return Sample(
        path=path,
        content_hash=cells["content_hash"].lower(),
        split=split,
        label=label,
        defect=defect,
        mask=mask,
        group=cells["group"] or str(file_and_crop(PurePosixPath(path))[0]),
    )


def _label(text: str, where: str) -> int:
    if text not in ("0", "1"):
        raise DataError(f"{where}: label {text!r}; write 0 for normal or 1 for anomalous")
    return int(text)


def _split(text: str, where: str) -> Split:
    for split in SPLITS:
        if text == split:
            return split
    raise DataError(f"{where}: unknown split {text!r}; write one of {', '.join(SPLITS)}")


def _relative(text: str, column: str, where: str) -> str:
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\0" in text:
        raise DataError(f"{where}: {column} {text!r} does not lie in the data set's folder; write it relative to that")
    return str(path)


def _check_unique(samples: Sequence[Sample], where: str) -> None:
    seen: set[str] = set()
    for sample in samples:
        if sample.path in seen:
            raise DataError(f"{where}: {sample.path} is listed twice; keep one row")
        seen.add(sample.path)


def check_files(samples: Iterable[Sample], folder: Path, manifest: Path) -> None:
    """Raise DataError for the first image or mask that is not in `folder`."""
    for sample in samples:
        for name in filter(None, (sample.path, sample.mask)):
            if not file_and_crop(folder / name)[0].is_file():
                raise DataError(f"{manifest}: {name} is not in {folder}; restore the file or remove the row")


def check_masks(samples: Iterable[Sample], manifest: Path) -> None:
    """Raise DataError for the first mask that is a crop, or a photo, too, or that of two photos of two groups.

    Photos of one part, and crops of a file, share one.
    """
    rows, of = tuple(samples), dict[str, Sample]()
    photos = {str(file_and_crop(PurePosixPath(sample.path))[0]) for sample in rows}
    for sample in rows:
        if sample.mask is not None and file_and_crop(PurePosixPath(sample.mask))[1] is not None:
            raise DataError(
                f"{manifest}: the mask {sample.mask} is a crop; name the whole file, of which the crop of its photo is taken"
            )
        if sample.mask in photos:
            raise DataError(
                f"{manifest}: {sample.mask} is listed as a photo, and as the mask of {sample.path}; name the mask, or none"
            )
        if sample.mask is not None and (other := of.setdefault(sample.mask, sample)).group != sample.group:
            raise DataError(
                f"{manifest}: {sample.mask} is the mask of two photos, {other.path} and {sample.path}; name each one's own, or give "
                "them one group"
            )


def cut_files(samples: Iterable[Sample], folder: Path | None) -> dict[str, str]:
    """Of the samples that are a crop of a file in `folder`, or a file of which another is a crop: path to what tells the file from
    those of other content, whatever it is called; by its name, where there is no folder.
    """
    parts = [(*file_and_crop((folder or Path()) / sample.path), sample.path) for sample in samples]
    if all(crop is None for _, crop, _ in parts):
        return {}
    files = {file for file, _, _ in parts}
    contents = {file: str(file) for file in files} if folder is None else _contents(files)
    cut = {contents[file] for file, crop, _ in parts if crop is not None}
    return {path: contents[file] for file, _, path in parts if contents[file] in cut}


def check_crops(samples: Iterable[Sample], folder: Path, manifest: Path) -> None:
    """Raise DataError for the first two crops of one file that overlap and are of two groups: they show the same pixels.

    A file in `folder` is known by its content, whatever it is called.
    """
    every = list(samples)
    by_file: dict[str, list[tuple[Crop, Sample]]] = defaultdict(list)
    cut = cut_files(every, folder)
    for sample in every:
        if sample.path in cut:
            by_file[cut[sample.path]].append((file_and_crop(Path(sample.path))[1] or _WHOLE, sample))
    for crops in by_file.values():
        ordered = sorted(crops, key=lambda each: each[0].top)
        for place, (upper, first) in enumerate(ordered):
            for lower, second in ordered[place + 1 :]:
                if lower.top >= upper.top + upper.height:
                    break
                if upper is _WHOLE and lower is _WHOLE:  # whole files are compared wherever leaks are looked for
                    continue
                if first.group != second.group and upper.overlaps(lower):
                    raise DataError(
                        f"{manifest}: {first.path} and {second.path} show the same pixels and are of the groups {first.group!r} and "
                        f"{second.group!r}; give them one group"
                    )


def with_copies_joined(samples: Sequence[Sample], manifest: Path) -> tuple[Sample, ...]:
    """`samples` with one group for identical images of a split, as more copies tell nothing more: the one that the manifest names for
    any of them, or else the first. Crops may show the same where nothing is to be seen, and are left as they are.

    Raises DataError where it names two.
    """
    copies: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        if file_and_crop(PurePosixPath(sample.path))[1] is None:
            copies[sample.split, sample.content_hash].append(sample)
    groups = {each.path: _group_of(same, manifest) for same in copies.values() for each in same}
    return tuple(replace(sample, group=groups.get(sample.path, sample.group)) for sample in samples)


def _group_of(same: Sequence[Sample], manifest: Path) -> str:
    named = {each.group: each for each in same if each.group != each.path}
    if len(named) > 1:
        first, second = list(named.values())[:2]
        raise DataError(
            f"{manifest}: {first.path} and {second.path} are identical and of the groups {first.group!r} and {second.group!r}; give "
            "them one group"
        )
    return next(iter(named), same[0].group)


def _contents(files: Iterable[Path]) -> dict[Path, str]:
    """What tells files of other content apart: their names, and of files of one size a hash."""
    of_size: dict[int, list[Path]] = defaultdict(list)
    for file in files:
        of_size[file.stat().st_size].append(file)
    return {file: file_hash(file) if len(alike) > 1 else str(file) for alike in of_size.values() for file in alike}


def check_hashes(samples: Iterable[Sample], hashes: Mapping[str, str], manifest: Path) -> None:
    """Raise DataError for the first row whose content hash, if it states one, is not the file's in `hashes`."""
    for sample in samples:
        if sample.content_hash and sample.content_hash != hashes[sample.path]:
            found, stated = hashes[sample.path][:12], sample.content_hash[:12]
            raise DataError(
                f"{manifest}: {sample.path} is not what the manifest was made with (content hash "
                f"{found}…, not {stated}…; that of a crop is not its file's); restore the file or blank the hash"
            )
