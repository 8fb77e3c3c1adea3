"""`radar calibrate`: another threshold for a run's model, without training; versions of it, and the old one back."""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from scipy.stats import binom

from radar.cli.exit_codes import DONE
from radar.compose.settings import verb_settings
from radar.config.verbs import CalibrateConfig
from radar.data.grouping import PhotoGroups, photo_groups
from radar.data.layouts import LAYOUTS
from radar.data.near_duplicates import near_another, unit_vectors
from radar.deploy.calibration import ScoredPhoto, UnscoredPhoto, by_hand, fitted_on, from_normals, scored, usable
from radar.deploy.reviewed import Reviewed, latest, read_reviewed
from radar.errors import ConfigError, DataError
from radar.experiment.devices import configure_torch
from radar.experiment.run_directory import RunDirectory
from radar.model import Model
from radar.model_card import counted
from radar.model_folder import load, model_folder, store_thresholds
from radar.runtime.examination import MODEL_DIGITS
from radar.runtime.numbers import number_option
from radar.runtime.options import Parser, with_negative_numbers
from radar.runtime.paths import image_files, named, named_path
from radar.runtime.prediction import DEFECTIVE, GOOD
from radar.runtime.terminal import printable, tell
from radar.thresholds import Threshold

_NAME = re.compile(r"\w([\w.-]{0,58}\w)?")
_UNLIKELY = 0.01  # how rarely chance alone may be told as more than chance
_SHOWN = 3  # of the photos that cannot be scored


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "radar calibrate",
        description="Give a run's model another threshold, without training. It becomes a version beside the model, which decides "
        "from then on; what was fitted stays.",
        epilog="Exit code: 0 done, 3 and above: nothing was changed.",
    )
    parser.add_argument("run", type=named, help="run directory, or a model's folder")
    parser.add_argument("settings", nargs="*", help="key=value of conf/calibrate")
    parser.add_argument(
        "--normals",
        type=named,
        nargs="+",
        metavar="PATH",
        help="photos of good parts that the model has not learnt from",
    )
    parser.add_argument(
        "--reviewed",
        type=named_path,
        metavar="CSV",
        help="columns path, verdict (good, defective) and maybe score; goods are normals",
    )
    parser.add_argument("--false-alarms", metavar="RATE", help="share of new good parts above the threshold, at most")
    parser.add_argument(
        "--threshold", type=number_option, metavar="SCORE", help="by hand: above it, a photo is defective"
    )
    parser.add_argument("--name", help="of the new version; else it is numbered")
    parser.add_argument(
        "--use", type=named, metavar="NAME", help="let an earlier version decide; `fitted` is the first"
    )
    parser.add_argument("--list", action="store_true", help="list the versions")
    return parser


def calibrate(arguments: Sequence[str]) -> int:
    """Run `radar calibrate`; returns the exit code."""
    parsed = _parser().parse_intermixed_args(with_negative_numbers(arguments))
    _check(parsed)
    rate = [] if parsed.false_alarms is None else [f"false_alarms={parsed.false_alarms}"]
    settings = verb_settings(CalibrateConfig, "calibrate", [*parsed.settings, *rate])
    model = load(parsed.run, settings.device)
    if parsed.list:
        _list(model)
        return DONE
    before = model.thresholds.current
    if parsed.use is not None:
        changed, found = model.at(parsed.use), ""
    else:
        version, found = _new_version(parsed, settings, model)
        changed = replace(model, thresholds=model.thresholds.with_version(version))
    store_thresholds(parsed.run, changed)
    print(printable(f"threshold {_described(changed.thresholds.current)}{found}"))
    print(
        f"before it, {before.name} decided ({before.value:.6g}); back to it: radar calibrate {parsed.run} --use {before.name}"
    )
    return DONE


