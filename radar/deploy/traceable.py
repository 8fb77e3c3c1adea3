"""A fitted model as one module without Python that depends on values, so that a graph of it holds for any batch and size.

It computes what the model does, in another order where the model goes image by image or tile by tile to keep its bits.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from radar.errors import RunError
from radar.methods.method import FittedMethod
from radar.methods.padim import FittedPadim
from radar.methods.parts.coreset import nearest_distance
from radar.methods.parts.fused_map import FittedFusedDensities
from radar.methods.parts.pyramid import size_at
from radar.methods.patchcore import FittedPatchCore
from radar.methods.radar import FittedRadar
from radar.networks.compact_unet import CompactUNet
from radar.networks.efficientnet import EfficientNetFeatures
from radar.scoring.denoiser import Denoiser, Windows
from radar.scoring.detector import Detector, ForestDetector, UpperTailDetector
from radar.scoring.forest import Forest, average_path_length
from radar.scoring.tiling import Tiling, taper


@dataclass(frozen=True)
class Size:
    """Height and width that a graph takes: one alone, or any from the least on."""

    fixed: tuple[int, int] | None
    least: int  # px per side, where they are free
    reason: str = ""  # why one alone


class TraceableModel(nn.Module):
    """Images `(N, P, H, W)` and noise `(N, K, C, H, W)` → map `(N, H, W)`, points `(N, F)`, score `(N,)`, decision `(N,)`."""

    def __init__(self, method: FittedMethod, detector: Detector, threshold: float, size: Size) -> None:
        super().__init__()
        self.method = _traceable(method, size)
        self.detector = _traceable_detector(detector)
        self.threshold = threshold

    def forward(self, images: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        maps = self.method(images, noise)
        score = self.detector(maps.points)
        return maps.anomaly, maps.points, score, score > self.threshold


def _traceable(method: FittedMethod, size: Size) -> FittedMethod:
    """A copy on the host whose parts that read numbers of tensors, or go image by image, are replaced."""
    method = copy.deepcopy(method).cpu().eval()
    if isinstance(method, FittedRadar | FittedFusedDensities) and isinstance(method.denoiser, Denoiser):
        network = _Denoiser(method.denoiser, _sizes(method, size))
        setattr(method, "denoiser", network)  # noqa: B010 - it answers alike, and is of another type
        if isinstance(method, FittedFusedDensities):
            method.noise_maps = partial(_noise_maps, network)  # type: ignore[method-assign]
    if isinstance(method, FittedFusedDensities):
        scales = method.scales.tolist()
        del method.scales
        setattr(method, "scales", scales)  # noqa: B010 - numbers in place of a buffer
    for part in method.modules():
        if isinstance(part, EfficientNetFeatures):
            part.resized = partial(_resized, part.side)  # type: ignore[method-assign]
    if isinstance(method, FittedPatchCore):
        method.distance = partial(_nearest, method.bank)  # type: ignore[method-assign]
    if isinstance(method, FittedPadim):
        method.distance = partial(_single, method.distance)  # type: ignore[method-assign]
    return method


def _sizes(method: FittedMethod, size: Size) -> list[tuple[int, int]]:
    """Of what a network is asked about: none where the graph takes images of any size."""
    if size.fixed is None:
        return []
    levels = method.levels if isinstance(method, FittedFusedDensities) else 1
    return [size_at(size.fixed, level, levels) for level in range(levels)]


def _noise_maps(denoiser: _Denoiser, images: Tensor, steps: Sequence[int]) -> dict[int, Tensor]:
    """`FittedFusedDensities.noise_maps`, in one pass."""
    noisy = [denoiser.scaled(images[:, :1], step) for step in steps]
    return dict(zip(steps, denoiser.together(noisy, steps), strict=True))


def _resized(side: int, images: Tensor) -> Tensor:
    """Images `(N, C, H, W)` at `side` × `side` px by two products: not every runtime filters where it shrinks."""
    height, width = images.shape[-2:]
    return _triangles(side, height) @ images @ _triangles(side, width).T


def _triangles(side: int, length: int) -> Tensor:
    """Weights `(side, length)` of the pixels of a line, of sum 1: a triangle around each centre, wider where lines shrink."""
    scale = length / side  # symbolic where the size is free
    centres = (torch.arange(side, dtype=torch.float64) + 0.5) * scale
    away = (torch.arange(length, dtype=torch.float64) + 0.5 - centres[:, None]).abs()
    width = torch.sym_max(scale, 1.0)  # type: ignore[no-untyped-call]
    weights: Tensor = (1 - away / width).clamp(min=0)
    return (weights / weights.sum(dim=1, keepdim=True)).float()


def _nearest(bank: Tensor, features: Tensor) -> Tensor:
    """Distances `(N, h, w)` of features `(N, F, h, w)`, all images at once."""
    vectors = features.permute(0, 2, 3, 1)
    return nearest_distance(vectors.flatten(0, 2), bank).reshape(vectors.shape[:-1])


def _single(distance: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
    """In float32, which runtimes resize."""
    return distance(features).float()


class _Denoiser(nn.Module):
    """`Denoiser` with numbers for levels; a whole image in one pass, or all windows of an image of one of some sizes."""

    def __init__(self, denoiser: Denoiser, sizes: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.network = denoiser.network
        self.signal: list[float] = denoiser.schedule.signal.tolist()
        self.noise: list[float] = denoiser.schedule.noise.tolist()
        windows = denoiser.windows
        stitched = [] if windows.field == "whole" else sizes
        self.stitches = nn.ModuleDict(
            {_called(height, width): _Stitch(windows, height, width) for height, width in stitched}
        )

    def noised(self, clean: Tensor, noise: Tensor, timestep: int) -> Tensor:
        return self.scaled(clean, timestep) + self.noise[timestep - 1] * noise

    def scaled(self, clean: Tensor, timestep: int) -> Tensor:
        return self.signal[timestep - 1] * clean

    def forward(self, noisy: Tensor, timestep: int) -> Tensor:
        return self.together([noisy], [timestep])[0]

    def together(self, noisy: Sequence[Tensor], steps: Sequence[int]) -> Sequence[Tensor]:
        """Predicted noise of images at several timesteps, of each `(N, C, H, W)`, in one pass: the network is traced once."""
        joined = torch.cat([*noisy])
        stitch = self._stitch(joined)
        windows = joined if stitch is None else stitch.cut(joined)
        count = noisy[0].shape[0] * (1 if stitch is None else stitch.count)
        see = self.network.whole if stitch is None and isinstance(self.network, CompactUNet) else self.network
        predicted: Tensor = see(windows, torch.cat([torch.full((count,), step) for step in steps]))
        whole = predicted if stitch is None else stitch.blended(predicted, joined)
        return list(whole.reshape(len(steps), *noisy[0].shape).unbind(0))

    def _stitch(self, images: Tensor) -> _Stitch | None:
        """Of images of their size; None where they are seen whole."""
        if not self.stitches:
            return None
        stitch = self.stitches[_called(images.shape[2], images.shape[3])]
        if not isinstance(stitch, _Stitch):  # a ModuleDict forgets what it holds
            raise TypeError("no stitch")
        return stitch


def _called(height: int, width: int) -> str:
    return f"{height}x{width}"


class _Stitch(nn.Module):
    """Windows of images `(B, C, H, W)` of one size, and their blend, each as one look-up."""

    pixels: Tensor  # (K · s²,) where in an image each pixel of the windows lies
    cover: Tensor  # (H · W, M) which pixels of the windows cover each pixel of an image
    share: Tensor  # (H · W, M) how much each of them counts, of 1; 0 where fewer than M do

    def __init__(self, windows: Windows, height: int, width: int) -> None:
        super().__init__()
        self.side, self.shape = windows.patch_size, (height, width)
        tiling = Tiling.overlapping(height, width, window=self.side, stride=windows.stride)
        places = torch.arange(height * width).reshape(1, 1, height, width)
        pixels = tiling.cut(places).flatten()
        self.count = len(pixels) // self.side**2  # windows of an image
        order = pixels.argsort(stable=True)
        counts = pixels.bincount(minlength=height * width)
        column = torch.arange(int(counts.max()))
        first = counts.cumsum(0) - counts
        covered = column < counts[:, None]
        cover = order[(first[:, None] + column).clamp(max=len(order) - 1)].where(covered, 0)
        weights = torch.outer(taper(self.side), taper(self.side)).flatten()
        share = weights[cover % self.side**2].where(covered, 0)
        self.register_buffer("pixels", pixels)
        self.register_buffer("cover", cover)
        self.register_buffer("share", (share / share.sum(dim=1, keepdim=True)).float())

    def cut(self, images: Tensor) -> Tensor:
        """Windows `(B · K, C, s, s)`."""
        channels, side = images.shape[1], self.side
        windows = images.flatten(2)[:, :, self.pixels].reshape(images.shape[0], channels, -1, side, side)
        return windows.transpose(1, 2).flatten(0, 1)

    def blended(self, windows: Tensor, images: Tensor) -> Tensor:
        """Of windows `(B · K, C, s, s)` their weighted mean at each pixel of `images`."""
        batch, channels = images.shape[:2]
        values = windows.reshape(batch, -1, channels, self.side**2).transpose(1, 2).flatten(2)
        return (values[:, :, self.cover] * self.share).sum(dim=-1).reshape(batch, channels, *self.shape)


class _UpperTail(nn.Module):
    """`UpperTailDetector` of points `(N, F)`."""

    def __init__(self, detector: UpperTailDetector) -> None:
        super().__init__()
        self.register_buffer("centre", torch.from_numpy(detector.centre))
        self.register_buffer("spread", torch.from_numpy(detector.spread))

    def forward(self, points: Tensor) -> Tensor:
        logs = points.clamp(min=float(np.finfo(np.float64).tiny)).log()
        return ((logs - self.get_buffer("centre")) / self.get_buffer("spread")).amax(dim=1)


class _Forest(nn.Module):
    """`Forest.anomaly_score` of points `(N, F)`: all trees are walked down at once, as many steps as the deepest has."""

    def __init__(self, forest: Forest) -> None:
        super().__init__()
        trees, nodes = forest.feature.shape
        roots = np.arange(trees)[:, None] * nodes  # nodes are numbered through all trees
        limits = forest.threshold.astype(
            np.float32
        )  # the largest float32 ≤ each: a float32 lies below both, or neither
        limits = np.where(limits > forest.threshold, np.nextafter(limits, np.float32(-np.inf)), limits)
        normal = float(average_path_length(forest.max_samples))
        self.steps = _steps(forest)
        self.normal_depth = normal or None
        for name, values in {
            "roots": roots.T,
            "feature": np.maximum(forest.feature, 0).ravel(),
            "limits": limits.ravel(),
            "left": (forest.left + roots).ravel(),
            "right": (forest.right + roots).ravel(),
            "depth": forest.depth.ravel(),
        }.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(values)))

    def forward(self, points: Tensor) -> Tensor:
        feature, limits, left, right, depth = (
            self.get_buffer(name) for name in ("feature", "limits", "left", "right", "depth")
        )
        single = points.float()
        node = self.get_buffer("roots").expand(points.shape[0], -1)
        for _ in range(self.steps):
            go_left = single.gather(1, feature[node]) <= limits[node]
            node = torch.where(go_left, left[node], right[node])
        mean_depth = depth[node].mean(dim=1)
        ratio = torch.ones_like(mean_depth) if self.normal_depth is None else mean_depth / self.normal_depth
        return torch.exp2(-ratio)


def _steps(forest: Forest) -> int:
    """Edges from a root to the deepest leaf."""
    count, nodes = forest.feature.shape
    depth, trees = np.zeros((count, nodes), dtype=np.int64), np.arange(count)
    for node in range(nodes):  # children lie after their parent
        inner = forest.feature[:, node] >= 0
        for child in (forest.left[:, node], forest.right[:, node]):
            reached = np.where(inner, depth[:, node] + 1, depth[trees, child])
            depth[trees, child] = np.maximum(depth[trees, child], reached)
    return int(depth.max())


def _traceable_detector(detector: Detector) -> nn.Module:
    if isinstance(detector, ForestDetector):
        return _Forest(detector.forest)
    if isinstance(detector, UpperTailDetector):
        return _UpperTail(detector)
    raise RunError(f"detector {type(detector).__name__}: has no graph; export a model with another detector")
