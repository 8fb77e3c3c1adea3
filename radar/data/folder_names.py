"""What the names in a folder of photos say of it: which are good, which are defective, where masks lie. Nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from radar.data.decoding import EXTENSIONS
from radar.data.layouts.files import image_files, mask_files, subfolders
from radar.data.name_meanings import names_defective, names_good
from radar.data.sample import NORMAL_DEFECT
from radar.errors import DataError
from radar.runtime.mask_names import names_masks, photo_of_mask, plain_name
from radar.runtime.paths import holds_results, images_below

# as names are compared
_NEITHER = {
    "train", "training", "test", "testing", "validation", "val", "valid", "new", "old", "unsorted", "unknown", "unlabeled",
    "unlabelled", "misc", "other", "others", "backup", "raw", "incoming", "all", "images", "photos", "outputs",
}  # fmt: skip


@dataclass(frozen=True)
class Recognised:
    """The preset of `dataset` that fits, values of keys below `dataset`, and what was recognised, in one line."""

    preset: str
    values: Mapping[str, str | None]
    told: str


def recognise(folder: Path) -> Recognised:
    """What lies in `folder`, by the names of its sub-folders that hold images, of which only those are classes whose images a layout
    reads. Raises `DataError` where names cannot tell."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "no such folder"
        raise DataError(f"{folder}: {what}; name the folder that holds the photos")
    holding = [sub.name for sub in subfolders(folder) if not holds_results(sub) and _holds_images(sub)]
    loose = len(image_files(folder))
    if not holding:
        if not loose:
            raise DataError(
                f"{folder}: holds no images (read are {', '.join(EXTENSIONS)}); name the folder of the photos"
            )
        return _as_folder(folder, ".", None, None, f"no sub-folders, so all {loose} photos are taken as good")
    if "train" in holding:
        return _as_mvtec(folder)
    good = [name for name in holding if names_good(name)]
    if all(names_defective(name) for name in holding):
        raise DataError(
            f"{folder}: holds {_listed(holding)} alone, and radar learns from good photos; put such into a folder good beside it"
        )
    if len(good) != 1:
        found = f"{_listed(good)} could each be the good ones" if good else f"none of {_listed(holding)} says good"
        raise _cannot_tell(folder, found)
    if loose:
        raise _cannot_tell(folder, f"{loose} photos lie beside its sub-folders {_listed(holding)}")
    return _good_and_defective(folder, good[0], [name for name in holding if name != good[0]])


def _good_and_defective(folder: Path, good: str, others: Sequence[str]) -> Recognised:
    """A folder of good ones, and beside it one of all defects or one of each class, perhaps masks."""
    masks = [name for name in others if names_masks(name)]
    if len(masks) > 1:
        raise _cannot_tell(folder, f"{_listed(masks)} could each hold the masks")
    read, too_deep = _read_and_too_deep(folder, [name for name in others if name not in masks])
    defective = [name for name in read if names_defective(name)]
    classes = [name for name in read if name not in defective]
    unclear = [name for name in classes if defective or plain_name(name) in _NEITHER]
    if unclear:
        raise _cannot_tell(folder, f"{_listed(unclear)} is neither good nor defective by its name")
    told = f"{good} = good"
    if not classes and not defective:
        beside = f"; {masks[0]} is not read" if masks else ""
        return _as_folder(folder, good, None, None, f"{told}; no defective ones to test with{beside}{too_deep}")
    one = len(defective) == 1
    anomalous = defective[0] if one else "."
    inside = [sub.name for sub in subfolders(folder / anomalous) if names_masks(sub.name)] if one else []
    where = masks[0] if masks else f"{anomalous}/{inside[0]}" if inside else None
    told += f", {anomalous} = defective" if one else f", {_listed((*defective, *classes))} = defective, a class each"
    if where is None and any(_holds_masks(folder / name) for name in (*defective, *classes)):
        return _as_folder(folder, good, anomalous, anomalous, f"{told}, masks beside them{too_deep}")
    found = f", {where} = masks" if where else ", no masks"
    return _as_folder(folder, good, anomalous, where, f"{told}{found}{too_deep}")


def _read_and_too_deep(folder: Path, names: Sequence[str]) -> tuple[list[str], str]:
    """Those of `names` whose images a layout will read, and what is to be told of the others: it looks one level deep, and into the
    classes of one folder of all defects.
    """
    all_defects = [name for name in names if names_defective(name)]
    looked_into = {name: [folder / name] for name in names}
    for name in all_defects if len(all_defects) == 1 else []:
        looked_into[name] += [sub for sub in subfolders(folder / name) if not names_masks(sub.name)]
    read = [name for name in names if any(map(image_files, looked_into[name]))]
    return read, _told_too_deep([name for name in names if name not in read])


def _told_too_deep(names: Sequence[str]) -> str:
    return f"; {_listed(names)} not read, as photos lie too deep there" if names else ""


def _holds_masks(folder: Path) -> bool:
    """Whether masks lie beside their photos, in it or in a folder of one class."""
    stems = [{path.stem for path in mask_files(each)} for each in (folder, *subfolders(folder))]
    return any(photo_of_mask(stem) in found for found in stems for stem in found)


def _as_folder(folder: Path, normal: str, anomalous: str | None, masks: str | None, told: str) -> Recognised:
    keys: dict[str, str | None] = {"folder.normal": normal, "folder.anomalous": anomalous, "folder.masks": masks}
    return Recognised("folder", {"root": str(folder), **keys}, told)


def _as_mvtec(folder: Path) -> Recognised:
    """`train/good`, `test/good`, `test/<defect>`, perhaps `ground_truth`, spelt as in MVTec AD."""
    tested = [sub.name for sub in subfolders(folder / "test") if _holds_images(sub)]
    trained = [sub.name for sub in subfolders(folder / "train") if _holds_images(sub)]
    other_good = [name for name in tested if names_good(name) and name != NORMAL_DEFECT]
    if trained != [NORMAL_DEFECT] or not tested or other_good:
        found = [f"train/{name}" for name in trained] + [f"test/{name}" for name in tested] or ["train"]
        raise DataError(
            f"{folder}: has a folder train, as MVTec AD does, which has train/good, test/good, test/DEFECT and ground_truth/DEFECT; "
            f"here are {_listed(found)}: rename them so, or name yours with dataset.folder.normal= and dataset.folder.anomalous="
        )
    read = [name for name in tested if image_files(folder / "test" / name)]
    defects = [name for name in read if name != NORMAL_DEFECT]
    too_deep = _told_too_deep([f"test/{name}" for name in tested if name not in read])
    masks = "ground_truth = masks" if (folder / "ground_truth").is_dir() else "no masks"
    told = f"as MVTec AD: train/good = good, to learn from; in test, {_listed(defects) or 'nothing'} = defective, {masks}{too_deep}"
    return Recognised("mvtec_folder", {"root": str(folder)}, told)


def _cannot_tell(folder: Path, found: str) -> DataError:
    return DataError(
        f"{folder}: {found}; rename them good and bad, or say which is which: dataset.folder.normal=GOOD dataset.folder.anomalous=BAD "
        "dataset.folder.masks=null, with your names in place of GOOD and BAD (anomalous=.: a folder per kind of defect; null: none)"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _holds_images(folder: Path) -> bool:
    """In it, or at any depth below; pictures of results are none."""
    return next(images_below(folder), None) is not None
