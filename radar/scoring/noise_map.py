"""The noise map: one forward step, one network pass, no reverse sampling (RADAR, arXiv 2508.04818)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from radar.config import ScoringConfig
from radar.diffusion.schedule import NoiseSchedule
from radar.scoring.tiling import Tiling
from radar.seeds import generator


class NoiseMapper:
    """Images `(B, C, H, W)` in [−1, 1] → noise maps of the same shape.

    The noise of an image depends on (seed, identity, draw) only, and a network pass never mixes images, so a map does
    not depend on which other images are scored, in which order or how many at once. A padded batch of a fixed size
    would not do: threads share a batch out, and the last bits of a window follow its position in it.
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: NoiseSchedule,
        *,
        scoring: ScoringConfig,
        timestep: int,
        patch_size: int,
        seed: int,
    ) -> None:
        self.network = network.eval()
        self.schedule = schedule
        self.scoring = scoring
        self.timestep = timestep
        self.patch_size = patch_size
        self.seed = seed

    @property
    def device(self) -> torch.device:
        """Where the network lies; maps come back on the device their images came from."""
        return self.schedule.signal.device

    @torch.inference_mode()
    def __call__(self, images: Tensor, identities: Sequence[str]) -> Tensor:
        """Noise maps of `images`, whose content hashes are `identities`; averaged over the draws."""
        height, width = images.shape[-2:]
        clean = images.to(self.device)
        tiling = self._tiling(height, width)
        timestep = torch.full((len(images),), self.timestep, device=self.device)
        total = torch.zeros_like(clean)
        for draw in range(max(1, self.scoring.draws)):
            noise = self._noise(clean, identities, draw)
            windows = tiling.cut(self.schedule(clean, noise, timestep))
            predicted = tiling.blend(self._predict(windows, tiling), height, width)
            total += predicted - noise if self.scoring.map == "residual" else predicted
        return (total / max(1, self.scoring.draws)).to(images.device)

    def _tiling(self, height: int, width: int) -> Tiling:
        if self.scoring.field == "whole":
            return Tiling.whole(height, width)
        return Tiling.overlapping(height, width, window=self.patch_size, stride=self.scoring.stride)

    def _batch(self, tiling: Tiling) -> int:
        """Most windows per network pass: as many pixels as `scoring.micro_batch` windows of the training size have."""
        pixels = self.scoring.micro_batch * self.patch_size**2
        return max(1, pixels // (tiling.height * tiling.width))

    def _noise(self, clean: Tensor, identities: Sequence[str], draw: int) -> Tensor:
        if self.scoring.draws == 0:
            return torch.zeros_like(clean)
        # drawn on the host, so that an image has the same noise on every device
        draws = [
            torch.randn(clean.shape[1:], generator=generator("cpu", self.seed, "scoring", identity, draw))
            for identity in identities
        ]
        return torch.stack(draws).to(clean.device)

    def _predict(self, windows: Tensor, tiling: Tiling) -> Tensor:
        """Predicted noise of the windows `(B·K, C, h, w)`, image by image."""
        images, batch = torch.split(windows, len(tiling.corners)), self._batch(tiling)
        return torch.cat([self._pass(part) for image in images for part in torch.split(image, batch)])

    def _pass(self, windows: Tensor) -> Tensor:
        """One network pass, over a copy: the bits of a matrix product may follow where in memory its operands start."""
        timestep = torch.full((len(windows),), self.timestep, device=windows.device)
        predicted: Tensor = self.network(windows.clone(memory_format=torch.channels_last), timestep)
        return predicted
