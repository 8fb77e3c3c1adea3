"""The block of docs/quality.md on images of other areas than what was learnt, from what `scripts.area_false_alarms` wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from radar.report.tables import Entry, Table, count, markdown, untitled

BOUND = 1.5  # a rate is near what was asked for where it lies within this factor


def table(found: Mapping[str, Any]) -> Table:
    """A row per texture and side: the share of good images above the threshold of each rate, levelled and the statistic itself."""
    learnt = found["rows"][0]["side"]
    rates = list(dict.fromkeys(each["rate"] for each in found["rows"]))
    by_place: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for each in found["rows"]:
        by_place.setdefault((each["texture"], each["side"]), []).append(each)
    rows: list[list[Entry | str]] = [
        [texture, f"{side} × {side}", f"{(side / learnt) ** 2:g} ×", count(each[0]["images"]), *map(_rates, each)]
        for (texture, side), each in by_place.items()
    ]
    return untitled(("drawn texture", "px", "area", "good images", *(f"asked: {rate:g}" for rate in rates)), rows)


def _rates(row: Mapping[str, Any]) -> Entry:
    return Entry(f"{row['levelled']:.4f} / {row['itself']:.4f}", row["levelled"])


def said(found: Mapping[str, Any]) -> Iterator[str]:
    """Where the rates are further from those asked for than the bound, and how far a number of images can tell them."""
    learnt = found["rows"][0]["side"]
    beyond = [
        f"{each['texture']} at {(each['side'] / learnt) ** 2:g} × the area ({each['levelled']:.4f} of {each['rate']:g})"
        for each in found["rows"]
        if not each["rate"] / BOUND <= each["levelled"] <= each["rate"] * BOUND
    ]
    where = ", ".join(beyond) if beyond else "nowhere"
    yield f"Further than a factor of {BOUND:g} from what was asked for: {where}."
    first = found["rows"][0]
    least = min(each["rate"] for each in found["rows"])
    spread = (least * (1 - least) * (1 / first["images"] + 1 / first["normals"])) ** 0.5
    yield (
        f"A rate of {least:g} has a standard error of {spread:.4f} here, of {first['images']:,} images and of a threshold from "
        f"{first['normals']:,} normals."
    )


def section(found: Mapping[str, Any]) -> str:
    """The table, what it says, and how it was measured."""
    told = [*said(found), f"{found['date']}, {found['machine']}, {found['cores']} cores: `{found['command']}`"]
    return f"{markdown(table(found))}\n" + "\n".join(f"- {each}" for each in told)
