"""False alarms: how many normal images are called anomalous where a share was promised, and where the promise fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import mean as exact_mean

import numpy as np
from numpy.typing import NDArray

from radar.config.verbs import ReportConfig
from radar.evaluation.comparable import comparable
from radar.evaluation.statistics_rates import Rate, delivered_rates, grouped_rate, promised_rate
from radar.percent import percent_as_set, share_at_most
from radar.report.cells import Cell
from radar.report.result import Result
from radar.report.shared_images import NO_SHARED_IMAGE, without_shared_images
from radar.report.tables import NOTHING, Entry, Table, of_dataset, table
from radar.scoring.threshold import conformal_quantile

Floats = NDArray[np.float64]
Flags = tuple[Floats, list[str]]
"""Of normal images: the share of runs that call each anomalous, and their groups."""
CONTAMINATIONS = (0.01, 0.05, 0.1)
ALL = "all data sets"
_SPLITS = {"validation": ("validation",), "cross_fitted": ("train", "validation")}  # by `detector.threshold_on`


@dataclass(frozen=True, eq=False)
class Alarms:
    """Of one run or of the mean of several, at one contamination, by a threshold that is a quantile of normal scores."""

    contamination: float
    setting: int | None  # how many normals set the threshold; None where the record does not tell
    groups: int | None  # theirs; None where the record does not tell
    promised: float | None  # what the expected rate does not exceed; None where nothing is promised, or it is not known
    test: Flags
    left_out: Flags | None  # the normals that set it, each by the threshold of those of other groups

    @property
    def asked(self) -> float:
        """The promise; where there is none, the contamination."""
        return self.contamination if self.promised is None else self.promised


def alarms(result: Result) -> Iterator[Alarms]:
    """At each of `CONTAMINATIONS`; of a record that holds no scores of normals, at its own. Nothing of other thresholds, nor where no
    test image is normal.

    Nothing is promised where the densities had learnt from the normals that set the threshold, or others of their groups.
    """
    detector, asked = result.config.get("detector", {}), result.config.get("contamination", {}).get("value")
    splits = _SPLITS.get(detector.get("threshold_on"))
    if splits is None or (detector["name"], detector["threshold"]) != ("upper_tail", "quantile"):
        return
    normal = result.labels == 0
    if not normal.any():
        return
    groups = [group for group, chosen in zip(result.groups, normal, strict=True) if chosen]
    if result.is_older:
        known = result.scored - len(result.images) if detector["threshold_on"] == "cross_fitted" else None
        alone = known if len(set(groups)) == len(groups) else None
        promised = None if known is None or alone is None else promised_rate(range(known), range(known), asked)
        yield Alarms(asked, known, alone, promised, (result.decisions[normal].astype(float), groups), None)
        return
    chosen = [each for each in result.normals if each.split in splits]
    if not chosen or not all("detector" in each.unseen_by for each in chosen):
        return
    unseen = all("densities" in each.unseen_by for each in chosen)
    scores = np.concatenate([each.scores for each in chosen])
    of_scores = [group for each in chosen for group in result.groups_of(each.content_hashes, each.groups)]
    count, distinct = len(scores), len(set(of_scores))
    for contamination in CONTAMINATIONS:
        flagged = (result.scores[normal] > conformal_quantile(scores, contamination)).astype(float)
        left_out = _left_out(scores, of_scores, contamination)
        promised = promised_rate(scores, of_scores, contamination) if unseen else None
        yield Alarms(contamination, count, distinct, promised, (flagged, groups), left_out)


def _left_out(scores: Floats, groups: Sequence[str], contamination: float) -> Flags | None:
    """Whether each of N scores lies above the threshold of the other groups'; None where there is no other."""
    names, flagged = np.asarray(groups), np.zeros(scores.size)
    distinct = np.unique(names)
    if distinct.size < 2:
        return None
    for group in distinct:
        own = names == group
        flagged[own] = scores[own] > conformal_quantile(scores[~own], contamination)
    return flagged, list(groups)


def _over_seeds(cell: Cell) -> list[Alarms]:
    """Of each contamination, means over the seeds that have it, of what each promises, too; nothing is promised where one does not,
    and no normal is left out where seeds had different ones."""
    by_contamination: dict[float, list[Alarms]] = defaultdict(list)
    for result in cell.results:
        for each in alarms(result):
            by_contamination[each.contamination].append(each)
    found = []
    for some in by_contamination.values():
        left_out = [each.left_out for each in some if each.left_out is not None]
        promises = [each.promised for each in some if each.promised is not None]
        found.append(
            Alarms(
                some[0].contamination,
                _common([each.setting for each in some]),
                _common([each.groups for each in some]),
                exact_mean(promises) if len(promises) == len(some) else None,
                _mean([each.test for each in some]),
                _mean(left_out) if _of_same_images(left_out) else None,
            )
        )
    return found


