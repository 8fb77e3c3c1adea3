"""What a training tells while it runs: the rows of its history, and how far it is."""

from __future__ import annotations

from collections.abc import Callable

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import Callback

from radar.progress import Report
from radar.training.module import TrainingModule

Row = dict[str, float]
_PROGRESS_STEPS = 10  # a report per step would cost more than it tells


class History(Callback):
    """One row per epoch: step, losses, learning rate. Its rows travel in the checkpoint, so a resumed run has all of them."""

    def __init__(self, publish: Callable[[Row], None]) -> None:
        self.rows: list[Row] = []
        self.publish = publish

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not isinstance(pl_module, TrainingModule):
            return  # another one's epochs have no loss of ours
        if self.rows and self.rows[-1]["step"] == trainer.global_step:
            return  # a resumed trainer ends the epoch of its checkpoint once more
        row = {"step": float(trainer.global_step), "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"])}
        row["train_loss"] = pl_module.epoch_loss()
        row |= {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        self.rows.append(row)
        self.publish(row)

    def state_dict(self) -> dict[str, list[Row]]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, list[Row]]) -> None:
        self.rows = state_dict["rows"]
        for row in self.rows:  # to a dashboard that begins anew
            self.publish(row)


class StepReport(Callback):
    """Tells a progress report how far training is."""

    def __init__(self, report: Report, steps: int) -> None:
        self.report = report
        self.steps = steps

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        if trainer.global_step % _PROGRESS_STEPS == 0 or trainer.global_step == self.steps:
            self.report(trainer.global_step, self.steps, "Training")
