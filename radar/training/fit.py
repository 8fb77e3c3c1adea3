"""The fit stage: a Lightning trainer around the diffusion module, resumed from its last checkpoint where there is one."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch import Tensor, nn

from radar.config.schema import Config
from radar.errors import ConfigError, Interrupted, RunError
from radar.files import write_atomically
from radar.networks.build import NoisePredictor, build_schedule, build_unet
from radar.progress import Report
from radar.training.datamodule import PatchDataModule
from radar.training.module import DiffusionModule

Row = dict[str, float]
_PROGRESS_STEPS = 10  # a report per step would cost more than it tells


def resolve_device(config: Config) -> torch.device:
    """The device that trains and scores. Raises `ConfigError` where `trainer.accelerator=gpu` finds none."""
    available = torch.cuda.is_available()
    if config.trainer.accelerator == "gpu" and not available:
        raise ConfigError("trainer.accelerator=gpu: no GPU is available; use trainer=cpu or trainer=auto")
    if config.trainer.precision == "16-mixed" and not available:
        raise ConfigError("trainer.precision=16-mixed: needs a GPU; use trainer.precision=bf16-mixed or 32-true")
    return torch.device("cuda" if available and config.trainer.accelerator != "cpu" else "cpu")


class History(Callback):
    """One row per epoch: step, losses, learning rate. Its rows travel in the checkpoint, so a resumed run has all of them."""

    def __init__(self, publish: Callable[[Row], None]) -> None:
        self.rows: list[Row] = []
        self.publish = publish

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, DiffusionModule)
        if self.rows and self.rows[-1]["step"] == trainer.global_step:
            return  # a resumed trainer ends the epoch of its checkpoint once more
        row = {"step": float(trainer.global_step), "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"])}
        row["train_loss"] = pl_module.epoch_loss()
        row |= {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        self.rows.append(row)
        self.publish(row)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]
        for row in self.rows:  # to a dashboard that begins anew
            self.publish(row)


class StepReport(Callback):
    """Tells a progress report how far training is."""

    def __init__(self, report: Report, steps: int) -> None:
        self.report = report
        self.steps = steps

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.global_step % _PROGRESS_STEPS == 0 or trainer.global_step == self.steps:
            self.report(trainer.global_step, self.steps, "Training")


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes beside the checkpoint and renames: Lightning's own way passes through $TMPDIR, from where a move may be a copy."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(Path(path), lambda file: torch.save(checkpoint, file))


def _quiet_lightning() -> None:
    """Silence what Lightning says about choices that this project has made on purpose."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (".*does not have many workers.*", ".*number of training batches.*", ".*Checkpoint directory.*",
                    ".*IterableDataset.*", ".*in eval mode.*", ".*LeafSpec.*"):  # fmt: skip
        warnings.filterwarnings("ignore", message=message)


def _trainer(config: Config, device: torch.device, checkpoints: Path, callbacks: list[Callback]) -> lightning.Trainer:
    training, trainer = config.training, config.trainer
    # saved after History has its row: Lightning runs checkpoint callbacks last
    saving = ModelCheckpoint(
        checkpoints,
        filename="last",
        save_top_k=1,
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    return lightning.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=trainer.devices,
        # spawned, so that this process alone holds the run directory, and scores
        strategy="ddp_spawn" if trainer.strategy == "ddp" else trainer.strategy,
        precision=trainer.precision,  # type: ignore[arg-type]
        max_steps=training.max_steps,
        max_epochs=-1,
        gradient_clip_val=training.gradient_clip or None,
        deterministic=trainer.deterministic,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        logger=False,
        callbacks=[*callbacks, saving],
        plugins=[AtomicCheckpoints()],
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


def train_network(
    config: Config,
    train: Tensor,
    validation: Tensor,
    *,
    checkpoints: Path,
    publish: Callable[[Row], None],
    report: Report,
    module: Callable[..., DiffusionModule] = DiffusionModule,
) -> tuple[NoisePredictor, list[Row]]:
    """Train the network of `config` on normals `(N, C, H, W)`; returns its average on the training device, and the history.

    An interrupted training goes on from `checkpoints/last.ckpt` and ends at the weights of an uninterrupted one.
    """
    unet = build_unet(config.unet, patch_size=config.patch.size, image_channels=train.shape[1], seed=config.seed)
    average, rows = fit_network(
        unet, config, train, validation, checkpoints=checkpoints, publish=publish, report=report, module=module
    )
    return average, rows  # type: ignore[return-value]


def fit_network(
    network: nn.Module,
    config: Config,
    train: Tensor,
    validation: Tensor,
    *,
    checkpoints: Path,
    publish: Callable[[Row], None],
    report: Report,
    followers: Sequence[Callback] = (),
    module: Callable[..., DiffusionModule] = DiffusionModule,
) -> tuple[nn.Module, list[Row]]:
    """Train any network that maps `(B, C, p, p)` and timesteps `(B,)` to noise, as `train_network` does.

    `followers` are called beside the trainer's own callbacks; a `module` of another kind teaches the network something else.
    """
    _quiet_lightning()
    device = resolve_device(config)
    learner = module(
        network,
        build_schedule(config.diffusion),
        diffusion=config.diffusion,
        training=config.training,
        seed=config.seed,
        fused=config.trainer.precision != "16-mixed",  # a fused step would undo the gradient scaling after the clipping
        matmul_precision=config.trainer.matmul_precision,
        compile_mode=None if config.trainer.compile == "none" else config.trainer.compile,
    )
    data = PatchDataModule(
        train, validation, patch=config.patch, training=config.training, trainer=config.trainer, seed=config.seed
    )
    spawned = config.trainer.strategy == "ddp"  # then neither a dashboard nor a progress bar can follow
    history = History(_drop if spawned else publish)
    callbacks: list[Callback] = [history, *followers]
    if not spawned:
        callbacks.append(StepReport(report, config.training.max_steps))
    last = checkpoints / "last.ckpt"
    trainer = _trainer(config, device, checkpoints, callbacks)
    try:
        trainer.fit(learner, data, ckpt_path=_sound(last), weights_only=True)
    except SIGTERMException:  # Lightning makes every signal an exit: SIGTERM without a code, Ctrl-C with code 1
        raise Interrupted(128 + signal.SIGTERM) from None
    except SystemExit:
        raise Interrupted(128 + signal.SIGINT) from None
    if spawned:
        history.publish = publish
        history.load_state_dict(torch.load(last, map_location="cpu", weights_only=True)["callbacks"][history.state_key])
    return learner.average.to(device), history.rows


def _sound(checkpoint: Path) -> str | None:
    """The checkpoint to go on from, if there is one. Raises `RunError` where it cannot be read."""
    if not checkpoint.exists():
        return None
    try:
        torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"{checkpoint}: cannot be read ({reason}); start over with --force") from None
    return str(checkpoint)


def _drop(row: Row) -> None:
    """Publish nothing: a function of the module, so that it can be sent to another process."""
