"""Statistical learning on windows: every window is scored by a model of normal ones, and scores are blended into a map."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from radar.methods.descriptors import raw, texture
from radar.methods.interface import Inputs, Normals
from radar.methods.peer import MapOne, PeerMethod, fitted_on, section, shares
from radar.methods.window_models import fit_window_model
from radar.progress import Report
from radar.scoring.forest import Floats
from radar.scoring.tiling import Tiling
from radar.seeds import generator, stream_seed


def blended(scores: Tensor, tiling: Tiling, height: int, width: int) -> Tensor:
    """Scores `(K,)` of the windows of one image → a map `(1, 1, H, W)`, their weighted mean at every pixel."""
    total = torch.zeros(1, 1, height, width)
    flat = scores.float()[:, None, None, None].expand(-1, 1, tiling.height, tiling.width)
    tiling.add(flat, total)
    return total / tiling.weights(height, width)


class WindowMethod(PeerMethod):
    """A statistical model of square windows of normal images."""

    def inputs(self, normal: Normals) -> Inputs:
        return {**fitted_on(normal), "windows": section(self.config.method.windows)}

    def fit_one(self, normal: Normals, report: Report) -> MapOne:
        settings = self.config.method.windows
        assert settings is not None
        height, width = normal.train.images.shape[-2:]
        tiling = Tiling.overlapping(height, width, window=settings.size, stride=settings.stride)
        report(0, 1, f"Fitting ({self.name})")
        score = fit_window_model(
            self.name, self._normal_points(normal, tiling), settings, stream_seed(self.config.seed, "method", "model")
        )
        report(1, 1, f"Fitting ({self.name})")
        return lambda image, _: blended(
            torch.from_numpy(score(self._describe(tiling.cut(image)))), tiling, height, width
        )

    def _describe(self, windows: Tensor) -> Floats:
        assert self.config.method.windows is not None
        return {"raw": raw, "texture": texture}[self.config.method.windows.descriptor](windows)

    def _normal_points(self, normal: Normals, tiling: Tiling) -> Floats:
        """Descriptors `(M, F)` of windows of training normals, drawn by the seed."""
        assert self.config.method.windows is not None
        images, seed = normal.train, self.config.seed
        counts = shares(self.config.method.windows.fitting_windows, len(images.identities), seed)
        points = []
        for index, (identity, count) in enumerate(zip(images.identities, counts, strict=True)):
            if count == 0:
                continue
            windows = tiling.cut(images.images[index : index + 1])
            stream = generator("cpu", seed, "method", identity)
            points.append(self._describe(windows[torch.randperm(len(windows), generator=stream)[:count]]))
        return np.concatenate(points)
