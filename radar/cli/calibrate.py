"""`radar calibrate`: another threshold for a run's model, without training; versions of it, and the old one back."""

from __future__ import annotations

import argparse
import math
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from glob import has_magic
from pathlib import Path

import torch

from radar.cli.calibration_photos import (
    as_they_lie,
    grouped,
    kept_photos,
    refuse_contradictions,
    say_above,
    say_of_regions,
    say_whence,
    scored_photos,
    scored_reviews,
    with_identity,
    with_thumbnails,
)
from radar.cli.exit_codes import DONE
from radar.compose.settings import refuse_unread, verb_settings
from radar.config.verbs import CalibrateConfig
from radar.data.name_meanings import names_defective, names_good
from radar.deploy.calibration import ScoredPhoto, by_hand, from_normals
from radar.deploy.reviewed import latest, read_reviewed
from radar.errors import ConfigError, DataError
from radar.experiment.devices import configure_torch
from radar.model import Model
from radar.model_card import counted
from radar.model_folder import change_thresholds, load
from radar.runtime.crops import file_and_crop
from radar.runtime.examination import MODEL_DIGITS
from radar.runtime.numbers import number_option
from radar.runtime.options import Parser, with_negative_numbers
from radar.runtime.paths import image_files, named, named_path, note_on_passed_over
from radar.runtime.prediction import DEFECTIVE, GOOD
from radar.runtime.terminal import printable, tell
from radar.thresholds import Threshold, Thresholds

_PHOTOS = "--normals or --reviewed"
_OF_PHOTOS = ("decode_ahead", "false_alarms", "group")  # keys that are read where a threshold comes from photos
_NAME = re.compile(r"\w([\w.-]{0,58}\w)?")


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
    asked = _asked(parsed)
    rate = [] if parsed.false_alarms is None else [f"false_alarms={parsed.false_alarms}"]
    settings = verb_settings(CalibrateConfig, "calibrate", [*parsed.settings, *rate])
    if asked != _PHOTOS:
        refuse_unread(parsed.settings, dict.fromkeys(_OF_PHOTOS, asked))
    model = load(parsed.run, settings.device)
    if parsed.list:
        _list(model)
        return DONE
    change, found = _change(parsed, settings, model)
    stored, changed = change_thresholds(parsed.run, model, change)
    before = stored.current
    print(printable(f"threshold {_described(changed.current)}{found}"))
    back = f"radar calibrate {shlex.quote(parsed.run)} --use {before.name}"
    print(f"before it, {before.name} decided ({before.value:.6g}); back to it: {back}")
    return DONE


