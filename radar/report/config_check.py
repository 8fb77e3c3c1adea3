"""Whether the config of a stored result has what is read of it later: configs are edited, and records come from anywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from radar.evaluation.metrics import Metrics
from radar.evaluation.typed_sections import Bounds, Share, read_value

_NEEDED = ("dataset", "method")
_NULLABLE = ("dataset.image.region_of_interest",)
_OF_METHODS = ("timestep", "patch", "unet")  # of which a run stores the keys alone that its method reads
_SECTIONS = (
    *_NEEDED, "dataset.image", *_NULLABLE, "contamination", "detector", *_OF_METHODS, "scoring", "scoring.border", "evaluation",
)  # fmt: skip
_Whole = Annotated[int, Bounds(-math.inf, math.inf)]
_Side = Annotated[int, Bounds(1, math.inf)]
_Level = Annotated[int, Bounds(0, 63)]  # of a U-Net, each of which halves an image
_KEYS: dict[str, Any] = {  # None: may be missing, too; but for those of methods, the others stand wherever their section does
    "seed": _Whole, "dataset.name": str, "method.name": str,
    "dataset.layout": str | None, "dataset.category": str | None, "dataset.split": str | None,
    "dataset.image.size": _Side | None, "dataset.image.width": _Side | None,
    "contamination.value": Share, "timestep.value": _Whole, "patch.size": _Side,
    "unet.channels": list[_Whole], "unet.attention_levels": list[_Level], "unet.fold": _Side,
    "detector.name": str, "detector.threshold": str,
    "detector.threshold_on": str | None, "detector.fitted_on": str | None,
    "scoring.border.name": str, "scoring.border.width": _Whole | None,
}  # fmt: skip


def check_config(config: Mapping[str, Any]) -> None:
    """Raise `ValueError` where stored keys have other types than tables rely on; what a method does not read is not there, a whole
    section or keys of one."""
    sections = _sections(config)
    for key, kind in _KEYS.items():
        section, _, name = key.rpartition(".")
        if section in sections and not (section in _OF_METHODS and name not in sections[section]):
            read_value(kind, sections[section].get(name), key)


def check_border(config: Mapping[str, Any], metrics: Metrics) -> None:
    """Raise `ValueError` where a share of the border was measured of a run that does not say how it treated it."""
    if metrics.border_share is None:
        return
    border = config.get("scoring", {}).get("border")
    if border is None:
        raise ValueError("scoring.border: is missing, and metrics/border_share was measured")
    if border["name"] != "none" and border.get("width") is None:
        raise ValueError(f"scoring.border.width: is missing of the border {border['name']!r}")


def _sections(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Those that are there, by their dotted names; the config itself by an empty one."""
    found = {"": config}
    for section in _SECTIONS:
        parent, _, name = section.rpartition(".")
        if name not in found.get(parent, {}):
            continue
        value = found[parent][name]
        if value is None and section in _NULLABLE:
            continue
        if not isinstance(value, Mapping):
            raise ValueError(f"{section}: holds no keys")
        found[section] = value
    for section in _NEEDED:
        if section not in found:
            raise ValueError(f"{section}: is missing")
    return found
