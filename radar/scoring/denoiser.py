"""The trained network over whole images: in windows of the training size, in one pass, or in tiles of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from radar.config.schema import ScoringConfig
from radar.diffusion.sampling import levels
from radar.diffusion.schedule import NoiseSchedule
from radar.networks.compact_unet import CompactUNet
from radar.scoring.tiling import Tiling, tiles


@dataclass(frozen=True)
class Windows:
    """How a network that has learnt patches sees a whole image."""

    field: str  # whole | stitched
    patch_size: int  # px, side of a stitched window
    stride: int  # px between stitched windows
    micro_batch: int  # most windows per pass
    tile: int  # px per side of what one pass over a large image keeps

    @staticmethod
    def of(scoring: ScoringConfig, patch_size: int) -> Windows:
        """As `scoring` says."""
        return Windows(scoring.field, patch_size, scoring.stride, scoring.micro_batch, scoring.tile)

    @staticmethod
    def keys(field: str) -> tuple[str, ...]:
        """The config keys that are read."""
        read = ("scoring.field", "scoring.tile")
        return (*read, "scoring.stride", "scoring.micro_batch") if field == "stitched" else read


class Denoiser(nn.Module):
    """ε̂(x_t, t) of whole images `(B, C, H, W)`.

    With one image per pass a map does not depend, to the bit, on which other images are scored, in which order or how many at
    once. More images per pass suit a GPU and change last bits: threads share a batch out, and the rounding of a window follows
    its position in it.
    """

    def __init__(self, network: nn.Module, schedule: NoiseSchedule, windows: Windows) -> None:
        super().__init__()
        self.network = network.eval()
        self.schedule = schedule
        self.windows = windows

    def noised(self, clean: Tensor, noise: Tensor, timestep: int) -> Tensor:
        """x_t of images and noise `(B, C, H, W)`."""
        signal, level = levels(self.schedule, timestep)
        return signal * clean + level * noise

    def scaled(self, clean: Tensor, timestep: int) -> Tensor:
        """√ᾱ_t · x₀: x_t without its noise."""
        return levels(self.schedule, timestep)[0] * clean

    def forward(self, noisy: Tensor, timestep: int) -> Tensor:
        """ε̂ `(B, C, H, W)` of x_t: of its windows, of tiles of it, or of all of it at once."""
        if self.windows.field == "stitched":
            return self._stitched(noisy, timestep)
        if not isinstance(self.network, CompactUNet):
            return self._pass(noisy, timestep)
        if max(noisy.shape[-2:]) > self.windows.tile:
            return self._tiled(noisy, timestep, self.network)
        return self._pass(noisy, timestep, self.network.whole)

    def _stitched(self, noisy: Tensor, timestep: int) -> Tensor:
        """Windows of the training size, blended where they overlap."""
        height, width = noisy.shape[-2:]
        tiling = Tiling.overlapping(height, width, window=self.windows.patch_size, stride=self.windows.stride)
        if len(tiling.corners) == 1:
            return self._pass(noisy, timestep)
        total = torch.zeros_like(noisy)
        for part in tiling.parts(max(1, self.windows.micro_batch // len(noisy))):
            part.add(self._pass(part.cut(noisy), timestep), total)
        return total / tiling.weights(height, width).to(total.device)

    def _tiled(self, noisy: Tensor, timestep: int, network: CompactUNet) -> Tensor:
        """The whole image, in tiles that read at least as far around them as the network sees: the same map as in one pass."""
        core, margin = (
            length // network.grid * network.grid for length in (self.windows.tile, network.halo + network.grid - 1)
        )
        divided = network.divided(noisy)
        predicted = torch.empty_like(divided)
        for tile in tiles(*divided.shape[-2:], core=max(core, network.grid), margin=margin):
            predicted[..., *tile.keep] = self._pass(divided[..., *tile.read], timestep)[..., *tile.inner]
        return network.continued(predicted, noisy)

    def _pass(self, noisy: Tensor, timestep: int, see: Callable[[Tensor, Tensor], Tensor] | None = None) -> Tensor:
        """One pass of the network, or of one of its ways to `see`, over a copy: the bits of a matrix product may follow where in
        memory its operands start.
        """
        steps = torch.full((len(noisy),), timestep, device=noisy.device)
        predicted: Tensor = (see or self.network)(noisy.clone(memory_format=torch.channels_last), steps)
        return predicted
