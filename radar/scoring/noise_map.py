"""The noise map: one forward step, one network pass, no reverse sampling (RADAR, arXiv 2508.04818)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from radar.config.schema import ScoringConfig
from radar.diffusion.schedule import NoiseSchedule
from radar.networks.compact_unet import CompactUNet
from radar.scoring.tiling import Tiling, tiles
from radar.seeds import generator


class NoiseMapper:
    """Images `(B, C, H, W)` in [−1, 1] → noise maps of the same shape.

    The noise of an image depends on (seed, identity, draw) only. With one image per pass a map does not depend, to the bit,
    on which other images are scored, in which order or how many at once. More images per pass suit a GPU and change last
    bits: threads share a batch out, and the rounding of a window follows its position in it.
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
        size = self.scoring.images_per_pass
        parts = [
            self._map(images[start : start + size].to(self.device), identities[start : start + size])
            for start in range(0, len(images), size)
        ]
        return torch.cat(parts).to(images.device) if parts else images

    def _map(self, clean: Tensor, identities: Sequence[str]) -> Tensor:
        """Noise maps of as many images as share a network pass."""
        draws, timestep = self.scoring.draws, torch.full((len(clean),), self.timestep, device=clean.device)
        if draws == 0:
            return self.predict(self.schedule.signal[self.timestep - 1] * clean)
        total = torch.zeros_like(clean)
        for draw in range(draws):
            noise = self._noise(clean, identities, draw)
            total += self.predict(self.schedule(clean, noise, timestep))
            if self.scoring.map == "residual":
                total -= noise
        return total / draws

    def _noise(self, clean: Tensor, identities: Sequence[str], draw: int) -> Tensor:
        # drawn on the host, so that an image has the same noise on every device
        draws = [
            torch.randn(clean.shape[1:], generator=generator("cpu", self.seed, "scoring", identity, draw))
            for identity in identities
        ]
        return torch.stack(draws).to(clean.device)

    def predict(self, noisy: Tensor) -> Tensor:
        """Predicted noise `(B, C, H, W)` of noisy images: of their windows, of tiles of them, or of all of them at once."""
        if self.scoring.field == "stitched":
            return self._stitched(noisy)
        if isinstance(self.network, CompactUNet) and max(noisy.shape[-2:]) > self.scoring.tile:
            return self._tiled(noisy, self.network)
        return self._pass(noisy)

    def _stitched(self, noisy: Tensor) -> Tensor:
        """Windows of the training size, blended where they overlap."""
        height, width = noisy.shape[-2:]
        tiling = Tiling.overlapping(height, width, window=self.patch_size, stride=self.scoring.stride)
        if len(tiling.corners) == 1:
            return self._pass(noisy)
        total = torch.zeros_like(noisy)
        for part in tiling.parts(max(1, self.scoring.micro_batch // len(noisy))):
            part.add(self._pass(part.cut(noisy)), total)
        return total / tiling.weights(height, width).to(total.device)

    def _tiled(self, noisy: Tensor, network: CompactUNet) -> Tensor:
        """The whole image, in tiles that read at least as far around them as the network sees: the same map as in one pass."""
        predicted = torch.empty_like(noisy)
        core, margin = (
            length // network.grid * network.grid for length in (self.scoring.tile, network.halo + network.grid - 1)
        )
        for tile in tiles(*noisy.shape[-2:], core=max(core, network.grid), margin=margin):
            predicted[..., *tile.keep] = self._pass(noisy[..., *tile.read])[..., *tile.inner]
        return predicted

    def _pass(self, noisy: Tensor) -> Tensor:
        """One network pass, over a copy: the bits of a matrix product may follow where in memory its operands start."""
        timestep = torch.full((len(noisy),), self.timestep, device=noisy.device)
        predicted: Tensor = self.network(noisy.clone(memory_format=torch.channels_last), timestep)
        return predicted
