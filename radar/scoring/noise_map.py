"""The noise map: one forward step, one network pass, no reverse sampling (METHOD, step 4)."""

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

    The noise of an image depends on (seed, identity, draw) only, and every network pass has the same, padded batch
    size, so a map does not depend on which other images are scored, in which order or how many at once.
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
            predicted = tiling.blend(self._predict(windows, self._batch(tiling)), height, width)
            total += predicted - noise if self.scoring.map == "residual" else predicted
        return (total / max(1, self.scoring.draws)).to(images.device)

    def _tiling(self, height: int, width: int) -> Tiling:
        if self.scoring.field == "whole":
            return Tiling.whole(height, width)
        return Tiling.overlapping(height, width, window=self.patch_size, stride=self.scoring.stride)

    def _batch(self, tiling: Tiling) -> int:
        """Windows per network pass: as many pixels as `scoring.micro_batch` windows of the training size have."""
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

    def _predict(self, windows: Tensor, batch: int) -> Tensor:
        timestep = torch.full((batch,), self.timestep, device=windows.device)
        predicted = torch.empty_like(windows)
        for start in range(0, len(windows), batch):
            chunk = windows[start : start + batch]
            padded = chunk.new_zeros((batch, *chunk.shape[1:]))
            padded[: len(chunk)] = chunk
            padded = padded.contiguous(memory_format=torch.channels_last)
            predicted[start : start + len(chunk)] = self.network(padded, timestep)[: len(chunk)]
        return predicted
