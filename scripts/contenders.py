"""Who trains side by side: our compact U-Net and what a user would pick instead, at equal FLOPs; and the plain loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytorch_lightning as lightning
import torch
import torch.nn.functional as F
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from radar.config.schema import Config
from radar.diffusion.schedule import NoiseSchedule, build_schedule
from radar.networks.build import build_unet

PATCH = 28
_GROUPS, _HEADS = 4, 4  # of the peers' norms and attention; their widths are multiples

Network = nn.Module
"""Maps noisy patches `(B, C, p, p)` and timesteps `(B,)` to noise `(B, C, p, p)`."""


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


def monai_unet(widths: Sequence[int]) -> Network:
    """MONAI's `DiffusionModelUNet`, three levels with attention at the coarsest."""
    from monai.networks.nets import DiffusionModelUNet  # noqa: PLC0415

    network: Network = DiffusionModelUNet(
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


def compact_unet(config: Config, widths: Sequence[int]) -> Network:
    """Ours, with these widths."""
    unet = replace(config.unet, channels=list(widths))
    return build_unet(unet, patch_size=PATCH, image_channels=1, seed=config.seed)


# widths that bring the peers within 10 % of the FLOPs of ours: unet=compact and unet=compact_wide
SIZES: dict[str, dict[str, tuple[int, ...]]] = {
    "34 MFLOP": {"radar": (32, 64), "diffusers": (8, 16, 28), "monai": (8, 16, 28)},
    "130 MFLOP": {"radar": (64, 128), "diffusers": (16, 32, 56), "monai": (16, 32, 56)},
}


def build_contender(name: str, size: str, config: Config) -> Network:
    """The network of that name and size with initial weights that depend on `config.seed`; `config` has `unet=compact`."""
    widths = SIZES[size][name]
    torch.manual_seed(config.seed)
    builders: dict[str, Callable[[Sequence[int]], Network]] = {
        "radar": partial(compact_unet, config),
        "diffusers": DiffusersUNet,
        "monai": monai_unet,
    }
    return builders[name](widths)


def layer_bytes(network: Network, images: Tensor) -> float:
    """Bytes per image that the layers of one pass over `images` read and write: every map and weight once per leaf layer."""
    total = 0

    def count(layer: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal total
        tensors = [each for each in (*inputs, output) if isinstance(each, Tensor)]
        total += sum(each.nbytes for each in (*tensors, *layer.parameters()))

    leaves = [layer for layer in network.modules() if not list(layer.children()) and not isinstance(layer, nn.Identity)]
    hooks = [layer.register_forward_hook(count) for layer in leaves]
    with torch.no_grad():
        network(images, torch.ones(len(images), dtype=torch.long))
    for hook in hooks:
        hook.remove()
    return total / len(images)


class PlainCrops(Dataset[Tensor]):
    """Every stride-1 crop of images `(N, C, H, W)`, one item each: what a first script would write."""

    def __init__(self, images: Tensor, size: int) -> None:
        self.images = images
        self.size = size
        self.rows, self.columns = (side - size + 1 for side in images.shape[-2:])

    def __len__(self) -> int:
        return len(self.images) * self.rows * self.columns

    def __getitem__(self, index: int) -> Tensor:
        image, position = divmod(index, self.rows * self.columns)
        top, left = divmod(position, self.columns)
        return self.images[image, :, top : top + self.size, left : left + self.size]


class PlainModule(lightning.LightningModule):
    """The textbook training step: uniform timesteps, noise, mean squared error, AdamW."""

    def __init__(self, network: Network, schedule: NoiseSchedule, learning_rate: float) -> None:
        super().__init__()
        self.network = network
        self.schedule = schedule
        self.learning_rate = learning_rate

    def training_step(self, patches: Tensor, batch_index: int) -> Tensor:
        timestep = torch.randint(1, self.schedule.timesteps + 1, (len(patches),), device=self.device)
        noise = torch.randn_like(patches)
        return F.mse_loss(self.network(self.schedule(patches, noise, timestep), timestep), noise)

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.network.parameters(), lr=self.learning_rate)


class AtSteps(Callback):
    """Calls `act(step, module)` after each of some steps, when all that belongs to them is done; not after the last of all."""

    def __init__(self, steps: Sequence[int], act: Callable[[int, lightning.LightningModule], None]) -> None:
        self.steps = set(steps)
        self.act = act

    def on_train_batch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any) -> None:
        if trainer.global_step in self.steps:
            self.act(trainer.global_step, pl_module)


def train_plainly(
    network: Network, images: Tensor, *, config: Config, steps: int, learning_rate: float, callback: Callback
) -> None:
    """Train in a plain Lightning loop over a DataLoader of single crops."""
    torch.manual_seed(config.seed)
    loader = DataLoader(PlainCrops(images, config.patch.size), batch_size=config.training.batch_size, shuffle=True)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_steps=steps,
        max_epochs=-1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[callback],
    )
    trainer.fit(PlainModule(network, build_schedule(config.diffusion), learning_rate), loader)
