"""A noise predictor whose layers suit small maps: folded pixels, one norm per block, attention inside fixed windows.

Nothing in it looks at the whole map: norms are taken per position, and attention stays inside windows of the training
size on a fixed grid. So a large image gives the same output in one pass as in tiles that overlap by `halo` px.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.diffusion.unet import timestep_embedding, zero


class PositionNorm(nn.Module):
    """Layer norm over the channels of each position (Ba et al. 2016), without weights. `(B, C, H, W)` → same shape."""

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],)).permute(0, 3, 1, 2)


class CompactBlock(nn.Module):
    """Norm, which the timestep scales and shifts, 3×3 convolution, SiLU, 3×3 convolution; residual, keeps its shape."""

    def __init__(self, channels: int, *, embedding: int, dropout: float) -> None:
        super().__init__()
        self.norm = PositionNorm()
        self.modulation = nn.Linear(embedding, 2 * channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Sequential(nn.SiLU(), nn.Dropout(dropout), zero(nn.Conv2d(channels, channels, 3, padding=1)))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, dim=1)
        result: Tensor = x + self.second(self.first(torch.addcmul(shift, self.norm(x), 1 + scale)))
        return result


def _window_starts(side: int, window: int) -> list[int]:
    """Starts of the windows along one side: a fixed grid, whose last window is moved back to end at the border."""
    return [*range(0, side - window, window), max(0, side - window)]


def _gather(side: int, window: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Positions of all windows one after the other, and for each position of the side where to find it among them."""
    window = min(window, side)
    starts = torch.tensor(_window_starts(side, window), device=device)
    there = (starts[:, None] + torch.arange(window, device=device)).flatten()
    position = torch.arange(side, device=device)
    index = position.div(window, rounding_mode="floor").clamp(max=len(starts) - 1)
    return there, index * window + position - starts[index]


