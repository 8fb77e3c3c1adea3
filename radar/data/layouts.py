"""Folders on disk to entries: which images a data set has, their labels, defects, masks and group hints.

An entry's `group` is what file names alone tell about images that belong together; `splits.py` may join groups further.
Hidden files and files of other kinds are passed over. Nothing is decoded here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from radar.config.schema import DatasetConfig, FolderConfig
from radar.data.decoding import EXTENSIONS
from radar.data.manifest import ANOMALOUS_DEFECT
from radar.data.sample import NORMAL_DEFECT, Split
from radar.errors import ConfigError, DataError

_SOURCES = {
    "mvtec": "MVTec AD: https://www.mvtec.com/company/research/datasets/mvtec-ad",
    "magnetic_tile": "`radar data download magnetic_tile`",
    "piped": "`radar data download piped`",
}
_QUADRANT = re.compile(r"^(?P<original>.+?)_q\d+$")  # mvtec_quads: part of a larger photograph
_DISTORTED = re.compile(r"^.*_(?=[a-z]+_\d+$)")  # mvtec_quads: how the photograph was distorted
_TILE = re.compile(r"^exp(?P<exposure>\d+)_num_(?P<number>\d+)$")
_SHEET = re.compile(r"_(?P<kind>ND|D)_(?P<sheet>\d+)_\d+$")
_SERIES_GAP = 150  # largest step of `num` inside one exposure series; nine of ten steps are below 55


@dataclass(frozen=True, slots=True)
class Entry:
    """One image before it is split; paths are POSIX and relative to the data set's folder."""

    path: str
    label: int
    defect: str
    mask: str | None
    group: str
    official: Split | None


def dataset_folder(config: DatasetConfig) -> Path:
    """The folder that paths are relative to: `root`, or `root/category`. Raises DataError if it is not there."""
    if config.root is None:
        raise ConfigError(f"dataset.root is null, but layout {config.layout} reads a folder; set dataset.root=…")
    root = Path(config.root).expanduser()
    if not root.is_dir():
        where = _SOURCES.get(config.layout)
        raise DataError(
            f"{root}: no such folder; set dataset.root= or data_root= to where the images are"
            + (f" (to be had from {where})" if where else "")
        )
    if config.category is None or (root / config.category).is_dir():
        return root / (config.category or "")
    there = ", ".join(folder.name for folder in _folders(root)) or "nothing"
    raise DataError(f"{root}: no category {config.category!r}; set dataset.category= to one of: {there}")


def read_layout(config: DatasetConfig, folder: Path) -> tuple[Entry, ...]:
    """Every image of `folder`, sorted by path. Raises DataError if there is none, or if one lacks its mask."""
    readers: dict[str, Callable[[], Iterator[Entry]]] = {
        "mvtec": lambda: _mvtec(folder),
        "magnetic_tile": lambda: _magnetic_tile(folder),
        "piped": lambda: _piped(folder),
        "folder": lambda: _generic(folder, config.folder),
    }
    entries = sorted(readers[config.layout](), key=lambda entry: entry.path)
    if not any(entry.label == 0 for entry in entries):
        raise DataError(
            f"{folder}: no normal images in the {config.layout} layout; check dataset.root and "
            f"dataset.layout (read are {', '.join(EXTENSIONS)})"
        )
    return tuple(entries)


def _mvtec(folder: Path) -> Iterator[Entry]:
    """`train/good`, `test/<defect>`, `ground_truth/<defect>/<name>_mask.png`; without ground_truth, no masks."""
    for path in _images(folder / "train" / NORMAL_DEFECT):
        yield _mvtec_entry(path, folder, NORMAL_DEFECT, "train")
    for defect in _folders(folder / "test"):
        for path in _images(defect):
            yield _mvtec_entry(path, folder, defect.name, "test")


def _mvtec_entry(path: Path, folder: Path, defect: str, split: Split) -> Entry:
    masks, mask = folder / "ground_truth", None
    if defect != NORMAL_DEFECT and masks.is_dir():
        mask = _relative(_required_mask(masks / defect, path), folder)
    quadrant = _QUADRANT.match(path.stem)
    name = _relative(path, folder)
    group = _DISTORTED.sub("", quadrant["original"]) if quadrant else name
    return Entry(name, int(defect != NORMAL_DEFECT), defect, mask, group, split)


def _magnetic_tile(folder: Path) -> Iterator[Entry]:
    """`MT_<defect>/Imgs/exp<K>_num_<N>.jpg` with the mask beside it; `MT_Free` is normal."""
    found = [
        (path, defect.name.removeprefix("MT_").lower())
        for defect in _folders(folder)
        if defect.name.startswith("MT_")
        for path in _images(defect / "Imgs")
        if path.suffix.lower() != ".png"
    ]
    series = exposure_series([path.stem for path, _ in found])
    for path, name in found:
        normal = name == "free"
        mask = None if normal else _relative(_required_mask(path.parent, path), folder)
        yield Entry(
            _relative(path, folder), int(not normal), NORMAL_DEFECT if normal else name, mask, series[path.stem], None
        )


