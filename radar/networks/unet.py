"""The noise predictor: a small DDPM U-Net with self-attention at chosen levels, for maps of any size, odd ones too."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.networks.layers import timestep_embedding, zero


def _norm(channels: int, groups: int) -> nn.GroupNorm:
    return nn.GroupNorm(groups, channels)


class ResidualBlock(nn.Module):
    """Norm, SiLU, 3×3 convolution, twice; the timestep scales and shifts between them. `(B, in, H, W)` → `(B, out, H, W)`."""

    def __init__(self, inputs: int, outputs: int, *, embedding: int, groups: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Sequential(_norm(inputs, groups), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.modulation = nn.Linear(embedding, 2 * outputs)
        self.norm = _norm(outputs, groups)
        self.second = nn.Sequential(nn.SiLU(), nn.Dropout(dropout), zero(nn.Conv2d(outputs, outputs, 3, padding=1)))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, dim=1)
        hidden = torch.addcmul(shift, self.norm(self.first(x)), 1 + scale)
        result: Tensor = self.skip(x) + self.second(hidden)
        return result


class SelfAttention(nn.Module):
    """Multi-head self-attention over all positions of a map, residual. `(B, C, H, W)` → same shape."""

    def __init__(self, channels: int, *, heads: int, groups: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = _norm(channels, groups)
        self.query_key_value = nn.Conv2d(channels, 3 * channels, 1)
        self.project = zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        packed = self.query_key_value(self.norm(x)).flatten(2).transpose(1, 2)
        query, key, value = packed.reshape(batch, height * width, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        attended = F.scaled_dot_product_attention(query, key, value)
        attended = attended.transpose(1, 2).reshape(batch, height * width, channels).transpose(1, 2)
        result: Tensor = x + self.project(attended.reshape(batch, channels, height, width))
        return result


class Stage(nn.Module):
    """One residual block, followed by self-attention where the level has it."""

    def __init__(self, inputs: int, outputs: int, *, embedding: int, groups: int, dropout: float, heads: int) -> None:
        super().__init__()
        self.block = ResidualBlock(inputs, outputs, embedding=embedding, groups=groups, dropout=dropout)
        self.attention = SelfAttention(outputs, heads=heads, groups=groups) if heads else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        result: Tensor = self.attention(self.block(x, embedding))
        return result


class UNet(nn.Module):
    """ε̂(x_t, t): images `(B, C, H, W)` and timesteps `(B,)` in 1…T → predicted noise `(B, C, H, W)`.

    `channels` gives the width of each level, each half the size of the one before (rounded up, so odd sides work);
    `attention_levels` counts from 0, the full resolution. Architecture after Ho et al. 2020, appendix B.
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
        groups: int,
        dropout: float,
    ) -> None:
        super().__init__()
        build = partial(Stage, embedding=embedding, groups=groups, dropout=dropout)

        def stage(level: int, inputs: int, outputs: int) -> Stage:
            heads = attention_heads if level in attention_levels else 0
            return build(inputs, outputs, heads=heads)

        self.sinusoid_width = channels[0] * 4
        self.embed = nn.Sequential(
            nn.Linear(self.sinusoid_width, embedding), nn.SiLU(), nn.Linear(embedding, embedding), nn.SiLU()
        )
        self.stem = nn.Conv2d(image_channels, channels[0], 3, padding=1)
        self.down = nn.ModuleList()
        self.shrink = nn.ModuleList()
        width = channels[0]
        skips: list[int] = []
        for level, outputs in enumerate(channels):
            if level:
                self.shrink.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
            widths = [width] + [outputs] * blocks
            self.down.append(nn.ModuleList(stage(level, a, b) for a, b in pairwise(widths)))
            skips += [outputs] * blocks
            width = outputs
        self.middle = build(width, width, heads=attention_heads if attention_levels else 0)
        self.up = nn.ModuleList()
        self.grow = nn.ModuleList()
        for level in reversed(range(len(channels))):
            outputs = channels[level]
            stages = nn.ModuleList()
            for _ in range(blocks):
                stages.append(stage(level, width + skips.pop(), outputs))
                width = outputs
            self.up.append(stages)
            if level:
                self.grow.append(nn.Conv2d(width, channels[level - 1], 3, padding=1))
                width = channels[level - 1]
        self.head = nn.Sequential(_norm(width, groups), nn.SiLU(), zero(nn.Conv2d(width, image_channels, 3, padding=1)))

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        embedding = self.embed(timestep_embedding(timestep, self.sinusoid_width))
        x = self.stem(x)
        skips: list[Tensor] = []
        for level, stages in enumerate(self.down):
            if level:
                x = self.shrink[level - 1](x)
            for block in stages.children():
                x = block(x, embedding)
                skips.append(x)
        x = self.middle(x, embedding)
        for index, stages in enumerate(self.up):
            for block in stages.children():
                x = block(torch.cat([x, skips.pop()], dim=1), embedding)
            if index < len(self.grow):
                # to the size of the skip it meets, so that an odd side comes back as it was
                x = self.grow[index](F.interpolate(x, size=skips[-1].shape[-2:], mode="nearest"))
        result: Tensor = self.head(x)
        return result
