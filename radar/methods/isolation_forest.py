"""Isolation Forest of windows (Liu et al. 2008)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from radar.config.fields import number, section
from radar.config.method_settings import ReductionConfig
from radar.methods.parts.windows import WindowMethod, WindowsConfig
from radar.scoring.forest import Floats, Forest


@dataclass
class IsolationForestWindowsConfig(WindowsConfig):
    """Windows, and the size of the forest."""

    trees: int = number(minimum=1, maximum=10_000)
    max_samples: int = number(minimum=2, maximum=1_000_000)  # windows per tree


@dataclass
class IsolationForestSettings:
    """Keys of `method=isolation_forest`."""

    reduction: ReductionConfig = section(ReductionConfig)
    windows: IsolationForestWindowsConfig = section(IsolationForestWindowsConfig)


class ForestModel(nn.Module):
    """A forest whose arrays are buffers."""

    def __init__(self, **arrays: Tensor) -> None:
        super().__init__()
        self.names = [item.name for item in fields(Forest)]
        for name in self.names:
            self.register_buffer(name, arrays.get(name, torch.zeros(0)))

    def forward(self, points: Tensor) -> Tensor:
        """Points `(M, F)` float64 → 2^(−E[h]/c), `(M,)` in (0, 1)."""
        forest = Forest.from_arrays({name: self.get_buffer(name).cpu().numpy() for name in self.names})
        return torch.from_numpy(forest.anomaly_score(points.cpu().numpy())).to(points.device)


class IsolationForestMethod(WindowMethod[IsolationForestSettings]):
    """How few random cuts set a window apart."""

    name = "isolation_forest"
    Settings = IsolationForestSettings

    def fit_model(self, points: Floats) -> nn.Module:
        windows = self.settings.windows
        forest = Forest.fit(points, trees=windows.trees, max_samples=windows.max_samples, seed=self.model_seed)
        return ForestModel(**{name: torch.from_numpy(array) for name, array in forest.arrays().items()})

    def empty_model(self) -> nn.Module:
        return ForestModel()