class WindowAttention(nn.Module):
    """Multi-head self-attention among the positions of one window, residual. `(B, C, H, W)` → same shape.

    Maps up to `window` × `window` are one window; larger ones are cut on a fixed grid.
    """

    def __init__(self, channels: int, *, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.norm = PositionNorm()
        self.query_key_value = nn.Conv2d(channels, 3 * channels, 1)
        self.project = zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.project(self._attended(self.query_key_value(self.norm(x))))
        return result

    def _attended(self, packed: Tensor) -> Tensor:
        """Projected positions `(B, 3C, H, W)` → values `(B, C, H, W)`, window by window."""
        height, width = packed.shape[-2:]
        packed = packed.permute(0, 2, 3, 1)
        if height <= self.window and width <= self.window:
            return self._attend(packed).permute(0, 3, 1, 2)
        rows, row_of = _gather(height, self.window, packed.device)
        columns, column_of = _gather(width, self.window, packed.device)
        high, wide = min(self.window, height), min(self.window, width)
        grid = (len(packed), len(rows) // high, len(columns) // wide)
        windows = packed[:, rows][:, :, columns].reshape(*grid[:2], high, grid[2], wide, -1).transpose(2, 3)
        attended = self._attend(windows.reshape(-1, high, wide, windows.shape[-1]))
        attended = attended.reshape(*grid, high, wide, -1).transpose(2, 3).reshape(grid[0], len(rows), len(columns), -1)
        return attended[:, row_of][:, :, column_of].permute(0, 3, 1, 2)

    def _attend(self, packed: Tensor) -> Tensor:
        """Windows `(N, h, w, 3C)` → `(N, h, w, C)`."""
        count, height, width, channels = packed.shape
        heads = packed.reshape(count, height * width, 3, self.heads, channels // (3 * self.heads))
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        attended = F.scaled_dot_product_attention(query, key, value)
        return attended.transpose(1, 2).reshape(count, height, width, channels // 3)


class CompactUNet(nn.Module):
    """ε̂(x_t, t): images `(B, C, H, W)` and timesteps `(B,)` in 1…T → predicted noise `(B, C, H, W)`.

    Squares of `fold` × `fold` px become channels before the first convolution and pixels again after the last, so that
    `channels[0]` is the width at 1/`fold` of the resolution and each further level halves it once more. Images whose sides
    the levels do not divide are continued at the right and at the bottom. Levels in `attention_levels` have attention at
    their end; windows are as large as a patch of `patch_size` px.
    """

    def __init__(
        self,
        *,
        image_channels: int,
        channels: Sequence[int],
        blocks: int,
        attention_levels: Sequence[int],
        attention_heads: int,
        embedding: int,
        dropout: float,
        fold: int,
        patch_size: int,
    ) -> None:
        super().__init__()
        self.fold = fold
        self.stride = fold * 2 ** (len(channels) - 1)  # px per position of the coarsest level
        self.patch_size = patch_size
        self.sinusoid_width = channels[0] * 4
        self.embed = nn.Sequential(
            nn.Linear(self.sinusoid_width, embedding), nn.SiLU(), nn.Linear(embedding, embedding), nn.SiLU()
        )

        def stack(width: int) -> nn.ModuleList:
            return nn.ModuleList(CompactBlock(width, embedding=embedding, dropout=dropout) for _ in range(blocks))

        def attention(level: int, width: int) -> nn.Module:
            if level not in attention_levels:
                return nn.Identity()
            window = self.grid // (fold * 2**level)
            return WindowAttention(width, heads=attention_heads, window=window)

        self.stem = nn.Conv2d(image_channels * fold**2, channels[0], 3, padding=1)
        self.down = nn.ModuleList(stack(width) for width in channels)
        self.attention = nn.ModuleList(attention(level, width) for level, width in enumerate(channels))
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in zip(channels, channels[1:], strict=False))
        self.up = nn.ModuleList(stack(width) for width in channels)
        self.grow = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in zip(channels, channels[1:], strict=False))
        self.head = nn.Sequential(
            PositionNorm(), nn.SiLU(), zero(nn.Conv2d(channels[0], image_channels * fold**2, 3, padding=1))
        )

    @property
    def grid(self) -> int:
        """Side of an attention window in px: the patch, as the levels see it."""
        return math.ceil(self.patch_size / self.stride) * self.stride

    @property
    def halo(self) -> int:
        """How far beyond a square on the `grid` its output depends on the input, in px; from the output backwards."""
        reach = self.fold  # the head's convolution
        strides = [self.fold * 2**level for level in range(len(self.up))]
        for level, stride in enumerate(strides):
            reach = _multiple(reach, stride) + 2 * len(self.up[level]) * stride  # type: ignore[arg-type]
        for level, stride in reversed(list(enumerate(strides))):
            if isinstance(self.attention[level], WindowAttention):
                reach = _multiple(reach, self.grid)
            reach = _multiple(reach, stride) + 2 * len(self.down[level]) * stride  # type: ignore[arg-type]
        return reach + self.fold  # the stem's convolution

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        embedding = self.embed(timestep_embedding(timestep, self.sinusoid_width))
        x = F.pad(x, (0, -width % self.stride, 0, -height % self.stride), mode="replicate")
        x = self.stem(F.pixel_unshuffle(x, self.fold).contiguous(memory_format=torch.channels_last))
        skips: list[Tensor] = []
        for level, stack in enumerate(self.down):
            if level:
                skips.append(x)
                x = self.shrink[level - 1](x)
            x = self.attention[level](_through(stack, x, embedding))
        for level in reversed(range(len(self.up))):
            x = _through(self.up[level], x, embedding)
            if level:
                x = F.pixel_shuffle(self.grow[level - 1](x), 2) + skips.pop()
        predicted = F.pixel_shuffle(self.head(x), self.fold)
        return predicted[..., :height, :width]


def _multiple(length: int, of: int) -> int:
    """`length`, rounded up to a multiple."""
    return math.ceil(length / of) * of


def _through(stack: nn.Module, x: Tensor, embedding: Tensor) -> Tensor:
    for block in stack:  # type: ignore[attr-defined]
        x = block(x, embedding)
    return x
