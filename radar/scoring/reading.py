"""From a response to the pixel map and to what the detector judges: RADAR's edges and norms, or one statistic of a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from radar.config.schema import BlurConfig, ScoringConfig
from radar.scoring.edge_map import anomaly_map, edge_map
from radar.scoring.features import FEATURE_NAMES, features


class Reading(Protocol):
    """Responses `(N, R, H, W)` → anomaly maps `(N, H, W)` ≥ 0 and points `(N, F)` float64."""

    @property
    def point_names(self) -> tuple[str, ...]: ...

    def __call__(self, response: Tensor) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class NormReading:
    """Blur, edges and the two norms of what they leave (RADAR, arXiv 2508.04818)."""

    blur: BlurConfig
    edge: str
    window: int
    smoothing: float
    point_names: tuple[str, ...] = FEATURE_NAMES

    @staticmethod
    def of(scoring: ScoringConfig, edge: str | None = None) -> NormReading:
        """As `scoring` says, but for `edge` where it is given."""
        return NormReading(scoring.blur, edge or scoring.edge, scoring.window, scoring.smoothing)

    def __call__(self, response: Tensor) -> tuple[Tensor, Tensor]:
        edges = edge_map(response, self.blur, self.edge)
        return anomaly_map(edges, self.smoothing), features(edges, self.window).double()


@dataclass(frozen=True)
class MapReading:
    """A smoothed map and one statistic of it, for methods whose response is a map of its own."""

    smoothing: float
    statistic: str
    pixels: int
    point_names: tuple[str, ...] = ("map_statistic",)

    def __call__(self, response: Tensor) -> tuple[Tensor, Tensor]:
        maps = anomaly_map(response.square().sum(dim=1).sqrt(), self.smoothing)
        return maps, map_statistic(maps, self.statistic, self.pixels)[:, None]


def map_statistic(maps: Tensor, statistic: str, pixels: int) -> Tensor:
    """Of each map `(N, H, W)` its `max`, its `mean`, or with `top` the mean of its largest `pixels`; `(N,)` float64."""
    flat = maps.flatten(1).double()
    if statistic == "max":
        return flat.amax(dim=1)
    if statistic == "mean":
        return flat.mean(dim=1)
    return flat.topk(min(pixels, flat.shape[1]), dim=1).values.mean(dim=1)