def _common(counts: Sequence[int | None]) -> int | None:
    """What all seeds have; None where they differ."""
    return counts[0] if len(set(counts)) == 1 else None


def _of_same_images(seeds: Sequence[Flags]) -> bool:
    """Whether there are some, all of as many images in the same groups, so that a mean of each image's can be had."""
    return len({tuple(groups) for _, groups in seeds}) == 1


def _mean(seeds: Sequence[Flags]) -> Flags:
    return np.mean([flagged for flagged, _ in seeds], axis=0), seeds[0][1]


Found = tuple[Cell, list[Alarms]]
"""A cell, and what it shows at each contamination."""
Row = tuple[tuple[str, ...], str, Alarms, Rate]
"""Data set, or those that are pooled, method, what was found, and the rate of test images."""


def false_alarm_table(cells: Sequence[Cell], settings: ReportConfig) -> Table | None:
    """A row per data set, method and contamination, and per method one over data sets that are witnesses of their own; None
    without any."""
    by_method: dict[str, list[Found]] = defaultdict(list)
    for cell in cells:
        if of_seeds := _over_seeds(cell):
            by_method[cell.method].append((cell, of_seeds))
    rows: list[Row] = []
    pools = set()
    for members in by_method.values():
        found: list[tuple[tuple[str, ...], str, Alarms]] = [
            ((cell.dataset,), cell.name, each) for cell, some in members for each in some
        ]
        apart = _one_of_each(members)
        if len(apart) > 1:
            pool = tuple(cell.dataset for cell, _ in apart)
            found += [(pool, _pool_name(apart), each) for each in _pooled({cell.dataset: some for cell, some in apart})]
            pools.add(", ".join(pool))
        rows += [(datasets, name, each, grouped_rate(*each.test, settings.level)) for datasets, name, each in found]
    if not rows:
        return None
    headings = ("data set", "method", "contamination", "promised, at most", "set by normals", "such thresholds deliver", "left out",
                "test normals", "called anomalous, mean over seeds", "promise")  # fmt: skip
    pooled = (f"{ALL}: of {pool}; {NO_SHARED_IMAGE}" for pool in sorted(pools))
    notes = (*_notes(f"{percent_as_set(settings.level)}%"), *_broken(rows), *pooled)
    return table("false_alarms", "False alarms", headings, [_row(row, settings.level) for row in rows], *notes)


def _one_of_each(members: Sequence[Found]) -> list[Found]:
    """Of a method's cells one for each data set, that which is ranked, on data sets that are witnesses of their own."""
    of_set = {cell.dataset: (cell, some) for cell, some in sorted(members, key=lambda each: not each[0].not_ranked)}
    return [of_set[dataset] for dataset in without_shared_images({name: [cell] for name, (cell, _) in of_set.items()})]


def _pool_name(members: Sequence[Found]) -> str:
    """The method's, with the marks of all its cells, and with why it is not ranked where that is the same everywhere."""
    reasons = {cell.not_ranked for cell, _ in members}
    marks = "".join(cell.marks for cell, _ in members)
    return replace(members[0][0], marks=marks, not_ranked=reasons.pop() if len(reasons) == 1 else "").name


def _notes(share: str) -> tuple[str, ...]:
    return (
        "Normal images called anomalous by thresholds that are a quantile of normals which the detector had not learnt from. "
        "Promised: what the expected rate of a new image does not exceed. Where every image is its own group, that is the "
        "contamination, or, where the normals are too few for it, one over their number and one more. Images of one group are not "
        "exchangeable with those of a new one; groups are, and promise less: with G of them, and a share s of the images of each "
        "above the threshold, (1 + Σ s) / (G + 1). Of several seeds: the mean of what each promises, beside the mean of their rates. "
        "A dash: nothing is promised, as the densities had learnt from these normals or others of their groups, or the record does "
        "not tell their groups. "
        "A network may have learnt from cross-fitted ones.",
        f"Such thresholds deliver: the expected rate, and where it lies for {share} of them, where every normal is its own group. "
        "Left out: the normals that set the threshold, each by that of the other groups, of two groups or more; it says that ranks "
        "are right, no more.",
        f"Intervals at {share}: Clopper and Pearson's, of as many images as the groups are worth where all images of a group are "
        "alike. Promise: fails, where the interval lies above it; exceeded, where the rate does.",
    )


