"""The page that lies beside a model, for whoever takes it over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from radar.config.schema import Config, ImageConfig
from radar.files import Plain
from radar.methods.registry import method_of
from radar.percent import percent_as_set, percent_at_most
from radar.runtime.entries import ONE_SIZE
from radar.runtime.terminal import printable
from radar.thresholds import Threshold

_WEIGHTS = "EfficientNet-Lite0, learnt from ImageNet; stored with the model"  # of the one network that is read with its weights
_CHANGES = "## Changes of the threshold"
COUNTS = ("train", "validation", "groups", "normal", "rejected", "anomalous", "found")
"""Normal images that were learnt from and held out; groups of those that set the threshold; normal and anomalous test images, and how
many of each were called anomalous."""


def _picture(image: ImageConfig) -> str:
    """Of which size an image is judged, in words."""
    if image.resolution is not None and image.file_resolution == 1:  # a unit of length is a pixel of the file
        return f"{image.resolution:.3g} times as large as their files ({image.resize})"
    if image.resolution is not None:
        return f"{image.resolution:g} px per mm, from files of {image.file_resolution:g} ({image.resize})"
    if image.size is None:
        return "their own size"
    if image.aspect in ONE_SIZE:
        return f"{image.width or image.size} × {image.size} px ({image.aspect}, {image.resize})"
    return f"{image.size} px on the {image.aspect} side, the other as it is ({image.resize})"


def _region(image: ImageConfig) -> str:
    """Which part of an image counts, in words, where not all of it does."""
    region = image.region_of_interest
    return "" if region is None else f", of which a region of interest alone counts ({region.name})"


def _also_learnt(config: Config, held_out: int) -> str:
    """What learnt from the images that were held out from training all the same, in words."""
    method, detector = method_of(config), config.detector
    is_one_scale = (
        method.one_score and detector.name == "upper_tail"
    )  # to which one number is brought, which decides nothing
    told = {
        "densities": method.cross_fits,
        "the scale at the border": method.scales_by_held_out,
        "the detector": not is_one_scale and detector.fitted_on != "train",
    }
    learnt = [part for part, did in told.items() if did and held_out]
    return f" from training alone: {' and '.join(learnt)} learnt from them, too" if learnt else ""


def card(config: Config, facts: Mapping[str, Plain]) -> str:
    """Markdown: what the model was fitted on, how images are read, what its threshold promises, how to ask it."""
    image, calibration = config.dataset.image, facts["calibration"]
    tested = "{found} of {anomalous} anomalous images found; {rejected} of {normal} normal ones rejected"
    images, versions = _mapping(facts["images"]), _mapping(facts["versions"])
    size, held_out = _picture(image), int(str(images["validation"]))
    return f"""# Model `{config.name}`

Made by radar {facts["radar"]} ({", ".join(f"{name} {version}" for name, version in versions.items())}); fingerprint
`{facts["fingerprint"]}` of its config and its data.

| | |
| --- | --- |
| method | `{config.method.name}` |
| data set | {config.dataset.name} |
| preset | {config.preset or "none"} |
| images are read as | {image.channels}, {size}{_region(image)} |
| pretrained weights | {_WEIGHTS if method_of(config).pretrained else "none"} |
| detector | `{config.detector.name}` |
| fitted threshold | {facts["threshold"]} |
| seed | {config.seed} |
| learnt from | {images["train"]} normal images; {images["validation"]} more were held out{_also_learnt(config, held_out)} |
| tested on | {tested.format(**images)} |

## What it promises

{_promise(_mapping(calibration), int(str(images["groups"])), config.contamination.value)}

It promises nothing for another product, light, focus, distance or camera: take new photos as the old ones were taken, and let
`radar monitor` watch that they are. Defects that vanish at the size above are not seen.

## How to ask it

`model.safetensors` holds all that was learnt, `model.json` the rest; no image is stored, and reading executes nothing.

```sh
radar predict this/folder photos    # good, defective or unreadable, and where
```

```python
import radar

model = radar.load("this/folder")
scores = model.score(["photo.png"])
print(scores.scores, scores.decisions)
```
"""


def counted(images: int, groups: int | None) -> tuple[str, str]:
    """So many normal images, in words, and of what new ones a promise from them is."""
    told = f"{images} normal images"
    if groups is None or groups == images:
        return told, "new ones taken in the same way"
    return f"{told} of {groups} group{'s'[: groups - 1]}", "the images of a new group taken in the same way"


def _mapping(value: Plain) -> Mapping[str, Plain]:
    return value if isinstance(value, dict) else {}


def with_change(text: str, current: Threshold, when: str | None = None) -> str:
    """A card's text with one line more below its last heading: from `when` (ISO 8601) or from now on, `current` decides."""
    before = text.rstrip("\n") if _CHANGES in text else f"{text}\n{_CHANGES}\n\nThe last line decides."
    when = when or datetime.now(UTC).isoformat(timespec="seconds")
    gap = "\n" if before.rpartition("\n")[2].startswith("- ") else "\n\n"
    return f"{before}{gap}- {when}: `{current.name}`, {current.value!r}; {_origin(current)}\n"


def _origin(threshold: Threshold) -> str:
    rate = threshold.false_alarms
    images, new = counted(len(threshold.normal_scores), threshold.groups)
    promise = (
        "it promises nothing" if rate is None else f"of {new}, at most {percent_as_set(rate)} % are expected above it"
    )
    where = printable(" ".join(threshold.origin.replace("`", "'").split()))
    if threshold.source == "hand":
        return f"chosen by hand{f' (`{where}`)' if where else ''}, {promise}."
    if threshold.source == "fit":
        return "as the model was fitted; what it promises stands above."
    return f"from {images}{', reviewed,' if threshold.source == 'reviewed' else ''} of `{where}`, {promise}."


def _promise(calibration: Mapping[str, Plain], groups: int, asked: float) -> str:
    """What the threshold promises of new normal images, in a sentence or two; `asked` is the contamination."""
    rate, unseen_by = calibration["false_alarms"], calibration["unseen_by"]
    images, new = counted(int(str(calibration["images"])), groups)
    whence = f"The threshold comes from {images}"
    if rate is None:
        return (
            f"{whence}. No rate of false alarms is promised: they or others of their groups were fitted on, or it is not a "
            "quantile of theirs alone."
        )
    share, grouped = float(str(rate)), groups != calibration["images"]
    most = percent_as_set(asked) if share == asked else percent_at_most(share)
    why = "images of one sheet, strip or batch are alike, so groups are counted, and so few" if grouped else "so few"
    more = ""
    if share > asked and asked * (groups + 1) < 1:
        more = f" {percent_as_set(asked)}% were asked for: {why} cannot promise that."
    elif share > asked:
        more = (
            f" {percent_as_set(asked)}% were asked for, which it keeps of single images: by groups, as those of one sheet, strip or "
            "batch are alike, more lie above it. `radar calibrate` takes one that counts groups."
        )
    if isinstance(unseen_by, list) and "network" in unseen_by:
        return f"{whence} that nothing had been fitted on. Of {new}, at most {most}% are expected to be called anomalous.{more}"
    return (
        f"{whence}, each scored by densities that were fitted without {'its group' if grouped else 'it'} and a network that had "
        f"learnt from the training images among them. Had it not, at most {most}% of {new} would be expected to be called "
        f"anomalous; as it is, that is no guarantee.{more}"
    )
