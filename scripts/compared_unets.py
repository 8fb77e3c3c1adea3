"""The U-Nets that are compared at equal FLOPs: our compact one, and those that a user would pick instead.

A network maps noisy patches `(B, C, p, p)` and timesteps `(B,)` to noise `(B, C, p, p)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from radar.config.schema import Config
from radar.networks.build import build_unet

PATCH = 28
_GROUPS, _HEADS = 4, 4  # of the peers' norms and attention; their widths are multiples


class DiffusersUNet(nn.Module):
    """diffusers' `UNet2DModel`, three levels with attention at the coarsest."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        from diffusers import UNet2DModel  # noqa: PLC0415 – of the extra `bench`, like MONAI

        self.network = UNet2DModel(
            sample_size=PATCH,
            in_channels=1,
            out_channels=1,
            layers_per_block=1,
            block_out_channels=tuple(widths),
            norm_num_groups=_GROUPS,
            attention_head_dim=widths[-1] // _HEADS,
            down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        )

    def forward(self, noisy: Tensor, timestep: Tensor) -> Tensor:
        predicted: Tensor = self.network(noisy, timestep).sample
        return predicted


def monai_unet(widths: Sequence[int]) -> nn.Module:
    """MONAI's `DiffusionModelUNet`, three levels with attention at the coarsest."""
    from monai.networks.nets import DiffusionModelUNet  # noqa: PLC0415

    network: nn.Module = DiffusionModelUNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=1,
        channels=tuple(widths),
        attention_levels=(False, False, True),
        num_res_blocks=1,
        num_head_channels=widths[-1] // _HEADS,
        norm_num_groups=_GROUPS,
    )
    return network


def compact_unet(config: Config, widths: Sequence[int]) -> nn.Module:
    """Ours, with these widths."""
    unet = replace(config.unet, channels=list(widths))
    return build_unet(unet, patch_size=PATCH, image_channels=1, seed=config.seed)


# widths that bring the peers within 10 % of the FLOPs of ours: unet=compact and unet=compact_wide
SIZES: dict[str, dict[str, tuple[int, ...]]] = {
    "34 MFLOP": {"radar": (32, 64), "diffusers": (8, 16, 28), "monai": (8, 16, 28)},
    "130 MFLOP": {"radar": (64, 128), "diffusers": (16, 32, 56), "monai": (16, 32, 56)},
}


def build_network(name: str, size: str, config: Config) -> nn.Module:
    """The network of that name and size with initial weights that depend on `config.seed`; `config` has `unet=compact`."""
    widths = SIZES[size][name]
    torch.manual_seed(config.seed)
    builders: dict[str, Callable[[Sequence[int]], nn.Module]] = {
        "radar": partial(compact_unet, config),
        "diffusers": DiffusersUNet,
        "monai": monai_unet,
    }
    return builders[name](widths)
