"""The block of docs/quality.md on what leaving an image out of the network changes, from what `scripts.network_left_out` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from radar.report.tables import Entry, Table, count, markdown, number, untitled
from radar.scoring.threshold import conformal_quantile

DENSITIES, BOTH = "densities", "network_and_densities"
WHO = {"train": "training normals", "validation": "held-out normals, which no network saw", "all": "all normals"}


def table(found: Mapping[str, Any]) -> Table:
    """A row per split of normals, and one of test normals: scores in either way, and how many pass each threshold."""
    ways = {way: np.concatenate([each[way] for each in found["normals"]]) for way in (DENSITIES, BOTH)}
    thresholds = [conformal_quantile(scores, found["contamination"]) for scores in ways.values()]
    rows: list[list[Entry | str]] = []
    whole = {"split": "all", **ways}
    for each in (*found["normals"], whole):
        densities, both = (np.array(each[way]) for way in ways)
        shown = [number(float(np.median(densities))), number(float(np.median(both)))]
        change = Entry(f"{np.median(both / densities) - 1:+.1%}", float(np.median(both / densities)))
        higher = Entry(f"{np.mean(both > densities):.0%}", float(np.mean(both > densities)))
        alarms = [_above(densities, thresholds[0]), _above(both, thresholds[0]), _above(both, thresholds[1])]
        rows.append([WHO[each["split"]], count(len(both)), *shown, change, higher, *alarms])
    test = np.array(found["test_normals"])
    nothing: list[Entry | str] = [""] * 3
    own: list[Entry | str] = [_above(test, thresholds[0]), "", _above(test, thresholds[1])]
    rows.append(["test normals", count(len(test)), number(float(np.median(test))), *nothing, *own])
    headings = ("scored", "images", "median, densities left out", "median, network left out, too", "median change", "higher",
                "above the recipe's threshold", "above it, network left out, too", "above a threshold from those scores")  # fmt: skip
    return untitled(headings, rows)


def _above(scores: np.ndarray[Any, Any], threshold: float) -> Entry:
    above = int((scores > threshold).sum())
    return Entry(f"{above} ({above / len(scores):.3f})", above)


def section(found: Mapping[str, Any]) -> str:
    """The table, the command, and what it was measured on."""
    ways = [np.concatenate([each[way] for each in found["normals"]]) for way in (DENSITIES, BOTH)]
    first, second = (conformal_quantile(scores, found["contamination"]) for scores in ways)
    where = found["environment"]
    told = [
        f"The threshold at {found['contamination']:g} would be {second:.3f} in place of {first:.3f} ({second / first - 1:+.1%}).",
        f"{found['dataset']}, seed {found['seed']}, {found['folds']} folds by group, of which as many networks were trained on the "
        "others: each has learnt from fewer images than the recipe's, which changes the scores of held-out normals, too.",
        f"{where['device']}, revision {(where['git_revision'] or 'unknown')[:10]}.",
    ]
    command = f"```sh\n{found['command']} data_root=DATA\n```"
    return f"{markdown(table(found))}\n" + "\n".join(f"- {each}" for each in told) + f"\n\n{command}"
