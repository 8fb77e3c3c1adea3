"""What `metrics.json` holds, as types: a metric is named by its path through them, and a misspelt one is an error."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from radar.evaluation.comparable import comparable
from radar.evaluation.image_metrics import DefectMetrics, ImageMetrics
from radar.evaluation.pixel_metrics import PixelMetrics
from radar.evaluation.typed_sections import Amount, Share, check_path, read_section

Plain = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class FeatureMetrics:
    """`auroc` of one feature alone; None where only one kind of image is there."""

    auroc: Share | None


@dataclass(frozen=True)
class Quality:
    """How well images and pixels are told apart, of a method or of a control: features and classes of defects by name.

    `pixel` is None where pixel metrics were not asked for.
    """

    image: ImageMetrics
    features: dict[str, FeatureMetrics]
    defects: dict[str, DefectMetrics]
    pixel: PixelMetrics | None


@dataclass(frozen=True)
class ControlQuality(Quality):
    """`parts` names what the control's map is fused of, where it is: of `same_without_network`, the parts that it keeps."""

    parts: str | None = None


@dataclass(frozen=True, slots=True)
class Kinds:
    """One number of each kind of image; None where there is none of that kind, or none that it can be told of."""

    normal: float | None
    anomalous: float | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are of each kind."""

    normal: int
    anomalous: int


@dataclass(frozen=True, slots=True)
class Chance:
    """What a distance is by chance alone: its `mean` over permutations, and the `limit` that .95 of them do not pass (of the
    overlap, which falls as samples part, they do not fall below it)."""

    mean: float
    limit: float


@dataclass(frozen=True, slots=True)
class ChanceDistances:
    """`Distances` under permutation of groups of images between the labels."""

    ks: Chance
    wasserstein: Chance
    kl_anomalous_from_normal: Chance | None
    kl_normal_from_anomalous: Chance | None
    overlap: Chance | None


@dataclass(frozen=True, slots=True)
class Distances:
    """How far normal and anomalous values lie apart. All None where one kind of image is absent; `chance` alone in runs of old.

    `ks` in [0, 1] is the largest difference of the two distribution functions, `p_value` that of it by permutation of groups of
    images; `wasserstein` the first-order distance in the values' unit; the two `kl` are the Kullback–Leibler divergences in nats
    by `KL_ESTIMATOR`; `overlap` in [0, 1] is the shared probability in the same `bins`, and all three are None where values that
    differ lie in one bin; `auroc` the probability that an anomalous
    value exceeds a normal one; `chance` what chance alone gives.
    """

    ks: Share | None = None
    wasserstein: Amount | None = None
    kl_anomalous_from_normal: float | None = None
    kl_normal_from_anomalous: float | None = None
    overlap: Share | None = None
    auroc: Share | None = None
    bins: int | None = None
    p_value: Share | None = None
    chance: ChanceDistances | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared(Distances):
    """One number per image: its mean over each kind, anomalous minus normal, and the distances."""

    normal: float | None
    anomalous: float | None
    difference: float | None


@dataclass(frozen=True, slots=True)
class Moments:
    """Of an image's predicted noise, means over images."""

    mean: Kinds
    standard_deviation: Kinds
    skewness: Kinds
    excess_kurtosis: Kinds


@dataclass(frozen=True, slots=True)
class Normality:
    """How Gaussian predicted noise is; `rejected_share` of images by D'Agostino and Pearson, on pixels `thinning_px` apart, of
    images that have eight of them."""

    thinning_px: int
    rejected_share: Kinds
    distance_from_gaussian: Compared  # Lilliefors' statistic


@dataclass(frozen=True, slots=True)
class NoiseMetrics:
    """The noise hypothesis, of a method that predicts noise: normal against anomalous test images."""

    images: Counts
    groups: Counts
    kl_estimator: str
    permutations: int
    pixels: Distances
    moments: Moments
    normality: Normality
    l2_norm: Compared
    image_correlation: Compared


@dataclass(frozen=True, slots=True)
class DataMetrics:
    """What the data says of itself, whatever the method; None where a run of old did not measure it."""

    spectral_flatness: Share | None
    coloured: bool | None = None  # whether a training image holds any colour, however images are read


@dataclass(frozen=True, slots=True)
class BorderMetrics:
    """Of the highest 1 % of a normal image's pixels the share within `width` px of its border, mean over images of a split, beside
    that of all of its pixels, `area`, of the test's, or else of held-out ones. None where none of those images is scored.
    """

    width: int
    area: Share | None
    test: Share | None
    validation: Share | None


