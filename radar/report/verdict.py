"""What a run has shown, in words for whoever answers for the line: found and missed, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from radar.evaluation.statistics_proportions import Interval, is_larger, share_interval
from radar.evaluation.statistics_rates import worth
from radar.percent import percent_as_set
from radar.report.image_sides import image_sides
from radar.report.result import Result
from radar.report.suspects import suspects

_LEVEL = 0.95  # of the intervals, and of what is shown
_WIDE = 0.1  # from this width on, an interval says that there are few photos
_NAMED = 3  # of the missed photos, and of those that are odd
_RANKED = 0.9  # AUROC from which scores tell defects apart, whatever the threshold does


@dataclass(frozen=True)
class Count:
    """`rejected` of `photos` were called defective; they lie in `groups` and are `worth` so many independent ones."""

    rejected: int
    photos: int
    groups: int
    worth: float

    @property
    def interval(self) -> Interval:
        """Of the share that would be rejected."""
        return share_interval(self.rejected, self.photos, self.worth, _LEVEL)

    @property
    def share(self) -> float:
        """Rejected of all."""
        return self.rejected / self.photos


def verdict(result: Result) -> list[str]:
    """Lines about a run's test images, the gravest first."""
    good, defective = _count(result, 0), _count(result, 1)
    asked = float(result.config["contamination"]["value"])
    lines = [_defective_line(result, defective), _good_line(good, asked)]
    if defective is not None and good is not None and defective.rejected:
        lines += _compared(good, defective)
    return [*lines, *_suspects_lines(result)]


def _count(result: Result, label: int) -> Count | None:
    """None where there are no such images."""
    members = np.flatnonzero(result.labels == label)
    if not members.size:
        return None
    groups = [result.groups[member] for member in members]
    return Count(int(result.decisions[members].sum()), int(members.size), len(set(groups)), worth(groups))


def _defective_line(result: Result, count: Count | None) -> str:
    if count is None:
        return "No defective photos to test with: what this model finds is not known, only how much good it rejects"
    if count.rejected == 0:
        them = "NONE of your {} defects was found" if count.photos > 1 else "Your only defect was NOT found"
        return f"{them.format(count.photos)}: do not use this model; {'; '.join(_reasons(result))}"
    missed = [
        image.path for image, called in zip(result.images, result.decisions, strict=True) if image.label and not called
    ]
    named = f"; missed: {_listed(missed)}" if missed else ""
    return f"{count.rejected} of {count.photos} defective found ({_sureness(count, 'share')}){named}"


def _suspects_lines(result: Result) -> Iterator[str]:
    odd, photos = suspects(result)
    if odd:
        they = "is" if len(odd) == 1 else "are"
        yield (
            f"{len(odd)} of the {photos} good photos {they} unlike the others ({_listed(odd)}): look, and learn again without what is "
            "defective"
        )


def _listed(paths: Sequence[str]) -> str:
    return f"{', '.join(paths[:_NAMED])}{', …' if len(paths) > _NAMED else ''}"


def _reasons(result: Result) -> Iterator[str]:
    """Why nothing was found, as far as the run can tell."""
    auroc = result.metrics.value("image", "auroc")
    if auroc is not None and auroc >= _RANKED:
        yield (
            "its scores do tell defects from good, so the threshold lies too high: give it more good photos (radar calibrate), or a "
            "larger contamination.value"
        )
        return
    yield f"the usual reasons are: defects too small{_size_told(result)}"
    yield "good photos that differ more among each other than defects do (light, position, several parts in one folder)"
    yield "defective photos among the good ones that it learnt from"


def _size_told(result: Result) -> str:
    """The size that images were brought to, which may be too small; empty where they are as their files are."""
    image, sides = result.config["dataset"]["image"], image_sides(result.config)
    if image["size"] is None:
        return ""
    told = f"{image['size']} px a side"
    if sides is None:
        told = f"{image['size']} px on the {image['aspect']} side"
    elif sides[0] != sides[1]:
        told = f"{sides[1]} × {sides[0]} px"
    return f", at {told}, to be seen: raise dataset.image.size"


def _good_line(count: Count | None, asked: float) -> str:
    if count is None:
        return "No good photos to test with: how much good this model rejects is not known"
    line = f"{count.rejected} of {count.photos} good rejected ({_sureness(count, 'rate')}; {percent_as_set(asked)} % was asked)"
    return f"{line}: MORE than was asked" if count.interval.low > asked else line


def _sureness(count: Count, what: str) -> str:
    low, high = count.interval
    few = "with so few, " if high - low > _WIDE else ""
    joined = (
        f"of {count.groups} group{'s'[: count.groups - 1]}, of whose photos one tells as much as all: "
        if count.groups < count.photos
        else ""
    )
    return f"{joined}{few}the true {what} lies between {_percent(low)} and {_percent(high)} %"


def _compared(good: Count, defective: Count) -> Iterator[str]:
    if defective.share <= good.share:
        often = "as often as" if defective.share == good.share else "more often than"
        yield f"It rejects good photos {often} defective ones: do not use this model"
    elif not is_larger(defective.share, defective.worth, good.share, good.worth, _LEVEL):
        yield "So few photos cannot show that its decisions do better than guessing: test it with more before it decides anything"


def _percent(share: float) -> str:
    """One digit or two, and never 100 or 0 for what is less or more."""
    percent = 100 * share
    if percent in (0.0, 100.0):
        return f"{percent:.0f}"
    if percent < 1:
        return f"{percent:.1g}"
    return f"{percent:.2g}" if percent < 99 else f"{min(percent, 99.9):.1f}"