def _check(parsed: argparse.Namespace) -> None:
    """Raises `ConfigError`."""
    asked = [
        name
        for name, is_asked in (
            ("--normals or --reviewed", parsed.normals is not None or parsed.reviewed is not None),
            ("--threshold", parsed.threshold is not None),
            ("--use", parsed.use is not None),
            ("--list", parsed.list),
        )
        if is_asked
    ]
    if len(asked) != 1:
        given = f"{' and '.join(asked)} exclude each other" if asked else "nothing is asked for"
        raise ConfigError(f"calibrate: {given}; give --normals, --reviewed or both, or --threshold, --use or --list")
    if parsed.threshold is not None and not math.isfinite(parsed.threshold):
        raise ConfigError(f"--threshold {parsed.threshold}: is not a finite number; give a score")
    if parsed.false_alarms is not None and asked != ["--normals or --reviewed"]:
        raise ConfigError(f"--false-alarms: {asked[0]} keeps no rate; leave it out, or give --normals")
    if parsed.name is not None and asked[0] in ("--use", "--list"):
        raise ConfigError(f"--name: {asked[0]} makes no version; leave it out")
    if parsed.name is not None and not _NAME.fullmatch(parsed.name):
        raise ConfigError(f"--name {parsed.name!r}: has letters, digits, and _ . - between them; at most 60 of them")


def _new_version(parsed: argparse.Namespace, settings: CalibrateConfig, model: Model) -> tuple[Threshold, str]:
    """The version that is asked for, and what it does to photos of which more is known, in words."""
    calibration = model.calibration
    if parsed.threshold is not None:
        above, count = int((calibration.scores > parsed.threshold).sum()), len(calibration.scores)
        version = by_hand(calibration, parsed.threshold, name=parsed.name or model.thresholds.free_name("hand"))
        return version, f"; {above} of the {count} normal images of the fit lie above it"
    configure_torch(model.config.trainer, torch.get_num_threads())
    reviews = [] if parsed.reviewed is None else read_reviewed(parsed.reviewed, model.fingerprint[:MODEL_DIGITS])
    normals = [] if parsed.normals is None else _scored(model, image_files(parsed.normals), settings)
    if reviews:
        identified = [_identified(model, each) for each in reviews]
        reviews = latest(identified)
        if repeats := len(identified) - len(reviews):
            tell(f"{parsed.reviewed}: {repeats} of its photos repeat others; what was said last of each counts")
        _say_whence(parsed.reviewed, reviews)
    goods, defects = (_scored_reviews(model, reviews, verdict, settings) for verdict in (GOOD, DEFECTIVE))
    _refuse_contradictions([*normals, *goods], defects)
    kept = _kept(Path(parsed.run), [*normals, *goods])
    source = "normals" if parsed.normals is not None else "reviewed"
    version = from_normals(
        calibration,
        kept,
        _grouped(model, kept, settings.group).names,
        settings.false_alarms,
        name=parsed.name or model.thresholds.free_name(source),
        source=source,
        origin=" ".join([*(parsed.normals or ()), *([] if parsed.reviewed is None else [str(parsed.reviewed)])]),
    )
    if not reviews:  # of those, the ones that were called defective are known
        _say_above(model, kept, settings.false_alarms)
    found = sum(photo.score > version.value for photo in defects)
    return version, f"; it finds {found} of {len(defects)} reviewed defects" if defects else ""


def _scored(model: Model, paths: Iterable[Path], settings: CalibrateConfig) -> list[ScoredPhoto]:
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


def _scored_reviews(
    model: Model, reviews: Sequence[Reviewed], verdict: str, settings: CalibrateConfig
) -> list[ScoredPhoto]:
    of_it = [each for each in reviews if each.verdict == verdict]
    if not of_it or of_it[0].score is None:
        return _scored(model, [Path(each.path) for each in of_it], settings)
    return [
        ScoredPhoto(
            each.path, each.content_hash or str(Path.cwd() / os.path.normpath(each.path)), each.score, None, None
        )
        for each in of_it
        if each.score is not None
    ]


def _identified(model: Model, photo: Reviewed) -> Reviewed:
    """With the hash of its file, or of the crop that it is, where its score was read without one and the file can be looked at."""
    if photo.score is None or photo.content_hash is not None:
        return photo
    try:
        return replace(photo, content_hash=model.files.content_hash(Path(photo.path)))
    except (DataError, OSError, ValueError):
        return photo


def _say_whence(path: Path, reviews: Sequence[Reviewed]) -> None:
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


def _refuse_contradictions(normals: Sequence[ScoredPhoto], defects: Sequence[ScoredPhoto]) -> None:
    """Raises `DataError` where a photo is both."""
    good = {photo.identity: photo.path for photo in normals}
    for photo in defects:
        if photo.identity in good:
            raise DataError(f"{photo.path}: is called defective, and good as {good[photo.identity]}; decide for one")


