"""The block of docs/quality.md on defective images among the normal ones, from what `scripts.contaminated_normals` wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from radar.report.tables import Entry, Table, count, markdown, untitled
from scripts.pages.sets import SETS_NOTE, in_order, named

_RUNS = ("sound", "contaminated", "sorted_out")
_MEASURES = {"image AUROC": "image_auroc", "recall": "recall", "false positive rate": "false_positive_rate"}


def table(found: Mapping[str, Any]) -> Table:
    """A row per data set and share: how many bad images were named, and each measure of the three runs."""
    order = list(in_order({each["dataset"]: None for each in found["rows"]}))
    rows: list[list[Entry | str]] = [
        [
            named(each["dataset"]),
            count(each["normals"]),
            count(each["planted"]),
            count(each["planted_named"]),
            f"{each['sound_named']} / {each['sound_named_without_planted']}",
            *(" / ".join(f"{each[run][key]:.3f}" for run in _RUNS) for key in _MEASURES.values()),
        ]
        for each in sorted(found["rows"], key=lambda each: (order.index(each["dataset"]), each["share"]))
    ]
    headings = ("data set", "sound images", "bad ones among them", "of these named", "sound ones named: with bad ones there / without",
                *(f"{name}: sound / with bad / sorted out" for name in _MEASURES))  # fmt: skip
    return untitled(headings, rows)


def said(found: Mapping[str, Any]) -> Iterator[str]:
    """What was planted and named in all, and when and how it was measured."""
    rows = found["rows"]
    planted, marked = sum(each["planted"] for each in rows), sum(each["planted_named"] for each in rows)
    sound, wrong = sum(each["normals"] for each in rows), sum(each["sound_named"] for each in rows)
    yield f"Over all rows named: {marked} of {planted} bad images, and {wrong} of {sound:,} sound ones."
    days, commands = (sorted({each[name] for each in rows}) for name in ("date", "command"))
    where = f"{rows[0]['machine']}, {rows[0]['cores']} cores"
    yield f"{days[0] if len(days) == 1 else f'{days[0]} to {days[-1]}'}, {where}: {', '.join(f'`{each}`' for each in commands)}"
    yield SETS_NOTE


def section(found: Mapping[str, Any]) -> str:
    """Table and sentences."""
    return f"{markdown(table(found))}\n" + "\n".join(f"- {sentence}" for sentence in said(found))
