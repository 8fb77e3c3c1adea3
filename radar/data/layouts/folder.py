"""Anyone's own images: `<normal>/*`, `<anomalous>/[<defect>/]*`, `<masks>/[<defect>/]<name>[_mask].*`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING

from radar.data.layouts.files import FilesLayout, image_files, mask_file, relative, subfolders
from radar.data.layouts.layout import Entry
from radar.data.sample import ANOMALOUS_DEFECT, NORMAL_DEFECT
from radar.errors import DataError


@dataclass
class FolderSettings:
    """Where the images are, relative to the data set's folder."""

    normal: str = MISSING  # sub-folder of normal images
    anomalous: str | None = MISSING  # sub-folder of anomalous images, one sub-folder per defect allowed; null: none
    masks: str | None = MISSING  # sub-folder of masks with the anomalous images' names; null: none


class FolderLayout(FilesLayout):
    """Sub-folders that the user names."""

    name = "folder"
    Settings = FolderSettings
    settings: FolderSettings

    def find(self, folder: Path) -> Iterator[Entry]:
        """Every image is its own group."""
        settings = self.settings
        for path in image_files(_named(folder, settings.normal, "normal")):
            yield Entry(relative(path, folder), 0, NORMAL_DEFECT, None, relative(path, folder), None)
        if settings.anomalous is None:
            return
        anomalous = _named(folder, settings.anomalous, "anomalous")
        masks = None if settings.masks is None else _named(folder, settings.masks, "masks")
        for parent in (anomalous, *(sub for sub in subfolders(anomalous) if sub != masks)):
            defect = ANOMALOUS_DEFECT if parent == anomalous else parent.name
            beside = None if masks is None else masks / parent.relative_to(anomalous)
            for path in image_files(parent):
                mask = None if beside is None else relative(mask_file(beside, path), folder)
                yield Entry(relative(path, folder), 1, defect, mask, relative(path, folder), None)


def _named(folder: Path, name: str, key: str) -> Path:
    if not (folder / name).is_dir():
        there = ", ".join(sub.name for sub in subfolders(folder)) or "no folders"
        none = "" if key == "normal" else f", or dataset.folder.{key}=null where there are none"
        raise DataError(f"{folder}: no sub-folder {name!r}; set dataset.folder.{key}= to what is there ({there}){none}")
    return folder / name
