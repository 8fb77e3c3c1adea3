"""Which results of a data set saw the same pixels and colours, so that their methods may be ranked with each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from radar.report.region_names import region_name
from radar.report.result import Result
from radar.report.settings import family

View = dict[str, str]
"""What an image was when a method got it: settings of `dataset.image`, and whether in colours or in grey."""


def not_ranked(results: Sequence[Result]) -> dict[tuple[str, str], str]:
    """Why a result, by its run's identity, is not ranked with the others of its data set: it saw other pixels or colours.

    The others are those that most methods of the data set share; results with the same reason saw the same.
    """
    by_dataset: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_dataset[result.dataset].append(result)
    found: dict[tuple[str, str], str] = {}
    for members in by_dataset.values():
        known = {each.metrics.data.coloured for each in members} - {None}
        coloured = known != {False}  # where no run says, they may be
        views = {each.identity: _view(each, coloured=coloured) for each in members}
        usual = _usual(members, views)
        perhaps = "" if known else "perhaps "
        reasons = {run: _reason(view, usual, perhaps) for run, view in views.items()}
        found |= {run: reason for run, reason in reasons.items() if reason}
    return found


def field_of(results: Iterable[Result]) -> str:
    """What shares of these results' images are shares of: outside a region of interest, or what a crop leaves, nothing is measured."""
    return " or ".join(sorted({_field(_given(each)) for each in results}))


def _field(image: Mapping[str, Any]) -> str:
    if "region_of_interest" in image:
        return "the region of interest"
    return "the crop of the image" if image.get("aspect") == "crop" else "the image"


def _given(result: Result) -> dict[str, Any]:
    """What of `dataset.image` is set."""
    return {name: value for name, value in result.config["dataset"].get("image", {}).items() if value is not None}


def _view(result: Result, *, coloured: bool) -> View:
    """RGB and luma with chroma are the same information, and so is grey where the images hold no colour."""
    image = {
        name: region_name(value) if isinstance(value, Mapping) else str(value) for name, value in _given(result).items()
    }
    channels = image.pop("channels", "grey")
    return {**image, "channels": "grey" if channels == "grey" or not coloured else "colour"}


def _usual(members: Sequence[Result], views: Mapping[tuple[str, str], View]) -> View:
    """The view of most methods; of equally many, the first in the order of its settings."""
    families: dict[str, set[str]] = defaultdict(set)
    by_text = {str(sorted(view.items())): view for view in views.values()}
    for each in members:
        families[str(sorted(views[each.identity].items()))].add(family(each))
    return by_text[min(families, key=lambda text: (-len(families[text]), text))]


def _reason(view: View, usual: View, perhaps: str) -> str:
    """What differs from the usual, `perhaps` in its colours; empty where nothing does."""
    differing = {name: value for name, value in sorted(view.items()) if value != usual.get(name)}
    differing |= dict.fromkeys(sorted(usual.keys() - view.keys()), "–")
    colours = differing.pop("channels", None)
    told = [f"{value} px" if name == "size" else f"{name} {value}" for name, value in differing.items()]
    reasons = [f"other pixels ({', '.join(told)})"] if told else []
    return ", ".join([*reasons, *([f"{perhaps}other colours ({colours})"] if colours else [])])
