"""The LightningDataModule: batches of crops for training, a fixed set of crops of held-out normals for validation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytorch_lightning as lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from radar.config.schema import PatchConfig, TrainerConfig, TrainingConfig
from radar.rasters import Rasters
from radar.seeds import generator
from radar.training.crops import PatchSampler, Windows, windows_inside

_VALIDATION_BATCH = 64  # of whatever training: losses of trainings with other batches compare


class CropStream(IterableDataset[Tensor]):
    """The training batches of steps `first`, `first` + 1, … `last` − 1; batch n is a function of (seed, n) alone.

    Of `world_size` processes, each draws the crops of all and keeps its share: together they see what one would.
    """

    def __init__(
        self, sampler: PatchSampler, *, batch: int, first: int, last: int, seed: int, rank: int, world_size: int
    ) -> None:
        super().__init__()
        self.sampler = sampler
        self.batch = batch
        self.steps = range(first, last)
        self.seed = seed
        self.share = slice(rank * batch, (rank + 1) * batch)
        self.world_size = world_size

    def __iter__(self) -> Iterator[Tensor]:
        worker = get_worker_info()
        steps = self.steps if worker is None else self.steps[worker.id :: worker.num_workers]
        for step in steps:
            yield self.sampler.draw(self.batch * self.world_size, generator("cpu", self.seed, "crops", 0, step))[
                self.share
            ]


class PatchDataModule(lightning.LightningDataModule):
    """Serves crops of `train` and `validation`, images `(C, H, W)` in [−1, 1] of any sizes.

    They lie on the training device where it fits into `trainer.stack_memory_fraction` of the free memory, and
    stays on the host, with `trainer.workers` processes that crop ahead, where it does not. With `has_region` the images have a
    further plane, their region of interest, and no crop is drawn that lies mostly outside.
    """

    def __init__(
        self,
        train: Rasters,
        validation: Rasters,
        *,
        has_region: bool = False,
        patch: PatchConfig,
        training: TrainingConfig,
        trainer: TrainerConfig,
        seed: int,
    ) -> None:
        super().__init__()
        self.train_images, self._train_windows = _parted(train, patch.size, has_region)
        self.validation_images, self._validation_windows = _parted(validation, patch.size, has_region)
        self.patch = patch
        self.training_config = training
        self.trainer_config = trainer
        self.seed = seed
        self._on_device: Rasters | None = None

    def _sampler(self, images: Rasters) -> PatchSampler:
        flips, rotations = self.patch.flips, self.patch.rotations
        return PatchSampler(images, size=self.patch.size, flips=flips, rotations=rotations, windows=self._train_windows)

    def _fits(self, device: torch.device) -> bool:
        if self.trainer_config.stack != "auto":
            return self.trainer_config.stack == "device"
        if device.type != "cuda":
            return True
        free, _ = torch.cuda.mem_get_info(device)
        return self.train_images.values.nbytes <= self.trainer_config.stack_memory_fraction * free

    def train_dataloader(self) -> DataLoader[Tensor]:
        """One epoch from the trainer's current step on; Lightning asks again before every epoch."""
        trainer = self.trainer
        if trainer is None:
            raise RuntimeError("training batches depend on the step of a trainer, and this module has none")
        device = trainer.strategy.root_device
        on_device = self._fits(device)
        images = self.train_images
        if on_device:
            self._on_device = images = images.to(device) if self._on_device is None else self._on_device
        first = trainer.global_step
        stream = CropStream(
            self._sampler(images),
            batch=self.training_config.batch_size,
            first=first,
            last=min(first + self.training_config.epoch_steps, self.training_config.max_steps),
            seed=self.seed,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
        )
        workers = 0 if on_device else self.trainer_config.workers
        return DataLoader(
            stream, batch_size=None, num_workers=workers, pin_memory=not on_device and device.type == "cuda"
        )

    def val_dataloader(self) -> DataLoader[Tensor]:
        """The same crops of held-out normals at every validation, in batches of one size, which decide their noise."""
        stream = generator("cpu", self.seed, "validation", "crops")
        sampler = PatchSampler(
            self.validation_images,
            size=self.patch.size,
            flips=False,
            rotations=False,
            windows=self._validation_windows,
        )
        crops = sampler.draw(self.training_config.validation_patches, stream)
        batches = cast(Dataset[Tensor], torch.split(crops, _VALIDATION_BATCH))  # a sequence is all that a loader needs
        return DataLoader(batches, batch_size=None)


def _parted(images: Rasters, size: int, has_region: bool) -> tuple[Rasters, Windows | None]:
    """Images without the plane of their region, and the windows that lie mostly inside."""
    if not has_region:
        return images, None
    return images.first(images.channels - 1), windows_inside(images, size)
