"""Square windows of an image, each scored by a model of normal ones, and their scores blended into a map."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from radar.config.fields import choice, extent, number
from radar.config.method_settings import ReductionConfig
from radar.data.images import Images
from radar.errors import RunError
from radar.files import Plain
from radar.methods.method import FittedMethod, Networks, Normals, Structure, channels_of
from radar.methods.parts.descriptors import DESCRIPTORS, LEAST_TEXTURE
from radar.methods.parts.reduced import ReducedMethod, shares
from radar.progress import Report
from radar.scoring.forest import Floats
from radar.scoring.reading import MapReading
from radar.scoring.tiling import Tiling
from radar.seeds import generator, stream_seed

_MOST = 1024  # windows that are scored at once


@dataclass
class WindowsConfig:
    """Which windows, and what describes them; a method adds the keys of its model."""

    descriptor: str = choice("raw", "texture")  # the pixels, or moments, gradients and spectral bands
    size: int = extent(minimum=3)  # side of a window in px
    stride: int = number(minimum=1, maximum=16_384)  # px between windows
    fitting_windows: int = number(
        minimum=2, maximum=100_000_000
    )  # most windows of training normals that are fitted, drawn by seed


class HasWindows(Protocol):
    """Settings with the sections `reduction` and `windows`."""

    reduction: ReductionConfig

    @property
    def windows(self) -> WindowsConfig: ...


Windowed = TypeVar("Windowed", bound=HasWindows)


def tiling_of(images: Tensor, *, size: int, stride: int) -> Tiling:
    """Windows of `size` px that cover images `(…, H, W)`. Raises `RunError` where those are smaller."""
    height, width = images.shape[-2:]
    if min(height, width) < size:
        raise RunError(
            f"images of {width} × {height} px are smaller than a window of {size} px; set dataset.image.size"
        )
    return Tiling.overlapping(height, width, window=size, stride=stride)


def blended(scores: Tensor, tiling: Tiling, height: int, width: int) -> Tensor:
    """Scores `(K,)` of the windows of one image → a map `(1, 1, H, W)`, their weighted mean at every pixel."""
    total = torch.zeros(1, 1, height, width, device=scores.device)
    flat = scores.float()[:, None, None, None].expand(-1, 1, tiling.height, tiling.width)
    tiling.add(flat, total)
    return total / tiling.weights(height, width).to(total.device)


class FittedWindows(FittedMethod):
    """Scores each window by itself. Images are taken one by one: a map does not depend, to the bit, on the others."""

    def __init__(self, reading: MapReading, *, channels: int, size: int, stride: int) -> None:
        super().__init__(reading)
        self.channels = channels
        self.size = size
        self.stride = stride

    def structure(self) -> dict[str, Plain]:
        return {"channels": self.channels}

    @abstractmethod
    def scores(self, windows: Tensor) -> Tensor:
        """Windows `(K, C, s, s)` → anomaly scores `(K,)`."""

    def respond(self, images: Tensor, noise: Tensor | None) -> Tensor:
        tiling = tiling_of(images, size=self.size, stride=self.stride)
        return torch.cat([self._map(image[None], tiling) for image in images[:, : self.channels]])

    def _map(self, image: Tensor, tiling: Tiling) -> Tensor:
        scores = [self.scores(part) for part in torch.split(tiling.cut(image), _MOST)]
        return blended(torch.cat(scores), tiling, *image.shape[-2:])


class FittedWindowModel(FittedWindows):
    """A statistical model of windows' descriptors, each of mean 0 and deviation 1 on normal windows.

    `model` takes points `(K, F)` to scores `(K,)`, float64.
    """

    centre: Tensor  # (F,)
    spread: Tensor  # (F,), 1 where a descriptor never varies

    def __init__(self, settings: WindowsConfig, reading: MapReading, channels: int, model: nn.Module) -> None:
        super().__init__(reading, channels=channels, size=settings.size, stride=settings.stride)
        self.describe = DESCRIPTORS[settings.descriptor]
        self.register_buffer("centre", torch.zeros(0, dtype=torch.float64))
        self.register_buffer("spread", torch.ones(0, dtype=torch.float64))
        self.model = model

    def scores(self, windows: Tensor) -> Tensor:
        scores: Tensor = self.model((self.describe(windows) - self.centre) / self.spread)
        return scores


class WindowMethod(ReducedMethod[Windowed]):
    """A statistical model of square windows of normal images; how it is fitted is each method's own."""

    @abstractmethod
    def fit_model(self, points: Floats) -> nn.Module:
        """A model of standardised normal points `(M, F)`: takes `(K, F)` to anomaly scores `(K,)` ≥ 0, float64."""

    @abstractmethod
    def empty_model(self) -> nn.Module:
        """One that a stored model is loaded into."""

    @property
    def model_seed(self) -> int:
        """Of scikit-learn's random numbers."""
        return stream_seed(self.config.seed, "method", "model") % 2**32

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        windows = self.settings.windows
        if windows.stride > windows.size:
            yield f"method.windows.stride={windows.stride}: must be ≤ method.windows.size={windows.size}, or windows leave gaps"
        if windows.descriptor == "texture" and windows.size < LEAST_TEXTURE:
            yield (
                f"method.windows.size={windows.size}: must be ≥ {LEAST_TEXTURE} with method.windows.descriptor=texture, as smaller "
                "windows have too few frequencies"
            )

    def fit(self, normals: Normals, networks: Networks, report: Report) -> FittedMethod:
        report(0, 1, f"Fitting ({self.name})")
        points = normal_points(normals.train, self.settings.windows, self.config.seed)
        centre, spread = points.mean(axis=0), points.std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        model = self.fit_model((points - centre) / spread)
        fitted = self._fitted(normals.train.network_planes.channels, model)
        fitted.centre, fitted.spread = torch.from_numpy(centre), torch.from_numpy(spread)
        report(1, 1, f"Fitting ({self.name})")
        return fitted

    def empty(self, structure: Structure) -> FittedMethod:
        return self._fitted(channels_of(structure, self.config), self.empty_model())

    def _fitted(self, channels: int, model: nn.Module) -> FittedWindowModel:
        return FittedWindowModel(self.settings.windows, self.reading, channels, model)


def normal_points(images: Images, settings: WindowsConfig, seed: int) -> Floats:
    """Descriptors `(M, F)` of windows of training normals, drawn by the seed."""
    planes = images.network_planes
    points = []
    for index, count in enumerate(shares(settings.fitting_windows, len(images), seed)):
        if count == 0:
            continue
        image = planes[index][None]
        windows = tiling_of(image, size=settings.size, stride=settings.stride).cut(image)
        stream = generator("cpu", seed, "method", images.identities[index])
        points.append(DESCRIPTORS[settings.descriptor](windows[torch.randperm(len(windows), generator=stream)[:count]]))
    described: Floats = torch.cat(points).cpu().numpy()
    return described
