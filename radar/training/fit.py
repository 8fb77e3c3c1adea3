"""Training of one network: a Lightning trainer around `TrainingModule`, resumed from its last checkpoint where there is one."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar, cast

import pytorch_lightning as lightning
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch import nn

from radar.config.schema import PatchConfig, TrainerConfig, TrainingConfig
from radar.errors import Interrupted, RunError
from radar.memory import is_out_of_memory
from radar.progress import Report
from radar.rasters import Rasters
from radar.training.checkpoints import AtomicCheckpoints, checkpoint_every_epoch, last_checkpoint, read_checkpoint
from radar.training.datamodule import PatchDataModule
from radar.training.device import resolve_device
from radar.training.history import History, Row, StepReport
from radar.training.memory import ADVICE, check_step, step_key
from radar.training.module import TrainingModule
from radar.training.objective import Objective

Network = TypeVar("Network", bound=nn.Module)
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


def fit_network(
    network: Network,
    objective: Objective,
    train: Rasters,
    validation: Rasters,
    *,
    has_region: bool = False,
    patch: PatchConfig,
    training: TrainingConfig,
    trainer: TrainerConfig,
    seed: int,
    checkpoints: Path,
    publish: Callable[[Row], None],
    report: Report,
    followers: Sequence[Callback] = (),
) -> tuple[Network, list[Row]]:
    """Teach `network` the `objective` on crops of normals `(C, H, W)` in [−1, 1] of any sizes; with `has_region`, a further plane of
    these says where crops are drawn.

    Returns its averaged weights on the training device, and the history, of which `publish` is told row by row. An interrupted
    training goes on from the folder `checkpoints` and ends at the weights of an uninterrupted one. `followers` are called beside
    the trainer's own callbacks. Raises `ConfigError` without the device asked for, `RunError` where the loss is not finite or the
    checkpoint cannot be read, `Interrupted` at a signal.
    """
    device = resolve_device(trainer)
    learner = TrainingModule(network, objective, training=training, trainer=trainer, seed=seed)
    data = PatchDataModule(
        train, validation, has_region=has_region, patch=patch, training=training, trainer=trainer, seed=seed
    )
    spawned = trainer.strategy == "ddp"  # then neither a dashboard nor a progress bar can follow
    history = History(_drop if spawned else publish)
    callbacks = [history, *followers]
    if not spawned:
        callbacks.append(StepReport(report, training.max_steps))
        crop = data.train_images[0][None, :, : patch.size, : patch.size]
        check_step(learner.to(device), crop.to(device), patch, training)
    _quiet_lightning()
    loop = build_trainer(training, trainer, device, [*callbacks, checkpoint_every_epoch(checkpoints)])
    try:
        loop.fit(learner, data, ckpt_path=last_checkpoint(checkpoints), weights_only=True)
    except SIGTERMException:  # Lightning makes every signal an exit: SIGTERM without a code, Ctrl-C with code 1
        raise Interrupted(128 + signal.SIGTERM) from None
    except SystemExit:
        raise Interrupted(128 + signal.SIGINT) from None
    except Exception as error:
        if is_out_of_memory(error):
            raise RunError(f"{step_key(patch, training)}: out of memory; {ADVICE}") from None
        raise
    finished = last_checkpoint(checkpoints)
    if spawned and finished is not None:
        history.publish = publish
        history.load_state_dict(read_checkpoint(finished)["callbacks"][history.state_key])
    return learner.average.to(device), history.rows


def build_trainer(
    training: TrainingConfig, trainer: TrainerConfig, device: torch.device, callbacks: list[Callback]
) -> lightning.Trainer:
    """Lightning's trainer for these sections of the config."""
    return lightning.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=trainer.devices,
        # spawned, so that this process alone holds the run directory, and scores
        strategy="ddp_spawn" if trainer.strategy == "ddp" else trainer.strategy,
        precision=cast(Precision, trainer.precision),
        max_steps=training.max_steps,
        max_epochs=-1,
        gradient_clip_val=training.gradient_clip or None,
        deterministic=trainer.deterministic,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        logger=False,
        callbacks=callbacks,
        plugins=[AtomicCheckpoints(), LightningEnvironment()],  # a scheduler's variables start no processes
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


def _quiet_lightning() -> None:
    """Silence what Lightning says about choices that this project has made on purpose."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (".*does not have many workers.*", ".*number of training batches.*", ".*Checkpoint directory.*",
                    ".*IterableDataset.*", ".*in eval mode.*", ".*LeafSpec.*"):  # fmt: skip
        warnings.filterwarnings("ignore", message=message)


def _drop(row: Row) -> None:
    """Publish nothing: a function of the module, so that it can be sent to another process."""
