"""The LightningModule: ε-prediction with the L2 loss (Ho et al. 2020, eq. 14, after arXiv 2508.04818)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytorch_lightning as lightning
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from radar.config.schema import DiffusionConfig, TrainingConfig
from radar.diffusion.schedule import NoiseSchedule
from radar.errors import RunError
from radar.seeds import generator, stream_seed
from radar.training.ema import ExponentialAverage

Predict = Callable[[Tensor, Tensor], Tensor]
"""Noisy patches `(B, C, p, p)` and timesteps `(B,)` → predicted noise."""
Noise = Callable[[torch.Size, torch.Generator], Tensor]
"""A shape and a stream → noise of variance 1 on the stream's device."""


def gaussian(shape: torch.Size, stream: torch.Generator) -> Tensor:
    """White noise."""
    return torch.randn(shape, generator=stream, device=stream.device)


class DiffusionModule(lightning.LightningModule):
    """Trains `unet` on patches `(B, C, p, p)` in [−1, 1]; `average` is what scoring uses afterwards.

    Noise and timesteps of step n are a function of (seed, n), so a resumed run repeats an uninterrupted one.
    """

    def __init__(
        self,
        unet: nn.Module,
        schedule: NoiseSchedule,
        *,
        diffusion: DiffusionConfig,
        training: TrainingConfig,
        seed: int,
        fused: bool,
        compile_mode: str | None = None,
        matmul_precision: str = "highest",
        noise: Noise = gaussian,
    ) -> None:
        super().__init__()
        self.unet = unet
        self.schedule = schedule
        self.diffusion = diffusion
        self.training_config = training
        self.seed = seed
        self.fused = fused
        self.compile_mode = compile_mode
        self.matmul_precision = matmul_precision
        self.noise = noise
        self.predict: Predict = unet.forward
        self.drops_out = any(isinstance(layer, nn.Dropout) and layer.p > 0 for layer in unet.modules())
        self.ema = ExponentialAverage(unet, decay=training.ema_decay)
        self.average = self.ema.average  # a submodule, so that it moves, is stored and is restored with the rest
        self._loss_sum = torch.zeros(())
        self._first_step = 0

    def setup(self, stage: str) -> None:
        torch.set_float32_matmul_precision(self.matmul_precision)  # a spawned process starts with torch's default
        if (
            self.compile_mode is not None
        ):  # here, and not before, because a compiled function cannot be sent to a process
            # the function alone: a compiled module would be stored beside the plain one
            self.predict = torch.compile(self.unet.forward, mode=self.compile_mode)

    @property
    def world_size(self) -> int:
        """Number of processes that train together; one where there is no trainer."""
        return 1 if self._trainer is None else int(self._trainer.world_size)

    def loss(self, network: Predict, clean: Tensor, noise: Tensor, timestep: Tensor) -> Tensor:
        """Mean squared error of ε̂ per image, `(B,)`."""
        predicted = network(self.schedule(clean, noise, timestep), timestep)
        return F.mse_loss(predicted.float(), noise, reduction="none").mean(dim=(1, 2, 3))

    def draw_timesteps(self, count: int, stream: torch.Generator) -> Tensor:
        """Timesteps `(count,)` in 1…T: uniform as published, or log-uniform, which visits the small ones often."""
        uniform = torch.rand(count, generator=stream, device=stream.device)
        last = self.schedule.timesteps
        if self.diffusion.timestep_sampling == "log_uniform":
            uniform = (torch.exp(uniform * math.log(last + 1)) - 1) / last
        return (uniform * last).long().clamp(max=last - 1) + 1

    def training_step(self, patches: Tensor, batch_index: int) -> Tensor:
        if self.drops_out:  # layers of that kind draw from torch's global generator
            torch.manual_seed(stream_seed(self.seed, "training", "dropout", self.global_rank, self.global_step))
        stream = generator(self.device, self.seed, "training", 0, self.global_step)
        # drawn for all processes, of which this one takes its share: together they compute what one would
        count, rank = len(patches), self.global_rank
        share = slice(rank * count, (rank + 1) * count)
        timestep = self.draw_timesteps(count * self.world_size, stream)[share]
        noise = self.noise(torch.Size((count * self.world_size, *patches.shape[1:])), stream)[share]
        loss = self.loss(self.predict, patches, noise, timestep).mean()
        self._loss_sum += loss.detach()
        return loss

    def on_train_epoch_start(self) -> None:
        self._loss_sum = torch.zeros((), device=self.device)
        self._first_step = self.global_step

    def on_train_batch_end(self, *_: Any) -> None:
        self.ema.update(self.global_step)

    def epoch_loss(self) -> float:
        """Mean training loss of the epoch so far. Raises `RunError` where it is not finite."""
        loss = (self._loss_sum / max(1, self.global_step - self._first_step)).item()
        if not math.isfinite(loss):
            raise RunError(
                f"training.learning_rate={self.training_config.learning_rate}: the loss is not finite at step "
                f"{self.global_step}; lower the learning rate or set trainer.precision=32-true"
            )
        return loss

    def validation_step(self, patches: Tensor, batch_index: int) -> None:
        """Loss of the averaged weights on held-out normals, at fixed noise and each of the chosen timesteps."""
        for timestep in self.diffusion.validation_timesteps:
            stream = generator(self.device, self.seed, "validation", batch_index, timestep)
            noise = self.noise(patches.shape, stream)
            steps = torch.full((len(patches),), timestep, device=self.device)
            loss = self.loss(self.average, patches, noise, steps).mean()
            self.log(f"validation_loss/t{timestep}", loss, batch_size=len(patches), sync_dist=True)
            self.log("validation_loss", loss, batch_size=len(patches), prog_bar=False, sync_dist=True)

    def configure_optimizers(self) -> Any:
        training = self.training_config
        optimizer = torch.optim.AdamW(
            self.unet.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, fused=self.fused
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.learning_rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip here: Lightning refuses to before a fused step in mixed precision, which only a gradient scaler would spoil."""
        if self.fused and gradient_clip_val:
            nn.utils.clip_grad_norm_(self.unet.parameters(), gradient_clip_val)
        else:
            super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def learning_rate_factor(self, step: int) -> float:
        """Linear warm-up, then constant or half a cosine down to zero at the last step."""
        training = self.training_config
        warm_up = min(1.0, (step + 1) / (training.warmup_steps + 1))
        if training.learning_rate_schedule == "constant":
            return warm_up
        return warm_up * 0.5 * (1 + math.cos(math.pi * min(1.0, step / training.max_steps)))
