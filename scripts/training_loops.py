"""The two loops whose trainings are compared: ours, and the plain one that a first script would write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
import torch.nn.functional as F
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from radar.config.schema import Config
from radar.diffusion.objective import DiffusionObjective
from radar.diffusion.schedule import NoiseSchedule, build_schedule
from radar.progress import silent
from radar.rasters import Rasters
from radar.training.fit import fit_network


def train_in_our_loop(
    network: nn.Module, images: Rasters, held_out: Rasters, *, config: Config, followers: Sequence[Callback] = ()
) -> None:
    """Train the noise prediction of `network` on crops of `images` `(C, H, W)`; nothing is kept but its weights."""
    with tempfile.TemporaryDirectory() as folder:
        fit_network(
            network,
            DiffusionObjective(config.diffusion, simplex=None),
            images,
            held_out,
            patch=config.patch,
            training=config.training,
            trainer=config.trainer,
            seed=config.seed,
            checkpoints=Path(folder),
            publish=lambda row: None,
            report=silent,
            followers=followers,
        )


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

    def __init__(self, network: nn.Module, schedule: NoiseSchedule, learning_rate: float) -> None:
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
    network: nn.Module, images: Tensor, *, config: Config, steps: int, learning_rate: float, callback: Callback
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
