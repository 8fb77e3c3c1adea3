"""The photos that a threshold comes from: scored, without those that must not count, in groups, and what is told of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from scipy.stats import binom

from radar.config.verbs import CalibrateConfig
from radar.data.decoding import FloatArray
from radar.data.file_reader import FileReader
from radar.data.grouping import PhotoGroups, photo_groups
from radar.data.layouts import LAYOUTS
from radar.data.layouts.layout import Layout
from radar.data.learnt_images import RecordedGroups
from radar.data.near_duplicates import THUMBNAIL_SIDE, near_another, unit_vectors
from radar.data.preprocessing import thumbnail
from radar.deploy.calibration import (
    ScoredPhoto,
    UnscoredPhoto,
    called_defective,
    learnt_files,
    learnt_images,
    recorded_groups,
    scored,
    usable,
)
from radar.deploy.reviewed import Reviewed
from radar.deploy.scorer import ModelScorer
from radar.errors import ConfigError, DataError
from radar.experiment.run_directory import RunDirectory
from radar.model import Model
from radar.model_card import counted
from radar.model_folder import model_folder
from radar.percent import percent_at_most
from radar.runtime.stream import read_ahead
from radar.runtime.terminal import tell
from radar.scoring.map_levels import LEVELS

_UNLIKELY = 0.01  # how rarely chance alone may be told as more than chance
_SHOWN = 3  # of the photos that cannot be scored


def scored_photos(model: Model, paths: Iterable[Path], settings: CalibrateConfig) -> list[ScoredPhoto]:
    """Those of `paths` that can be scored; the others are told."""
    photos, unscored = [], []
    for each in scored(model, paths, settings.decode_ahead):
        if isinstance(each, UnscoredPhoto):
            unscored.append(each)
        else:
            photos.append(each)
    for bad in unscored[:_SHOWN]:
        tell(f"{bad.path}: left out, {bad.error}")
    if len(unscored) > _SHOWN:
        tell(f"{len(unscored) - _SHOWN} more cannot be scored and are left out")
    return photos


def scored_reviews(
    model: Model, reviews: Sequence[Reviewed], verdict: str, settings: CalibrateConfig
) -> list[ScoredPhoto]:
    """The reviewed photos of one `verdict`, with the scores that the review holds; scored anew where it holds none."""
    of_it = [each for each in reviews if each.verdict == verdict]
    if not of_it or of_it[0].score is None:
        return scored_photos(model, [Path(each.path) for each in of_it], settings)
    return [
        ScoredPhoto(
            each.path, each.content_hash or str(Path.cwd() / os.path.normpath(each.path)), each.score, None, None
        )
        for each in of_it
        if each.score is not None
    ]


def as_they_lie(model: Model, reviews: Sequence[Reviewed]) -> list[Reviewed]:
    """Of reviews without scores the last of each path that is of what lies there now, or tells no content; the others are told. A file
    that cannot be looked at is left to whoever scores it. Reviews with scores are left as they are.
    """
    if not reviews or reviews[0].score is not None:
        return list(reviews)
    kept: dict[Path, Reviewed] = {}
    changed = []
    for each in reviews:
        found = None if each.content_hash is None else model.files.known_hash(Path(each.path))
        if found in (None, each.content_hash):
            kept.pop(Path(each.path), None)
            kept[Path(each.path)] = each
        else:
            changed.append(each.path)
    if changed:
        tell(
            f"{len(changed)} of {len(reviews)} verdicts are left out: what lies at their paths now is not what was reviewed, first "
            f"{changed[0]}"
        )
    return list(kept.values())


def with_identity(model: Model, photo: Reviewed) -> Reviewed:
    """With the hash of its file, or of the crop that it is, where its score was read without one and the file can be looked at."""
    if photo.score is None or photo.content_hash is not None:
        return photo
    return replace(photo, content_hash=model.files.known_hash(Path(photo.path)))


def say_whence(path: Path, reviews: Sequence[Reviewed]) -> None:
    """Tell where the scores of a review come from, and what it may promise."""
    if reviews[0].score is None:
        tell(f"{path}: its {len(reviews)} reviewed photos are scored anew")
    else:
        tell(f"{path}: the scores of its {len(reviews)} reviewed photos are taken from it; no photo is scored")
        if unknown := sum(each.content_hash is None for each in reviews):
            tell(
                f"{unknown} of them have no content_hash and cannot be looked at: whether the model was fitted on them, or they "
                "repeat others, cannot be known"
            )
    tell("the promise holds for goods that were reviewed as they came, not where only doubtful ones were looked at")


def refuse_contradictions(normals: Sequence[ScoredPhoto], defects: Sequence[ScoredPhoto]) -> None:
    """Raises `DataError` where a photo is both."""
    good = {photo.identity: photo.path for photo in normals}
    for photo in defects:
        if photo.identity in good:
            raise DataError(f"{photo.path}: is called defective, and good as {good[photo.identity]}; decide for one")


def kept_photos(
    model: Model, run: Path, normals: Sequence[ScoredPhoto], defects: Sequence[ScoredPhoto]
) -> tuple[list[ScoredPhoto], list[ScoredPhoto], list[ScoredPhoto]]:
    """Those from which a threshold may come, normals that the model had learnt from, and those that may tell what it finds; what is
    left out is told.
    """
    known = _learnt(model, run, [*normals, *defects])
    if bad := called_defective(run, model.config.dataset.layout, normals, model.files):
        tell(
            f"{len(bad)} of {len(normals)} normal photos are left out: they are defective ones of the run's data set, first "
            f"{bad[0].path}"
        )
        normals = [photo for photo in normals if photo not in bad]
    kept, learnt, repeated = usable(normals, known)
    if learnt:
        tell(
            f"{len(learnt)} of {len(normals)} normal photos are left out: the model was fitted on them, or its threshold was"
        )
    if repeated:
        tell(f"{repeated} of {len(normals)} normal photos are left out: they repeat others")
    new, fitted, repeated = usable(defects, known)
    if fitted:
        tell(
            f"{len(fitted)} of {len(defects)} reviewed defects are left out: the model was fitted on them, or on others of what they "
            "show, as on good parts; take those out, and train again"
        )
    if repeated:
        tell(f"{repeated} of {len(defects)} reviewed defects are left out: they repeat others")
    return kept, learnt, new


def _learnt(model: Model, run: Path, photos: Sequence[ScoredPhoto]) -> frozenset[str]:
    """The identities of what the model was fitted on, and of those `photos` that show a part of it, or are one; told where the run
    does not say.
    """
    above = RunDirectory(model_folder(run).resolve().parent)
    if run.resolve() == above.path or above.manifest.exists():  # else it is a model's folder alone, wherever it lies
        above.check_files(above.manifest.name)
    learnt = learnt_images(run, model.config.dataset.layout)
    if learnt is None:
        tell(
            f"{run}: holds no manifest, so it cannot be known whether the model was fitted on some of these photos, whose scores "
            "would lie too low; name the run directory to have that checked"
        )
        return frozenset()
    parts = {photo.identity for photo in photos if learnt.shown_in(Path(photo.path), model.files)}
    return frozenset(learnt.identities | parts)


def with_thumbnails(model: Model, photos: Sequence[ScoredPhoto], settings: CalibrateConfig) -> list[ScoredPhoto]:
    """With the thumbnails of those whose score was read and whose file lies there unchanged; how many do not is told."""
    unread = [photo for photo in photos if photo.thumbnail is None]
    if settings.group == "none":  # then nobody asks which are alike
        return list(photos)
    found: dict[str, FloatArray] = {}
    files = read_ahead([Path(photo.path) for photo in unread], ModelScorer(model), settings.decode_ahead)
    for photo, file in zip(unread, files, strict=True):
        if file.picture is not None and file.picture.identity == photo.identity:
            found[photo.identity] = thumbnail(file.picture.pixels, THUMBNAIL_SIDE)
    if (lacking := len(unread) - len(found)) and settings.group == "auto":
        tell(
            f"{lacking} of {len(photos)} normal photos cannot be looked at as they were scored, so it is not known whether they look "
            "like others, and names alone tell their groups; put them where their paths say, or say group=EXPRESSION"
        )
    return [replace(photo, thumbnail=found.get(photo.identity, photo.thumbnail)) for photo in photos]


def say_of_regions(photos: int, groups: int, asked: float) -> None:
    """Told where so few cannot hold the rate that is `asked` for both levels from which regions are flagged."""
    share = LEVELS / (groups + 1)
    if share > asked + 1e-9:
        normals, new = counted(photos, groups)
        tell(
            f"{normals} are too few to flag regions at that rate, as each of two levels takes half of it: of {new}, up to "
            f"{percent_at_most(min(share, 1.0))} % are expected to have a flagged region"
        )


def say_above(model: Model, normals: Sequence[ScoredPhoto], asked: float) -> None:
    """Told where more of them are called defective so far than chance explains: the light may have changed, or not all are good."""
    current = model.thresholds.current
    above = sum(photo.score > current.value for photo in normals)
    rate = asked if current.false_alarms is None else current.false_alarms
    if above and binom.sf(above - 1, len(normals), rate) < _UNLIKELY:
        tell(
            f"{above} of {len(normals)} normal photos lie above the threshold that decided so far ({current.name}, "
            f"{current.value:.6g}): see that all of them show good parts, as defects among them raise the new one"
        )


def grouped(
    model: Model, run: Path, photos: Sequence[ScoredPhoto], learnt: Sequence[ScoredPhoto], pattern: str
) -> tuple[list[ScoredPhoto], PhotoGroups]:
    """Those of which no other of their group was learnt, be it among the `learnt` photos or in the run's manifest, and which of them
    belong together; told where some do.

    The promise is of new groups, and others of one that the model knows have lower scores. Raises `ConfigError`.
    """
    dataset = model.config.dataset
    layout, seen = LAYOUTS.get(dataset.layout)(dataset), [*photos, *learnt]
    record = recorded_groups(run, dataset) if pattern == "auto" else None
    files = [] if pattern == "none" else learnt_files(run)
    if files is None:
        tell(
            f"{run}: the photos that the model has learnt from are not found from here, so others of their groups are known by the "
            "run's manifest and by likeness alone; run this where the run was started, or say group="
        )
        files = []
    recorded = [
        *(_groups_of(record, each, model.files) for each in seen),
        *(frozenset[str]() if record is None else frozenset({record.groups[content]}) for _, content in files),
    ]
    paths = [*(Path(each.path) for each in seen), *(path for path, _ in files)]
    thumbnails = [*(each.thumbnail for each in seen), *(None for _ in files)]
    try:
        groups = photo_groups(layout, paths, thumbnails, recorded, pattern)
    except re.error as error:
        raise ConfigError(f"group={pattern}: is no regular expression ({error}); give one, or auto, or none") from None
    known = set(groups.names[len(photos) :])
    if record is not None:
        known |= {name for name, of_it in zip(groups.names, recorded, strict=True) if of_it & record.learnt}
    new = [(photo, name) for photo, name in zip(photos, groups.names, strict=False) if name not in known]
    if len(new) < len(photos):
        tell(
            f"{len(photos) - len(new)} of {len(photos)} normal photos are left out: they are of groups, known by {groups.known_by}, "
            "of which the model has learnt others, and the promise is of new groups; group=none counts each photo by itself"
        )
    kept = [photo for photo, _ in new]
    found = PhotoGroups(tuple(name for _, name in new), groups.known_by)
    _say_grouped(layout, kept, found, pattern)
    return kept, found


def _groups_of(record: RecordedGroups | None, photo: ScoredPhoto, files: FileReader) -> frozenset[str]:
    return frozenset() if record is None else record.of_photo(Path(photo.path), photo.identity, files)


def _say_grouped(layout: Layout, photos: Sequence[ScoredPhoto], groups: PhotoGroups, pattern: str) -> None:
    """What groups there are, and what looks as if there were more."""
    paths, thumbnails = [Path(photo.path) for photo in photos], [photo.thumbnail for photo in photos]
    count = len(set(groups.names))
    learnt_by = getattr(layout.config.settings, "group", None)
    if pattern == "auto" and learnt_by is not None and photos and not any(layout.groups_of(paths)):
        tell(
            f"dataset.folder.group={learnt_by}, which grouped the images that were learnt from, finds nothing in these photos' names: "
            "see that group= tells which of them belong together"
        )
    seen = [each for each in thumbnails if each is not None]
    if count == len(photos) and pattern != "none" and seen and (like := near_another(unit_vectors(seen))):
        tell(
            f"{like} of {len(photos)} normal photos look nearly the same as others: copies that were encoded anew, or photos of one "
            "part, count as photos of their own; group=EXPRESSION tells by names what belongs together"
        )
    if count < len(photos):
        tell(
            f"{len(photos)} normal photos are of {count} group{'s'[: count - 1]}, known by {groups.known_by}: photos of one sheet or "
            "batch are alike, so groups are counted; group=none counts each photo, group=EXPRESSION finds others"
        )