def _kept(run: Path, normals: Sequence[ScoredPhoto]) -> list[ScoredPhoto]:
    """Those from which a threshold may come; what is left out is told."""
    above = RunDirectory(model_folder(run).resolve().parent)
    if run.resolve() == above.path or above.manifest.exists():  # else it is a model's folder alone, wherever it lies
        above.check_files(above.manifest.name)
    learnt = fitted_on(run)
    if learnt is None:
        tell(
            f"{run}: holds no manifest, so it cannot be known whether the model was fitted on some of these photos, whose scores "
            "would lie too low; name the run directory to have that checked"
        )
    kept, fitted, repeated = usable(normals, learnt or frozenset())
    if fitted:
        tell(
            f"{fitted} of {len(normals)} normal photos are left out: the model was fitted on them, and scores them too low"
        )
    if repeated:
        tell(f"{repeated} of {len(normals)} normal photos are left out: they repeat others")
    return kept


def _say_above(model: Model, normals: Sequence[ScoredPhoto], asked: float) -> None:
    """Told where more of them are called defective so far than chance explains: the light may have changed, or not all are good."""
    current = model.thresholds.current
    above = sum(photo.score > current.value for photo in normals)
    rate = asked if current.false_alarms is None else current.false_alarms
    if above and binom.sf(above - 1, len(normals), rate) < _UNLIKELY:
        tell(
            f"{above} of {len(normals)} normal photos lie above the threshold that decided so far ({current.name}, "
            f"{current.value:.6g}): see that all of them show good parts, as defects among them raise the new one"
        )


def _grouped(model: Model, photos: Sequence[ScoredPhoto], pattern: str) -> PhotoGroups:
    """Which of them belong together; told where some do. Raises `ConfigError`."""
    dataset = model.config.dataset
    thumbnails = [photo.thumbnail for photo in photos if photo.thumbnail is not None]
    paths, layout = [Path(photo.path) for photo in photos], LAYOUTS.get(dataset.layout)(dataset)
    try:
        groups = photo_groups(layout, paths, thumbnails, pattern)
    except re.error as error:
        raise ConfigError(f"group={pattern}: is no regular expression ({error}); give one, or auto, or none") from None
    count = len(set(groups.names))
    learnt_by = getattr(dataset.settings, "group", None)
    if pattern == "auto" and learnt_by is not None and not any(layout.groups_of(paths)):
        tell(
            f"dataset.folder.group={learnt_by}, which grouped the images that were learnt from, finds nothing in these photos' names: "
            "see that group= tells which of them belong together"
        )
    if count == len(photos) and pattern != "none" and thumbnails and (like := near_another(unit_vectors(thumbnails))):
        tell(
            f"{like} of {len(photos)} normal photos look nearly the same as others: copies that were encoded anew, or photos of one "
            "part, count as photos of their own; group=EXPRESSION tells by names what belongs together"
        )
    if count < len(photos):
        tell(
            f"{len(photos)} normal photos are of {count} group{'s'[: count - 1]}, known by {groups.known_by}: photos of one sheet or "
            "batch are alike, so groups are counted; group=none counts each photo, group=EXPRESSION finds others"
        )
    return groups


def _list(model: Model) -> None:
    for version in model.thresholds.versions:
        mark = "*" if version is model.thresholds.current else " "
        print(printable(f"{mark} {version.made}  {_described(version)}"))


def _described(version: Threshold) -> str:
    rate = version.false_alarms
    images, new = counted(len(version.normal_scores), version.groups)
    origin = f" in {version.origin}" if version.origin else ""
    hand = f"by hand ({version.origin})" if version.origin else "by hand"
    whence = {"fit": f"fitted on {images}", "hand": hand}.get(version.source, f"from {images}{origin}")
    if rate is None:
        promise = "no rate is promised"
    elif version.source == "fit":  # cross-fitted scores are no guarantee
        promise = f"the fit came to {rate:.3g} false alarms; the model's card says what that promises"
    else:
        promise = f"of {new}, at most {rate:.3g} are expected above it"
    return f"{version.name}: {version.value:.6g}, {whence}; {promise}"