def _broken(rows: Sequence[Row]) -> Iterator[str]:
    """By method, where the rate lies above what was promised, and where above what was asked for without a promise."""
    for promises, told in ((True, "the promise"), (False, "the contamination, no promise being known")):
        by_method: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for datasets, method, found, rate in rows:
            if len(datasets) == 1 and (found.promised is not None) == promises and _exceeds(rate, found.asked):
                promised = "" if found.promised is None else f" of {share_at_most(found.promised)}"
                surely = ", the whole interval, too" if rate.low > found.asked else ""
                by_method[method][f"{datasets[0]} ({rate.value:.3f}{promised}{surely}"].append(
                    f"{found.contamination:g}"
                )
        for method, places in by_method.items():
            shown = (f"{place}; at {', '.join(contaminations)})" for place, contaminations in places.items())
            yield f"Rate above {told}: {method} on {', '.join(shown)}."


def _pooled(by_set: dict[str, list[Alarms]]) -> Iterator[Alarms]:
    """Of each contamination that all data sets have; of normals left out, those data sets where there was something to compare."""
    for contamination in sorted({each.contamination for some in by_set.values() for each in some}):
        found = {
            dataset: each for dataset, some in by_set.items() for each in some if each.contamination == contamination
        }
        if len(found) < len(by_set):
            continue
        tested = {dataset: each.left_out for dataset, each in found.items() if each.left_out is not None}
        promised = [each.promised for each in found.values() if each.promised is not None]
        weights = [len(each.test[1]) for each in found.values()]
        yield Alarms(
            contamination,
            None,
            None,
            float(np.average(promised, weights=weights)) if len(promised) == len(found) else None,
            _joined({dataset: each.test for dataset, each in found.items()}),
            _joined(tested) if tested else None,
        )


def _joined(parts: dict[str, Flags]) -> Flags:
    flags = np.concatenate([flagged for flagged, _ in parts.values()])
    # the place of a data set in place of its name, as names hold blanks, too, and two groups of two sets would meet
    return flags, [f"{place} {group}" for place, (_, groups) in enumerate(parts.values()) for group in groups]


def _row(row: Row, level: float) -> list[Entry | str]:
    datasets, method, found, rate = row
    left_out = None if found.left_out is None else grouped_rate(*found.left_out, level)
    return [
        of_dataset(*datasets) if len(datasets) == 1 else Entry(ALL, datasets=datasets),
        method,
        _contamination(found.contamination),
        NOTHING if found.promised is None else Entry(share_at_most(found.promised), found.promised),
        _setting(found),
        _delivered(found, level),
        NOTHING if left_out is None else _told(left_out),
        _grouped(rate.images, rate.groups),
        Entry(_told(rate), rate.value),
        _verdict(found, rate),
    ]


def _contamination(value: float) -> Entry:
    """With two digits behind the point, and as many more as it was set with."""
    return Entry(max(f"{value:.2f}", f"{value:g}", key=len), value)


def _setting(found: Alarms) -> str:
    if found.setting is None:
        return NOTHING
    return str(found.setting) if found.groups is None else _grouped(found.setting, found.groups)


def _grouped(images: int, groups: int) -> str:
    return f"{images} in {groups} group{'s' if groups > 1 else ''}"


def _delivered(found: Alarms, level: float) -> str:
    if found.promised is None or found.setting is None or found.setting != found.groups:
        return NOTHING
    expected, low, high = delivered_rates(found.setting, found.contamination, level)
    return f"{expected:.3f} ({low:.3f} … {high:.3f})"


def _told(rate: Rate) -> str:
    return f"{rate.flagged:.3g} of {rate.images}: {rate.value:.3f} ({rate.low:.3f} … {rate.high:.3f})"


def _verdict(found: Alarms, rate: Rate) -> str:
    if found.promised is None:
        return NOTHING
    if rate.low > found.promised:
        return "fails"
    return "exceeded" if _exceeds(rate, found.promised) else "kept"


def _exceeds(rate: Rate, asked: float) -> bool:
    """By more than rounding: both are means."""
    return comparable(rate.value) > comparable(asked)
