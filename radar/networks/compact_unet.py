"""A noise predictor whose layers suit small maps: folded pixels, one norm per block, attention inside fixed windows.

Nothing in it looks at the whole map: norms are taken per position, and attention stays inside windows of the training
size on a fixed grid. So a large image gives the same output in one pass as in tiles that overlap by `halo` px.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.networks.layers import PositionNorm, timestep_embedding, zero


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


def _side(side: int, window: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Starts of the windows along one side, and the number of the window that each position belongs to.

    Windows lie on a fixed grid; where the side is no multiple, the last one is moved back to end at the border.
    """
    starts = torch.arange(0, side, window, device=device).clamp(max=side - window)
    owner = torch.arange(side, device=device).div(window, rounding_mode="floor")
    return starts, owner


def window_positions(height: int, width: int, window: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Positions `(windows, h·w)` of a map's windows, row by row, and where each position stands among them, `(H·W,)`."""
    high, wide = min(window, height), min(window, width)
    (tops, row_owner), (lefts, column_owner) = _side(height, high, device), _side(width, wide, device)
    inside = torch.arange(high, device=device)[:, None] * width + torch.arange(wide, device=device)
    corners = tops[:, None] * width + lefts
    positions = corners.reshape(-1, 1) + inside.reshape(1, -1)
    row = torch.arange(height, device=device) - tops[row_owner]
    column = torch.arange(width, device=device) - lefts[column_owner]
    owner = row_owner[:, None] * lefts.shape[0] + column_owner
    return positions, (owner * high * wide + row[:, None] * wide + column).flatten()


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
        batch, _, height, width = packed.shape
        packed = packed.permute(0, 2, 3, 1).reshape(batch, height * width, -1)
        if height <= self.window and width <= self.window:
            attended = self._attend(packed)
        else:
            positions, place = window_positions(height, width, self.window, packed.device)
            windows = packed.index_select(1, positions.flatten()).reshape(-1, positions.shape[1], packed.shape[-1])
            attended = self._attend(windows).reshape(batch, positions.numel(), -1).index_select(1, place)
        return attended.reshape(batch, height, width, -1).permute(0, 3, 1, 2)

    def _attend(self, packed: Tensor) -> Tensor:
        """Windows `(N, n, 3C)` → `(N, n, C)`."""
        count, positions, channels = packed.shape
        heads = packed.reshape(count, positions, 3, self.heads, channels // (3 * self.heads))
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        attended = F.scaled_dot_product_attention(query, key, value)
        return attended.transpose(1, 2).reshape(count, positions, channels // 3)


class CompactUNet(nn.Module):
    """ε̂(x_t, t): images `(B, C, H, W)` and timesteps `(B,)` in 1…T → predicted noise `(B, C, H, W)`.

    Squares of `fold` × `fold` px become channels before the first convolution and pixels again after the last, so that
    `channels[0]` is the width at 1/`fold` of the resolution and each further level halves it once more. Images whose sides
    `fold` does not divide are continued at the right and at the bottom; a level of an odd side, by zeros, as convolutions have it
    at every border. Levels in `attention_levels` have attention at their end; windows are as large as a patch of `patch_size` px.
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
        self._stack_reach = 2 * blocks  # positions, one for each 3×3 convolution
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
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(channels))
        self.up = nn.ModuleList(stack(width) for width in channels)
        self.grow = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(channels))
        self.head = nn.Sequential(
            PositionNorm(), nn.SiLU(), zero(nn.Conv2d(channels[0], image_channels * fold**2, 3, padding=1))
        )

    @property
    def grid(self) -> int:
        """Side of an attention window in px: the patch, as the levels see it."""
        return _multiple(self.patch_size, self.stride)

    @property
    def halo(self) -> int:
        """How far beyond a square on the `grid` its output depends on the input, in px; from the output backwards."""
        reach = self.fold  # the head's convolution
        strides = [self.fold * 2**level for level in range(len(self.up))]
        for stride in strides:
            reach = _multiple(reach, stride) + self._stack_reach * stride
        for level, stride in reversed(list(enumerate(strides))):
            if isinstance(self.attention[level], WindowAttention):
                reach = _multiple(reach, self.grid)
            reach = _multiple(reach, stride) + self._stack_reach * stride
        return reach + self.fold  # the stem's convolution

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        embedding = self.embed(timestep_embedding(timestep, self.sinusoid_width))
        right, below = (_multiple(side, self.fold) - side for side in (width, height))
        x = F.pad(x, (0, right, 0, below), mode="replicate")
        x = self.stem(F.pixel_unshuffle(x, self.fold).contiguous(memory_format=torch.channels_last))
        skips: list[Tensor] = []
        for level, stack in enumerate(self.down):
            if level:
                skips.append(x)
                x = self.shrink[level - 1](F.pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2)))
            x = self.attention[level](_through(stack, x, embedding))
        for level in reversed(range(len(self.up))):
            x = _through(self.up[level], x, embedding)
            if level:
                skip = skips.pop()
                x = _grown(self.grow[level - 1], x)[..., : skip.shape[-2], : skip.shape[-1]] + skip
        predicted = F.pixel_shuffle(self.head(x), self.fold)
        return predicted[..., :height, :width]

    def whole(self, x: Tensor, timestep: Tensor) -> Tensor:
        """ε̂ of images that are no patches: what lies beyond the last square of `fold` px has the noise of the pixels beside it.

        Continued pixels are no texture: the network finds a defect along such a side, of every image, and others drown in it.
        """
        return self.continued(self(self.divided(x), timestep), x)

    def divided(self, x: Tensor) -> Tensor:
        """The part of images `(B, C, H, W)` whose sides `fold` divides; a side of less than `fold` px as it is."""
        height, width = (side - side % self.fold if side >= self.fold else side for side in x.shape[-2:])
        return x[..., :height, :width]

    def continued(self, predicted: Tensor, x: Tensor) -> Tensor:
        """What was predicted of that part, its last row and column repeated up to the sides of `x`."""
        (height, width), (rows, columns) = x.shape[-2:], predicted.shape[-2:]
        return F.pad(predicted, (0, width - columns, 0, height - rows), mode="replicate")


def _multiple(length: int, of: int) -> int:
    """`length`, rounded up to a multiple."""
    return (length + of - 1) // of * of


def _grown(layer: nn.Module, x: Tensor) -> Tensor:
    """`(B, C, H, W)` through a 1×1 convolution to four times the channels, which become 2 × 2 pixels."""
    if not torch.compiler.is_exporting() or not isinstance(layer, nn.Conv2d) or layer.bias is None:
        return F.pixel_shuffle(layer(x), 2)
    # The same as one transposed convolution: runtimes are slow at moving channels to pixels.
    weights = layer.weight[..., 0, 0].reshape(-1, 2, 2, x.shape[1]).permute(3, 0, 1, 2)
    places = layer.bias.reshape(1, -1, 2, 2)
    ones = torch.ones_like(x[:, :1])
    return F.conv_transpose2d(x, weights, stride=2) + F.conv_transpose2d(ones, places, stride=2)


def _through(stack: nn.Module, x: Tensor, embedding: Tensor) -> Tensor:
    for block in stack.children():
        x = block(x, embedding)
    return x
