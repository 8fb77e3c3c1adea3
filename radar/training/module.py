"""The one LightningModule: optimiser, learning rate, clipping, averaged weights; what is learnt is its objective's."""

from __future__ import annotations

import math
from typing import Generic, TypeVar

import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from radar.config.schema import TrainerConfig, TrainingConfig
from radar.errors import RunError
from radar.seeds import StepClock, stream_seed
from radar.training.ema import ExponentialAverage
from radar.training.objective import Forward, Objective

Network = TypeVar("Network", bound=nn.Module)


class TrainingModule(lightning.LightningModule, Generic[Network]):
    """Trains `network` on crops `(B, C, p, p)` for `objective`; `average` is what scoring uses afterwards."""

    def __init__(
        self, network: Network, objective: Objective, *, training: TrainingConfig, trainer: TrainerConfig, seed: int
    ) -> None:
        super().__init__()
        self.network = network
        self.objective = objective
        self.training_config = training
        self.trainer_config = trainer
        self.seed = seed
        self.fused = trainer.precision != "16-mixed"  # a fused step would undo the gradient scaling after the clipping
        self.forward_pass: Forward = network.forward
        self.drops_out = objective.training_mode and any(
            isinstance(layer, nn.Dropout) and layer.p > 0 for layer in network.modules()
        )
        self.ema = ExponentialAverage(network, decay=training.ema_decay)
        self.average = self.ema.average  # a submodule, so that it moves, is stored and is restored with the rest
        self._loss_sum = torch.zeros(())
        self._first_step = 0
        self.train()

    def setup(self, stage: str) -> None:
        torch.set_float32_matmul_precision(
            self.trainer_config.matmul_precision
        )  # a spawned process has torch's default
        if self.objective.compiles and self.trainer_config.compile != "none":
            # here, because a compiled function cannot be sent to a process; and the function alone, because a compiled
            # module would be stored beside the plain one
            self.forward_pass = torch.compile(self.network.forward, mode=self.trainer_config.compile)

    def on_fit_start(self) -> None:
        for network in self.objective.frozen:
            network.to(self.device)

    def train(self, mode: bool = True) -> TrainingModule[Network]:
        """Leave the average, and a network that learns as it scores, in evaluation mode."""
        super().train(mode)
        self.network.train(mode and self.objective.training_mode)
        self.average.eval()
        return self

    def clock(self, batch: int) -> StepClock:
        """Where training stands at batch number `batch`."""
        world_size = 1 if self._trainer is None else int(self._trainer.world_size)
        return StepClock(self.seed, self.global_step, batch, self.global_rank, world_size, self.device)

    def training_step(self, crops: Tensor, batch_index: int) -> Tensor:
        clock = self.clock(batch_index)
        if self.drops_out:  # layers of that kind draw from torch's global generator
            torch.manual_seed(stream_seed(self.seed, "training", "dropout", clock.rank, clock.step))
        loss = self.objective.training_loss(self.forward_pass, crops, clock)
        self._loss_sum += loss.detach()
        return loss

    def validation_step(self, crops: Tensor, batch_index: int) -> None:
        losses = self.objective.validation_losses(self.average, crops, self.clock(batch_index))
        for name, values in losses.items():
            for value in values.reshape(-1):
                self.log(name, value, batch_size=len(crops), sync_dist=True)

    def on_train_epoch_start(self) -> None:
        self._loss_sum = torch.zeros((), device=self.device)
        self._first_step = self.global_step

    def on_train_batch_end(self, *_: object) -> None:
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

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        training = self.training_config
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, fused=self.fused
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
            nn.utils.clip_grad_norm_(self.network.parameters(), gradient_clip_val)
        else:
            super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def learning_rate_factor(self, step: int) -> float:
        """Linear warm-up, then constant or half a cosine down to zero at the last step."""
        training = self.training_config
        warm_up = min(1.0, (step + 1) / (training.warmup_steps + 1))
        if training.learning_rate_schedule == "constant":
            return warm_up
        return warm_up * 0.5 * (1 + math.cos(math.pi * min(1.0, step / training.max_steps)))