def exposure_series(stems: Sequence[str]) -> dict[str, str]:
    """Name `exp<K>_num_<N>` to the first name of its series: one tile, photographed under rising exposures K.

    `N` is unique and counts up while K runs through 1…6, but the series of neighbouring tiles interleave: an image,
    taken in the order of N, joins the open series with the nearest lower exposure.
    """
    keys = sorted(
        (int(match["number"]), int(match["exposure"]), stem)
        for stem in stems
        if (match := _TILE.match(stem)) is not None
    )
    last: dict[str, tuple[int, int]] = {}  # first name of a series → its last number and exposure
    series = {stem: stem for stem in stems}
    for number, exposure, stem in keys:
        is_open = [first for first, (seen, below) in last.items() if below < exposure and number - seen <= _SERIES_GAP]
        first = max(is_open, key=lambda first: (last[first][1], last[first][0]), default=stem)
        series[stem] = first
        last[first] = (number, exposure)
    return series


def _piped(folder: Path) -> Iterator[Entry]:
    """`NoDefects/*_ND_<sheet>_<n>.bmp`, `Defects/*_D_<sheet>_<n>.bmp`, masks `*_GT_*` in a sub-folder spelt two ways.

    Sheets of normal and of defective images count as different ones even if they bear one number. Where they are the
    same sheet, training on its normals can only make its defective images look more normal, never less.
    """
    for path in _images(folder / "NoDefects"):
        yield Entry(_relative(path, folder), 0, NORMAL_DEFECT, None, _sheet(path), None)
    for path in _images(folder / "Defects"):
        mask = _piped_mask(path, folder)
        yield Entry(_relative(path, folder), 1, "impurity", mask, _sheet(path), None)


def _piped_mask(path: Path, folder: Path) -> str:
    name = path.name.replace("_D_", "_GT_")
    for spelling in ("GroundTruth", "GroundThruth"):
        if (mask := path.parent / spelling / name).is_file():
            return _relative(mask, folder)
    raise DataError(f"{path}: no mask GroundTruth/{name} beside it; restore the mask or remove the image")


def _sheet(path: Path) -> str:
    match = _SHEET.search(path.stem)
    return f"{match['kind']}_{int(match['sheet']):02d}" if match else path.stem


def _generic(folder: Path, config: FolderConfig | None) -> Iterator[Entry]:
    """`<normal>/*`, `<anomalous>/[<defect>/]*`, `<masks>/[<defect>/]<name>[_mask].*`."""
    if config is None:
        raise ConfigError("dataset.folder is null, but layout folder reads it; set dataset.folder.normal=…")
    for path in _images(_named(folder, config.normal, "normal")):
        yield Entry(_relative(path, folder), 0, NORMAL_DEFECT, None, _relative(path, folder), None)
    if config.anomalous is None:
        return
    anomalous = _named(folder, config.anomalous, "anomalous")
    masks = None if config.masks is None else _named(folder, config.masks, "masks")
    for parent in (anomalous, *(sub for sub in _folders(anomalous) if sub != masks)):
        defect = ANOMALOUS_DEFECT if parent == anomalous else parent.name
        for path in _images(parent):
            mask = (
                None
                if masks is None
                else _relative(_required_mask(masks / parent.relative_to(anomalous), path), folder)
            )
            yield Entry(_relative(path, folder), 1, defect, mask, _relative(path, folder), None)


def _named(folder: Path, name: str, key: str) -> Path:
    if not (folder / name).is_dir():
        there = ", ".join(sub.name for sub in _folders(folder)) or "no folders"
        none = "" if key == "normal" else f", or dataset.folder.{key}=null where there are none"
        raise DataError(f"{folder}: no sub-folder {name!r}; set dataset.folder.{key}= to what is there ({there}){none}")
    return folder / name


def _required_mask(masks: Path, image: Path) -> Path:
    """The mask of `image`: its stem, bare or with `_mask`, any extension; a missing one would corrupt pixel metrics."""
    for stem in (f"{image.stem}_mask", image.stem):
        for extension in EXTENSIONS:
            for suffix in (extension, extension.upper()):
                if (mask := masks / f"{stem}{suffix}").is_file() and mask != image:
                    return mask
    raise DataError(
        f"{image}: no mask {image.stem}_mask.png or {image.stem}.png in {masks}; restore the mask or remove the image"
    )


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(sub for sub in folder.iterdir() if sub.is_dir() and not sub.name.startswith("."))


def _images(folder: Path) -> list[Path]:
    """Images directly in `folder`, none if it is not there."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")
    )


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