def _asked(parsed: argparse.Namespace) -> str:
    """The option that says what to do. Raises `ConfigError`."""
    asked = [
        name
        for name, is_asked in (
            (_PHOTOS, parsed.normals is not None or parsed.reviewed is not None),
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
    if parsed.false_alarms is not None and any(word.partition("=")[0] == "false_alarms" for word in parsed.settings):
        raise ConfigError("--false-alarms: false_alarms=RATE is given beside it; say the rate once")
    if parsed.false_alarms is not None and asked != [_PHOTOS]:
        raise ConfigError(f"--false-alarms: {asked[0]} keeps no rate; leave it out, or give --normals")
    if parsed.name is not None and asked[0] in ("--use", "--list"):
        raise ConfigError(f"--name: {asked[0]} makes no version; leave it out")
    if parsed.name is not None and not _NAME.fullmatch(parsed.name):
        raise ConfigError(f"--name {parsed.name!r}: has letters, digits, and _ . - between them; at most 60 of them")
    return asked[0]


def _change(
    parsed: argparse.Namespace, settings: CalibrateConfig, model: Model
) -> tuple[Callable[[Thresholds], Thresholds], str]:
    """What is asked for, of whatever versions lie there when it is stored, and what it does to photos of which more is known, in
    words.

    Raises `ConfigError` where a name is taken, or there is none of it, before any photo is read.
    """
    if parsed.use is not None:
        model.thresholds.named(parsed.use)
        return lambda stored: stored.using(parsed.use), ""
    if parsed.name is not None:
        model.thresholds.refuse_taken(parsed.name)
    version, found = _new_version(parsed, settings, model)
    if parsed.name is None:
        return lambda stored: stored.with_numbered(version), found
    return lambda stored: stored.with_version(replace(version, name=parsed.name)), found


def _good_photos(names: Sequence[str]) -> Iterator[Path]:
    """The images of what is named. Raises `DataError` where a folder that was found below is called as one of defective parts is: a
    threshold that lies above these finds none. One that is so called and named itself is taken, and told.
    """
    for name in names:
        path = Path(name)
        if names_defective(path.name) and path.is_dir():
            tell(f"note: {name}: is called as a folder of defective photos is, and they are taken as good ones")
        for photo in image_files([name]):
            found = _found_defective(photo, path)
            if found is not None:
                raise DataError(
                    f"{found}: is called as a folder of defective photos is, and --normals takes good ones; name the folders of good "
                    "photos"
                )
    return image_files(names)


def _found_defective(photo: Path, named: Path) -> Path | None:
    """The folder of a photo, below what is named or in place of a wildcard, that calls it defective; the nearest that says anything
    decides.
    """
    typed = [part for part in named.parts if part.strip("*")]
    for above in photo.parents:
        if named.is_relative_to(above) or names_good(above.name):
            return None
        if names_defective(above.name):
            return None if any(fnmatch(above.name, part) for part in typed if has_magic(part)) else above
    return None


def _new_version(parsed: argparse.Namespace, settings: CalibrateConfig, model: Model) -> tuple[Threshold, str]:
    """The version that is asked for, called as where it comes from, and what it does to photos of which more is known, in words."""
    calibration = model.calibration
    if parsed.threshold is not None:
        above, count = int((calibration.scores > parsed.threshold).sum()), len(calibration.scores)
        version = by_hand(calibration, parsed.threshold, name="hand")
        return version, f"; {above} of the {count} normal images of the fit lie above it"
    configure_torch(model.config.trainer, torch.get_num_threads())
    if note := note_on_passed_over(parsed.normals or ()):
        tell(note)
    reviews = [] if parsed.reviewed is None else read_reviewed(parsed.reviewed, model.fingerprint[:MODEL_DIGITS])
    normals = [] if parsed.normals is None else scored_photos(model, _good_photos(parsed.normals), settings)
    if reviews:
        identified = [with_identity(model, each) for each in as_they_lie(model, reviews)]
        reviews = latest(identified)
        if repeats := len(identified) - len(reviews):
            tell(f"{parsed.reviewed}: {repeats} of its photos repeat others; what was said last of each counts")
        say_whence(parsed.reviewed, reviews)
    goods, called = (scored_reviews(model, reviews, verdict, settings) for verdict in (GOOD, DEFECTIVE))
    refuse_contradictions([*normals, *goods], called)
    unlearnt, learnt, defects = kept_photos(model, Path(parsed.run), [*normals, *goods], called)
    looked_at = with_thumbnails(model, [*unlearnt, *learnt], settings)
    unlearnt, learnt = looked_at[: len(unlearnt)], looked_at[len(unlearnt) :]
    kept, groups = grouped(model, Path(parsed.run), unlearnt, learnt, settings.group)
    source = "normals" if parsed.normals is not None else "reviewed"
    version = from_normals(
        calibration,
        kept,
        groups.names,
        settings.false_alarms,
        name=source,
        source=source,
        origin=" ".join([*(parsed.normals or ()), *([] if parsed.reviewed is None else [str(parsed.reviewed)])]),
    )
    if without_map := sum(photo.map_tops is None for photo in kept):
        tell(
            f"regions are flagged from map levels of the images of the fit: {without_map} of {len(kept)} normal photos have a score "
            "that was read and no map; without the column score all are scored anew, and their maps tell the levels"
        )
    if not without_map:
        say_of_regions(len(kept), len(set(groups.names)), settings.false_alarms)
    if not reviews:  # of those, the ones that were called defective are known
        say_above(model, kept, settings.false_alarms)
    return version, _found(defects, version.value) if defects else ""


def _found(defects: Sequence[ScoredPhoto], threshold: float) -> str:
    """How many lie above it; several crops of one file may show one defect, which is said."""
    found = sum(photo.score > threshold for photo in defects)
    files = len({file_and_crop(Path(photo.path))[0] for photo in defects})
    photos = f", of {files} photo{'s'[: files - 1]}" if files < len(defects) else ""
    return f"; it finds {found} of {len(defects)} reviewed defects{photos}"


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
        promise = f"of {new}, at most {rate} are expected above it"
    return f"{version.name}: {version.value:.6g}, {whence}; {promise}"
