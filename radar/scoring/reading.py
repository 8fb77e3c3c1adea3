"""From a response to the pixel map and to what the detector judges: RADAR's edges and norms, or one statistic of a map."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from torch import Tensor, nn

from radar.config.schema import BlurConfig, ScoringConfig
from radar.scoring.border import Border
from radar.scoring.edge_map import anomaly_map, edge_map
from radar.scoring.features import FEATURE_NAMES, features


class Reading(nn.Module, ABC):
    """Responses `(N, R, H, W)` → anomaly maps `(N, H, W)` ≥ 0 and points `(N, F)` float64.

    What pixels near the border count for is said once, here, for every method. With a margin they keep their place in the
    map, and take no part in the points. Where images have a region of interest, it is the last plane of a response: outside
    it the map is 0 and no pixel takes part in anything.
    """

    point_names: tuple[str, ...]

    def __init__(self, border: Border, smoothing: float, *, has_region: bool = False) -> None:
        """`smoothing` is σ in px of the map."""
        super().__init__()
        self.border = border
        self.smoothing = smoothing
        self.has_region = has_region

    @abstractmethod
    def levels(self, response: Tensor) -> Tensor:
        """Responses `(N, R, H, W)` → one number ≥ 0 a pixel, `(N, H, W)`."""

    @abstractmethod
    def points(self, levels: Tensor, maps: Tensor) -> Tensor:
        """What is judged of levels and of maps, both `(N, h, w)` without what does not count."""

    def points_inside(self, levels: Tensor, maps: Tensor, counted: Tensor) -> Tensor:
        """The same of the `counted` pixels (N, H, W) alone, of a method that honours a region of interest."""
        raise NotImplementedError(f"{type(self).__name__} knows no region of interest")

    def forward(self, response: Tensor) -> tuple[Tensor, Tensor]:
        if self.has_region:
            return self._inside(response[:, :-1], response[:, -1] > 0)
        levels = self.border.evened(self.levels(response))
        maps = anomaly_map(levels, self.smoothing)
        return maps, self.points(self.border.counted(levels), self.border.counted(maps))

    def _inside(self, response: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        """Of regions `(N, H, W)` alone."""
        levels = self.levels(response)
        maps = anomaly_map(levels, self.smoothing, inside)
        return maps, self.points_inside(levels, maps, self.border.counted_inside(inside))

    def learn(self, responses: Iterable[Tensor]) -> None:
        """What the border of normal images is like, from their responses `(N, R, H, W)`, where that is asked for."""
        if self.border.rings:
            self.border.learn(self.levels(response) for response in responses)


class NormReading(Reading):
    """Blur, edges and the two norms of what they leave (RADAR, arXiv 2508.04818)."""

    point_names = FEATURE_NAMES

    def __init__(
        self, border: Border, smoothing: float, blur: BlurConfig, edge: str, window: int, *, has_region: bool = False
    ) -> None:
        super().__init__(border, smoothing, has_region=has_region)
        self.blur = blur
        self.edge = edge
        self.window = window

    @staticmethod
    def of(scoring: ScoringConfig, edge: str | None = None, *, has_region: bool = False) -> NormReading:
        """As `scoring` says, but for `edge` where it is given."""
        border, edge = Border(scoring.border), edge or scoring.edge
        return NormReading(border, scoring.smoothing, scoring.blur, edge, scoring.window, has_region=has_region)

    def levels(self, response: Tensor) -> Tensor:
        return edge_map(response, self.blur, self.edge)

    def points(self, levels: Tensor, maps: Tensor) -> Tensor:
        return features(levels, self.window).double()

    def points_inside(self, levels: Tensor, maps: Tensor, counted: Tensor) -> Tensor:
        return features(levels, self.window, counted).double()


class MapReading(Reading):
    """A smoothed map and one statistic of it, for methods whose response is a map of its own."""

    point_names = ("map_statistic",)

    def __init__(
        self, border: Border, smoothing: float, statistic: str, pixels: int, *, has_region: bool = False
    ) -> None:
        super().__init__(border, smoothing, has_region=has_region)
        self.statistic = statistic
        self.pixels = pixels

    def levels(self, response: Tensor) -> Tensor:
        return response.square().sum(dim=1).sqrt()

    def points(self, levels: Tensor, maps: Tensor) -> Tensor:
        return map_statistic(maps, self.statistic, self.pixels)[:, None]

    def points_inside(self, levels: Tensor, maps: Tensor, counted: Tensor) -> Tensor:
        return statistic_inside(maps, self.statistic, self.pixels, counted)[:, None]


def statistic_inside(maps: Tensor, statistic: str, pixels: int, counted: Tensor) -> Tensor:
    """`map_statistic` of the `counted` pixels (N, H, W) of each map, at least one."""
    flat, inside = (maps * counted).flatten(1).double(), counted.flatten(1).double().sum(dim=1)
    if statistic == "max":  # no map is below 0
        return flat.amax(dim=1)
    if statistic == "mean":
        return flat.sum(dim=1) / inside
    return flat.topk(min(pixels, flat.shape[1]), dim=1).values.sum(dim=1) / inside.clamp(max=pixels)


def map_statistic(maps: Tensor, statistic: str, pixels: int) -> Tensor:
    """Of each map `(N, H, W)` its `max`, its `mean`, or with `top` the mean of its largest `pixels`; `(N,)` float64."""
    flat = maps.flatten(1).double()
    if statistic == "max":
        return flat.amax(dim=1)
    if statistic == "mean":
        return flat.mean(dim=1)
    return flat.topk(min(pixels, flat.shape[1]), dim=1).values.mean(dim=1)
