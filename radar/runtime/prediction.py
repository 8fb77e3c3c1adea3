"""What is said of one photo, and its line in CSV and JSON Lines."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, fields
from typing import Any, cast, get_args, get_type_hints

from . import cells
from .files import parsed
from .terminal import brief

GOOD, DEFECTIVE, UNREADABLE = DECISIONS = ("good", "defective", "unreadable")


@dataclass(frozen=True)
class Region:
    """Connected flagged pixels and the box around them, in pixels of the original, from 0."""

    __pydantic_config__ = {"use_attribute_docstrings": True}  # noqa: RUF012 - these texts describe the fields in OpenAPI, too

    x: int
    """Its first column."""
    y: int
    """Its first row."""
    width: int
    height: int
    area: int
    """Pixels."""
    peak: float
    """The largest value of the anomaly map in it."""


@dataclass(frozen=True)
class Prediction:
    """One photo. What could not be known of an unreadable one is null, and `regions` empty."""

    __pydantic_config__ = {"use_attribute_docstrings": True}  # noqa: RUF012 - as above

    path: str
    time: str
    """Of the decision: UTC, ISO 8601."""
    decision: str
    """good, defective or unreadable."""
    score: float | None
    """Higher is more anomalous."""
    threshold: float
    """Above which the decision is defective."""
    threshold_name: str
    """Its version."""
    p_value: float | None
    """Share of normal images that are as extreme, conformal: (1 + #{normals ≥ score}) / (normals + 1)."""
    region_count: int | None
    flagged_area: int | None
    """Pixels of all regions."""
    flagged_share: float | None
    """Of all pixels, or of those of the region of interest."""
    regions: tuple[Region, ...]
    """The highest peaks first; no more than were asked for."""
    width: int | None
    """Pixels of the original image."""
    height: int | None
    """Pixels of the original image."""
    brightness: float | None
    """Mean luma of the picture, or region of interest, that the model sees: 0 black, 1 white."""
    sharpness: float | None
    """Variance of that picture's Laplacian (4 neighbours, luma in [0, 1]); falls where it is blurred."""
    milliseconds: float | None
    """Reading, decoding and scoring; its share of a pass that several images share."""
    content_hash: str | None
    """SHA-256 of the file's bytes; of a named crop of it, of the crop's shape and pixels."""
    bytes: int | None
    """The file's size; null where it came without a file."""
    modified_ns: int | None
    """When the file was changed last, ns since 1970; null where it came without a file."""
    model: str
    """First digits of the model's fingerprint."""
    error: str | None
    """Why it is unreadable."""


_TYPES = {kind: get_type_hints(kind) for kind in (Region, Prediction)}
_SHARES = {"brightness", "p_value", "flagged_share"}
COLUMNS = tuple(each.name for each in fields(Prediction))


def json_line(prediction: Prediction) -> str:
    """One line of JSON, in ASCII, without its end."""
    return json.dumps(asdict(prediction), allow_nan=False)


def from_json(line: str | bytes) -> Prediction:
    """The inverse of `json_line`. Raises `ValueError` where the line is none."""
    values = _entries(Prediction, parsed(line))
    if not isinstance(values["regions"], list):
        raise ValueError("regions is no list")
    regions = tuple(_typed(Region, _entries(Region, each)) for each in values["regions"])
    return cast(Prediction, _typed(Prediction, {**values, "regions": regions}))


def _entries(kind: type[Prediction | Region], values: object) -> dict[str, Any]:
    """Values with a name for each field of `kind`, and no other. Raises `ValueError`."""
    called = kind.__name__.lower()
    if not isinstance(values, dict):
        raise ValueError(f"{brief(json.dumps(values))} stands where a {called} with named values is wanted")
    if missing := [name for name in _TYPES[kind] if name not in values]:
        raise ValueError(f"the {called} has no {missing[0]}")
    if unknown := [name for name in values if name not in _TYPES[kind]]:
        raise ValueError(f"the {called} has {brief(unknown[0])}, which is none of its keys")
    return values


def _typed(kind: type[Prediction | Region], values: dict[str, Any]) -> Prediction | Region:
    """`kind` of values of its types. Raises `ValueError` for others, for a share beyond 0 and 1, for another decision, for what no
    file is called, and for a number beyond all floats.
    """
    for name, hint in _TYPES[kind].items():
        value, allowed = values[name], get_args(hint) or (hint,)
        if isinstance(value, tuple) or type(value) in allowed or (float in allowed and type(value) is int):
            _check_value(name, value)
            continue
        raise ValueError(f"{name} is {brief(json.dumps(value))}")
    for name in _SHARES & values.keys():
        if values[name] is not None and not 0 <= values[name] <= 1:
            raise ValueError(f"{name} is {values[name]}, and a share lies between 0 and 1")
    if values.get("decision", GOOD) not in DECISIONS:
        raise ValueError(f"decision is {brief(values['decision'])}, and none of {', '.join(DECISIONS)}")
    return kind(**values)


def _check_value(name: str, value: object) -> None:
    if isinstance(value, str):
        try:
            os.fsencode(value)  # which has bytes that are no text as halves of characters, and takes no other halves
        except UnicodeEncodeError:
            raise ValueError(f"{name} is no text") from None
    elif isinstance(value, int | float) and not abs(value) <= sys.float_info.max:
        raise ValueError(f"{name} is no finite number")


def csv_header() -> str:
    """The names of the columns, with the line's end."""
    return cells.csv_line(COLUMNS)


def csv_line(prediction: Prediction) -> str:
    """One record with its end; regions are JSON, and a line break in a path is quoted, as CSV has it."""
    values = asdict(prediction)
    return cells.csv_line({**values, "regions": json.dumps(values["regions"])}.values())
