"""Versions of a model's threshold: the fitted one is the first and stays, later ones lie beside it, and one is current."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import count
from pathlib import Path

import numpy as np

from radar.errors import ConfigError, RunError
from radar.files import Plain, read_json, unreadable, write_json
from radar.runtime.threshold import CurrentThreshold
from radar.scoring.forest import Floats
from radar.scoring.map_levels import MapLevels

FITTED = "fitted"  # name of the first version
SOURCES = ("fit", "normals", "reviewed", "hand")  # what a threshold comes from
_FILE = "thresholds.json"  # in a model's folder, once there is a version beside the fitted one
_REMEDY = "restore it, or remove it to go back to the fitted threshold"


@dataclass(frozen=True, eq=False)
class Threshold:
    """Where defective begins: for an image's score, and for a pixel of its map."""

    name: str
    value: float  # an image is defective where its score lies above
    map_levels: MapLevels  # a pixel is flagged where it belongs to a region above these
    source: str  # of SOURCES
    origin: str  # the folder or the file that it comes from, or why it was chosen by hand; may be empty
    made: str  # UTC, ISO 8601
    false_alarms: float | None  # expected share of normal images above `value`, at most; None: no promise
    normal_scores: Floats  # (M,) of the normal images that it comes from; by hand (0,)
    groups: (
        int | None
    )  # of those images, which the promise counts; None: by hand, and of the fitted one, whose card tells


@dataclass(frozen=True, eq=False)
class Thresholds:
    """All versions, the fitted one first, and the name of the current one."""

    versions: tuple[Threshold, ...]
    current_name: str = FITTED

    @property
    def current(self) -> Threshold:
        """The version that decides."""
        return self.named(self.current_name)

    @property
    def deciding(self) -> CurrentThreshold:
        """The current version as it decides: beside its own normal images or, where it comes from none, those of the fitted one."""
        current = self.current
        normals = current.normal_scores if len(current.normal_scores) else self.versions[0].normal_scores
        return CurrentThreshold(current.name, current.value, current.map_levels, normals)

    def named(self, name: str) -> Threshold:
        """The version of that name. Raises `ConfigError`, which lists the names."""
        for version in self.versions:
            if version.name == name:
                return version
        known = ", ".join(version.name for version in self.versions)
        raise ConfigError(f"threshold {name}: there is none; use one of {known}")

    def using(self, name: str) -> Thresholds:
        """The same versions, another one being current. Raises `ConfigError` where there is none of that name."""
        return replace(self, current_name=self.named(name).name)

    def with_version(self, version: Threshold) -> Thresholds:
        """One more version, which becomes the current one. Raises `ConfigError` where its name is taken."""
        self.refuse_taken(version.name)
        return Thresholds((*self.versions, version), version.name)

    def refuse_taken(self, name: str) -> None:
        """Raise `ConfigError` where a version has that name."""
        if any(name == known.name for known in self.versions):
            raise ConfigError(f"threshold {name}: there is one already; choose another name")

    def with_numbered(self, version: Threshold) -> Thresholds:
        """One more version, which becomes the current one, under its name and the first number that makes it a new one."""
        taken = {known.name for known in self.versions}
        free = next(name for number in count(1) if (name := f"{version.name}-{number}") not in taken)
        return self.with_version(replace(version, name=free))

    def write(self, folder: Path, fingerprint: str) -> None:
        """Leave the versions beside the model of `fingerprint`, whole or not at all; the fitted one stands in the model itself."""
        later = [as_plain(version) for version in self.versions[1:]]
        write_json(folder / _FILE, {"fingerprint": fingerprint, "current": self.current_name, "versions": later})


def stamp(folder: Path) -> tuple[int, ...] | None:
    """What changes whenever versions are written beside the model in `folder`; None where there are none."""
    try:
        status = (folder / _FILE).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def has_versions(folder: Path) -> bool:
    """Whether the model in a folder has a version beside the fitted one."""
    return (folder / _FILE).exists()


def read_current_name(folder: Path) -> str:
    """That of the version that decides for the model in a folder; of the fitted one where nothing else is known, as whoever asks the
    model is told what is damaged."""
    try:
        return str(read_json(folder / _FILE, _REMEDY)["current"])
    except (OSError, RunError, KeyError):
        return FITTED


def read_thresholds(folder: Path, fitted: Threshold, fingerprint: str) -> Thresholds:
    """The versions beside the model of `fingerprint`; the fitted one alone where nobody added any.

    Raises `RunError` where the file is damaged, or another model's.
    """
    path = folder / _FILE
    try:
        content = read_json(path, _REMEDY)
        if not isinstance(content["versions"], list):
            raise ValueError("it is no list of versions")
        thresholds = Thresholds((fitted,))
        for version in content["versions"]:
            thresholds = thresholds.with_version(from_plain(version))
        thresholds, owner = thresholds.using(str(content["current"])), str(content["fingerprint"])
    except FileNotFoundError:
        return Thresholds((fitted,))
    except KeyError as error:
        raise unreadable(path, ValueError(f"{error} is missing"), _REMEDY) from None
    except (ValueError, TypeError, ConfigError) as error:
        raise unreadable(path, error, _REMEDY) from None
    if owner != fingerprint:
        raise RunError(f"{path}: belongs to the model {owner[:12]}, not to {fingerprint[:12]}; remove it")
    return thresholds


def as_plain(version: Threshold) -> dict[str, Plain]:
    """A version as JSON holds it."""
    scores = [float(score) for score in version.normal_scores]
    return {**vars(version), "map_levels": version.map_levels._asdict(), "normal_scores": scores}


def from_plain(values: object) -> Threshold:
    """The inverse of `as_plain`. Raises `ValueError` where the values do not describe one."""
    names = {each.name for each in fields(Threshold)}
    if not isinstance(values, Mapping) or set(values) != names:
        raise ValueError(f"a version has the entries {', '.join(sorted(names))}")
    scores, rate, levels = values["normal_scores"], values["false_alarms"], values["map_levels"]
    groups = values["groups"]
    if values["source"] not in SOURCES:
        raise ValueError(f"source {values['source']} is none of {', '.join(SOURCES)}")
    if not isinstance(scores, Sequence) or isinstance(scores, str):
        raise ValueError("normal_scores is not a list")
    if groups is not None and (type(groups) is not int or groups < 1):
        raise ValueError(f"groups {groups} is no number of groups")
    if rate is not None and not 0 < finite(rate) < 1:
        raise ValueError(f"false_alarms {rate} does not lie between 0 and 1")
    if not isinstance(levels, Mapping) or set(levels) != set(MapLevels._fields):
        raise ValueError(f"map_levels has the entries {', '.join(MapLevels._fields)}")
    return Threshold(
        **{name: str(values[name]) for name in ("name", "source", "origin", "made")},
        value=finite(values["value"]),
        map_levels=MapLevels(**{name: finite(level) for name, level in levels.items()}),
        false_alarms=None if rate is None else finite(rate),
        normal_scores=np.array([finite(score) for score in scores]),
        groups=groups,
    )


def finite(value: object) -> float:
    """`value` where it is a number that a float can hold. Raises `ValueError`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise ValueError(f"{value} is not a finite number")
    return float(value)
