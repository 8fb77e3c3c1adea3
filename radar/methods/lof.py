"""Local outlier factor of windows (Breunig et al. 2000)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from radar.config.fields import number, section
from radar.config.method_settings import ReductionConfig
from radar.methods.parts.windows import WindowMethod, WindowsConfig
from radar.scoring.forest import Floats

_LEAST = 1e-10  # added to a mean distance, as scikit-learn does: copies of a point have none
_AT_ONCE = 1024  # normal points whose neighbours are in memory


@dataclass
class LofWindowsConfig(WindowsConfig):
    """Windows, and how many near ones each is compared with."""

    neighbours: int = number(minimum=1, maximum=1_000_000)


@dataclass
class LofSettings:
    """Keys of `method=lof`."""

    reduction: ReductionConfig = section(ReductionConfig)
    windows: LofWindowsConfig = section(LofWindowsConfig)


class LocalDensities(nn.Module):
    """Normal points `(N, F)`, how far the last of each one's neighbours is, and its local reachability density; float64."""

    points: Tensor  # (N, F)
    reach: Tensor  # (N,)
    density: Tensor  # (N,)

    def __init__(self, neighbours: int, points: Tensor, reach: Tensor, density: Tensor) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.register_buffer("points", points)
        self.register_buffer("reach", reach)
        self.register_buffer("density", density)

    @staticmethod
    def empty(neighbours: int) -> LocalDensities:
        """One that stored points are loaded into."""
        return LocalDensities(neighbours, *(torch.zeros(0) for _ in range(3)))

    @staticmethod
    def fit(points: Floats, neighbours: int) -> LocalDensities:
        """Of normal points `(N, F)`, each compared with `neighbours` others, or with all there are."""
        nearest = NearestNeighbors(n_neighbors=min(neighbours, len(points) - 1)).fit(points).kneighbors()[1]
        normal, indices = torch.from_numpy(points), torch.from_numpy(nearest)
        parts = zip(torch.split(normal, _AT_ONCE), torch.split(indices, _AT_ONCE), strict=True)
        distances = torch.cat([_distances(part, normal, own) for part, own in parts])
        reach = distances[:, -1].clone()
        return LocalDensities(neighbours, normal, reach, _density(distances, reach[indices]))

    def forward(self, points: Tensor) -> Tensor:
        """Points `(M, F)` → local outlier factors `(M,)`, about 1 within normal ones."""
        count = min(self.neighbours, len(self.points) - 1)
        indices = torch.cdist(points, self.points).topk(count, largest=False).indices
        density = _density(_distances(points, self.points, indices), self.reach[indices])
        factors: Tensor = (self.density[indices] / density[:, None]).mean(dim=1)
        return factors


def _distances(points: Tensor, others: Tensor, indices: Tensor) -> Tensor:
    """From points `(M, F)` to those of `others` that `indices` `(M, K)` name; 0 to a copy, which is not so by matrix products."""
    distances: Tensor = torch.linalg.vector_norm(points[:, None] - others[indices], dim=2)
    return distances


def _density(distances: Tensor, reach: Tensor) -> Tensor:
    """Local reachability density `(M,)`: one over the mean distance to the neighbours `(M, K)`, none less than the neighbour's
    own `reach`."""
    density: Tensor = 1 / (torch.maximum(distances, reach).mean(dim=1) + _LEAST)
    return density


class LofMethod(WindowMethod[LofSettings]):
    """How much thinner than around its neighbours normal windows lie around a window."""

    name = "lof"
    Settings = LofSettings

    def fit_model(self, points: Floats) -> nn.Module:
        return LocalDensities.fit(points, self.settings.windows.neighbours)

    def empty_model(self) -> nn.Module:
        return LocalDensities.empty(self.settings.windows.neighbours)
