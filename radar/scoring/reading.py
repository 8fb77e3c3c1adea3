"""From a response to the pixel map and to what the detector judges: RADAR's edges and norms, or one statistic of a map."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from radar.config.schema import BlurConfig, ScoringConfig
from radar.scoring.border import Border
from radar.scoring.edge_map import anomaly_map, edge_map
from radar.scoring.features import FEATURE_NAMES, features

_LEAST_PIXELS = 16  # of a quarter of a map that tells how maxima grow
_LEAST_SHARE, _LARGEST_SHARE = 0.1, 0.5  # of the map, that this quarter has


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

    @abstractmethod
    def points_inside(self, levels: Tensor, maps: Tensor, counted: Tensor) -> Tensor:
        """The same of the `counted` pixels (N, H, W) alone, where images have a region of interest."""

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
    """A smoothed map and one statistic of it, for methods whose response is a map of its own.

    The largest of more pixels is larger. What `learn_growth` has learnt of normals is taken off, so that the score of an image of
    another area is as theirs; of an image of their own area it is the statistic itself, as before anything is learnt.
    """

    point_names = ("map_statistic",)
    growth: Tensor  # by which the statistic grows where the area is e times as large
    area: Tensor  # px that count, of the normals

    def __init__(
        self, border: Border, smoothing: float, statistic: str, pixels: int, *, has_region: bool = False
    ) -> None:
        super().__init__(border, smoothing, has_region=has_region)
        self.statistic = statistic
        self.pixels = pixels
        self.register_buffer("growth", torch.zeros((), dtype=torch.float64))
        self.register_buffer("area", torch.ones((), dtype=torch.float64))

    def levels(self, response: Tensor) -> Tensor:
        return response.square().sum(dim=1).sqrt()

    def points(self, levels: Tensor, maps: Tensor) -> Tensor:
        return self._levelled(map_statistic(maps, self.statistic, self.pixels), torch.ones_like(maps))

    def points_inside(self, levels: Tensor, maps: Tensor, counted: Tensor) -> Tensor:
        return self._levelled(statistic_inside(maps, self.statistic, self.pixels, counted), counted)

    def _levelled(self, statistics: Tensor, counted: Tensor) -> Tensor:
        """Statistics `(N,)` of the `counted` pixels (N, h, w), as if they were as many as the normals', `(N, 1)`."""
        area = counted.flatten(1).sum(dim=1, dtype=torch.float64)
        return (statistics - self.growth * (area / self.area).log())[:, None]

    def learn_growth(self, responses: Iterable[Tensor]) -> None:
        """How the statistic grows with the area, from its values in the quarters of normal maps, of responses `(1, R, H, W)`.

        Maxima of values whose tail falls exponentially, as squared distances' does, grow with the logarithm of their number (Gumbel
        1958, "Statistics of Extremes"). The border counts in a quarter as in the whole.
        """
        found = [self._growth(response) for response in responses]
        areas = [area for _, area in found]
        slopes = [slope for slope, _ in found if slope is not None]
        self.area.fill_(float(np.median(areas)))
        self.growth.fill_(max(0.0, float(np.mean(slopes))) if slopes else 0.0)

    def _growth(self, response: Tensor) -> tuple[float | None, float]:
        """By how much the statistic of a map grows with an area e times as large, None of too small a map; and its area."""
        maps, _ = self(response)
        inside = response[:, -1] > 0 if self.has_region else torch.ones_like(maps, dtype=torch.bool)
        inside = self.border.counted_inside(inside) if self.has_region else self.border.counted(inside)
        maps = maps if self.has_region else self.border.counted(maps)
        whole = float(inside.sum())
        rows, columns = (_extent(inside[0].any(dim=axis)) for axis in (1, 0))
        parts = [
            (part, counted)
            for part, counted in zip(*(_quarters(each[..., rows, columns]) for each in (maps, inside)), strict=True)
            if max(_LEAST_PIXELS, _LEAST_SHARE * whole) <= counted.sum() <= _LARGEST_SHARE * whole
        ]
        if self.statistic == "mean" or not parts:
            return None, whole
        of_parts = [statistic_inside(part, self.statistic, self.pixels, counted) for part, counted in parts]
        smaller = np.mean([np.log(float(counted.sum())) for _, counted in parts])
        difference = statistic_inside(maps, self.statistic, self.pixels, inside) - torch.cat(of_parts).mean()
        return float(difference) / (np.log(whole) - float(smaller)), whole

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *others: Any) -> None:
        """Of a model that was stored before there was a growth, it is 0."""
        for name in ("growth", "area"):
            state_dict.setdefault(prefix + name, self.get_buffer(name))
        super()._load_from_state_dict(state_dict, prefix, *others)


def _quarters(maps: Tensor) -> list[Tensor]:
    """Of maps `(N, H, W)`: above and below, left and right."""
    height, width = maps.shape[-2] // 2, maps.shape[-1] // 2
    return [maps[..., rows, columns] for rows in _halves(height) for columns in _halves(width)]


def _extent(any_counts: Tensor) -> slice:
    """From the first to the last that is true, of at least one."""
    places = any_counts.nonzero()
    return slice(int(places[0]), int(places[-1]) + 1)


def _halves(middle: int) -> tuple[slice, slice]:
    return slice(None, middle), slice(middle, None)


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
