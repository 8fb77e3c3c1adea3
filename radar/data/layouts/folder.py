"""Anyone's own images: `<normal>/*`, `<anomalous>/[<defect>/]*`, `<masks>/[<defect>/]<name>[_mask].*`; any of them may be `.`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING

from radar.data.layouts.files import FilesLayout, MaskFiles, image_files, relative, subfolders
from radar.data.layouts.layout import WITHOUT_GROUPS, Entry
from radar.data.sample import ANOMALOUS_DEFECT, NORMAL_DEFECT
from radar.errors import DataError
from radar.files import resolved
from radar.runtime.crops import file_and_crop
from radar.runtime.mask_names import names_masks, photo_of_mask


@dataclass
class FolderSettings:
    """Where the images are, relative to the data set's folder."""

    normal: str = MISSING  # sub-folder of normal images
    anomalous: str | None = MISSING  # sub-folder of anomalous images, one sub-folder per defect allowed; null: none
    masks: str | None = MISSING  # sub-folder of masks with the anomalous images' names; null: none
    group: str | None = (
        MISSING  # regular expression: what it finds in a file's name, photos of one group share; null: nothing
    )


class FolderLayout(FilesLayout):
    """Sub-folders that the user names."""

    name = "folder"
    Settings = FolderSettings
    settings: FolderSettings
    masks_advice = (
        "move it to a folder of its own, or rename it; dataset.folder.masks may name the folder of the defective photos"
    )
    normals_advice = "name the folder that holds them itself with dataset.folder.normal=, or move them into one"

    def problems(self) -> Iterator[str]:
        """Also an expression that is none."""
        yield from super().problems()
        try:
            re.compile(self.settings.group or "")
        except re.error as error:
            yield f"dataset.folder.group={self.settings.group}: is no regular expression ({error})"
        if self.settings.group is not None and self.config.manifest is None and self.config.split in WITHOUT_GROUPS:
            yield (
                f"dataset.folder.group={self.settings.group}: dataset.split={self.config.split} keeps no groups together; add "
                "dataset.split=grouped, or leave the groups out"
            )

    def groups_of(self, paths: Sequence[Path]) -> list[str | None]:
        """By `group`, too."""
        named = [named_together(path, self.settings.group) for path in paths]
        return [
            crop if group is None else str(group) for group, crop in zip(named, super().groups_of(paths), strict=True)
        ]

    def find(self, folder: Path) -> Iterator[Entry]:
        """An image is its own group where its name tells of none."""
        settings = self.settings
        normal = _named(folder, settings.normal, "normal")
        for path in image_files(normal):
            yield Entry(relative(path, folder), 0, NORMAL_DEFECT, None, self._group(path, folder), None)
        if settings.anomalous is None:
            return
        anomalous = _named(folder, settings.anomalous, "anomalous")
        masks = None if settings.masks is None else _named(folder, settings.masks, "masks")
        _check_apart(normal, anomalous, masks)
        files = MaskFiles()
        for parent in (anomalous, *_classes(anomalous, (normal, masks))):
            defect = ANOMALOUS_DEFECT if parent == anomalous else parent.name
            beside = None if masks is None else masks / parent.relative_to(anomalous)
            paths = image_files(parent)
            stems = {path.stem for path in paths}
            for path in paths:
                if beside == parent and _is_mask(path, stems):
                    continue
                mask = None if beside is None else files.of(path, beside)
                shown = None if mask is None else relative(mask, folder)
                yield Entry(relative(path, folder), 1, defect, shown, self._group(path, folder), None)
        files.check(", or read no masks with dataset.folder.masks=null")

    def _group(self, path: Path, folder: Path) -> str:
        named = relative(file_and_crop(path)[0], folder)
        return _found(self.settings.group, named) or relative(path, folder)


def named_together(path: Path, pattern: str | None) -> Path | None:
    """The group of a photo from anywhere, one of those in its folder that share what the expression finds. None: it finds nothing."""
    file = file_and_crop(path)[0]
    found = _found(pattern, one_spelling(file))
    return resolved(file.parent) / found if found else None


def one_spelling(file: Path) -> str:
    """A file's whole path, in whatever way its folder was named."""
    return (resolved(file.parent) / file.name).as_posix()


def _found(pattern: str | None, path: str) -> str:
    """What an expression finds in a file's name, or, where it has a slash, in its path; where parts of it have names, these parts.
    Blanks at its ends are no part of it, as no manifest keeps them.

    Empty where it finds nothing.
    """
    if pattern is None:
        return ""
    match = re.search(pattern, path if "/" in pattern else path.rpartition("/")[2])
    if match is None or not match.re.groupindex:
        return "" if match is None else match[0].strip()
    return "/".join(filter(None, match.groupdict().values())).strip()


def check_pattern(key: str, pattern: str | None, paths: Sequence[str]) -> None:
    """Raise DataError where an expression finds nothing in any of the photos' names: each would be a group of its own."""
    if pattern is not None and paths and not any(_found(pattern, path) for path in paths):
        where = "path" if "/" in pattern else "name"
        raise DataError(
            f"{key}={pattern}: finds nothing in the {where} of any photo, as {paths[0]}; mend the expression"
        )


def _classes(anomalous: Path, others: Iterable[Path | None]) -> list[Path]:
    """Sub-folders that are classes of defects: neither called as masks are, nor one that is read as something else."""
    taken = {each.resolve() for each in others if each is not None}
    return [sub for sub in subfolders(anomalous) if not names_masks(sub.name) and sub.resolve() not in taken]


def _check_apart(normal: Path, anomalous: Path, masks: Path | None) -> None:
    """Raise DataError where one folder would be read as two things; masks may lie beside their images."""
    if normal.resolve() == anomalous.resolve():
        raise DataError(f"{normal}: dataset.folder.normal and dataset.folder.anomalous are one folder; name two")
    if masks is not None and masks.resolve() == normal.resolve():
        raise DataError(f"{normal}: dataset.folder.normal and dataset.folder.masks are one folder; name two")


def _is_mask(path: Path, stems: Collection[str]) -> bool:
    """Whether an image beside it, of names `stems`, is the one whose mask this is, by its name."""
    return photo_of_mask(path.stem) in stems


def _named(folder: Path, name: str, key: str) -> Path:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise DataError(f"dataset.folder.{key}={name}: does not lie in {folder}; name a folder inside it")
    if not (folder / name).is_dir():
        there = ", ".join(sub.name for sub in subfolders(folder)) or "no folders"
        none = "" if key == "normal" else f", or dataset.folder.{key}=null where there are none"
        raise DataError(f"{folder}: no sub-folder {name!r}; set dataset.folder.{key}= to what is there ({there}){none}")
    return folder / name