@dataclass(frozen=True, slots=True)
class CostMetrics:
    """What a method's maps cost when they were made; None where that is not known."""

    fit_seconds: Amount | None  # beside the shared network
    milliseconds_per_image: Amount | None
    network_passes_per_image: int | None


@dataclass(frozen=True, slots=True)
class StageMemory:
    """The most memory of a stage while it was made, MiB, and how far that lies above what was there when it began.

    `host` is resident memory of the process, `device` what torch allocated on a GPU; None where that is not known.
    """

    host: Amount | None
    host_growth: float | None
    device: Amount | None
    device_growth: float | None


@dataclass(frozen=True, slots=True)
class Origin:
    """The code that trained a network."""

    radar: str
    git_revision: str | None
    packages: dict[str, str]


@dataclass(frozen=True, slots=True)
class NetworkMetrics:
    """Where the shared network comes from; every one of `attempts` but the last was interrupted."""

    trained_by_this_run: bool
    attempts: int
    origin: Origin


@dataclass(frozen=True)
class Metrics(Quality):
    """Everything that a run measures."""

    noise: NoiseMetrics | None  # None: the method predicts no noise
    separation: dict[str, Distances]  # of each feature and of `score`
    data: DataMetrics
    controls: dict[str, ControlQuality]
    threshold: float
    parameters: int
    cost: CostMetrics
    validation_loss: float | None  # on held-out normals, what a search minimises; None without the shared network
    seconds: dict[str, Amount]  # by stage
    network: NetworkMetrics | None  # None: the method uses no shared network
    memory: dict[str, StageMemory]  # training of the shared network, fitting, scoring; empty in runs of old
    border_share: BorderMetrics | None = None  # None: a run of old did not measure it

    @property
    def learning_seconds(self) -> float | None:
        """What all that was learnt took: the shared network, where the method uses one, and what it fits beside it. None where one of
        them is not known.
        """
        shared = 0.0 if self.network is None else self.seconds.get("training")
        own = self.cost.fit_seconds
        return None if shared is None or own is None else shared + own

    def to_dict(self) -> dict[str, Any]:
        """As `metrics.json` holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, tree: Any) -> Self:
        """The inverse of `to_dict`. Raises `ValueError`, which names the place, for anything missing, unknown, of another type or out
        of bounds."""
        if isinstance(tree, dict) and "peak_memory_mib" in tree:  # of old: the peak of all that the process had done
            tree = {**{name: value for name, value in tree.items() if name != "peak_memory_mib"}, "memory": {}}
        return read_section(cls, tree, "metrics")

    def value(self, *path: str) -> float | None:
        """The number at `path`, as ("image", "auroc"). None where the run has none: a section or a number that is null, a
        control, defect, feature or stage that it lacks. Raises `ValueError` for a path that no run can have.
        """
        return value_at(self, *path)

    def flat(self) -> dict[str, Plain]:
        """Every value by its path: {"image/auroc": 0.9, …}; a section that is null has none."""
        return dict(_leaves(self.to_dict(), ""))


def value_at(section: Quality, *path: str) -> float | None:
    """`Metrics.value`, of a control or a transfer, too."""
    check_path(type(section), path)
    found: Any = section
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else getattr(found, name, None)
    return None if found is None else float(found)


@dataclass(frozen=True, slots=True)
class BestControl:
    """Of all controls the one with the highest mean of a measure over the runs that have both; `gain` is what the method has above
    it there. Each measure has a best control of its own."""

    name: str
    value: float
    gain: float


def best_control(runs: Sequence[Metrics], *path: str) -> BestControl | None:
    """By the measure at `path`, of which more is better; of equal ones the first. None where no run has its own and a control's."""
    found = []
    for name in dict.fromkeys(name for each in runs for name in each.controls):
        both = [(each.value(*path), value_at(each.controls[name], *path)) for each in runs if name in each.controls]
        pairs = [(own, control) for own, control in both if own is not None and control is not None]
        if pairs:
            method, value = map(statistics.fmean, zip(*pairs, strict=True))
            found.append(BestControl(name, value, method - value))
    return max(found, key=lambda each: comparable(each.value), default=None)


def _leaves(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Plain]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}/")
        else:
            yield prefix + key, value
