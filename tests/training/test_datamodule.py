"""Training batches are a function of (seed, step): not of processes, workers, the first step or the place of the stack."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from network_builders import trainer_config, training_config
from torch.utils.data import DataLoader

from radar.config.schema import PatchConfig
from radar.rasters import Rasters
from radar.seeds import generator
from radar.training.crops import PatchSampler
from radar.training.datamodule import CropStream, PatchDataModule

IMAGES = torch.rand(5, 1, 12, 12, generator=torch.Generator().manual_seed(0))
HELD_OUT = torch.rand(3, 1, 12, 12, generator=torch.Generator().manual_seed(1))


def crop_stream(
    first: int, last: int, *, seed: int = 0, batch: int = 3, rank: int = 0, world_size: int = 1
) -> CropStream:
    sampler = PatchSampler(Rasters.of(IMAGES), size=5, flips=True, rotations=True)
    return CropStream(sampler, batch=batch, first=first, last=last, seed=seed, rank=rank, world_size=world_size)


def test_batch_n_is_the_same_whatever_the_first_step():
    whole = list(crop_stream(0, 9))
    assert len(whole) == 9
    for first in (1, 4, 8):
        for expected, batch in zip(whole[first:], crop_stream(first, 9), strict=True):
            assert torch.equal(batch, expected)
    assert not torch.equal(whole[0], whole[1])


def test_another_seed_has_other_batches():
    assert not any(torch.equal(a, b) for a, b in zip(crop_stream(0, 4), crop_stream(0, 4, seed=1), strict=True))


def test_two_processes_draw_what_one_draws_with_twice_the_batch():
    shares = [list(crop_stream(0, 4, rank=rank, world_size=2)) for rank in (0, 1)]
    for alone, *parts in zip(crop_stream(0, 4, batch=6), *shares, strict=True):
        assert torch.equal(torch.cat(parts), alone)


def test_batches_come_from_the_documented_stream():
    (batch,) = crop_stream(7, 8, seed=3)
    assert torch.equal(batch, crop_stream(0, 1).sampler.draw(3, generator("cpu", 3, "crops", 0, 7)))


@pytest.mark.parametrize(("workers", "last"), [(1, 7), (2, 12), (2, 7)], ids=["one", "even", "uneven"])
def test_workers_keep_batches_and_order(workers, last):
    served = list(DataLoader(crop_stream(2, last), batch_size=None, num_workers=workers))
    for expected, batch in zip(crop_stream(2, last), served, strict=True):
        assert torch.equal(batch, expected)


def data_module(*, step: int = 0, rank: int = 0, stack: str = "auto", workers: int = 0, **training) -> PatchDataModule:
    trainer = trainer_config(stack=stack, workers=workers)
    patch = PatchConfig(size=5, flips=True, rotations=False)
    module = PatchDataModule(
        Rasters.of(IMAGES),
        Rasters.of(HELD_OUT),
        patch=patch,
        training=training_config(**training),
        trainer=trainer,
        seed=0,
    )
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    module.trainer = SimpleNamespace(strategy=strategy, global_step=step, global_rank=rank, world_size=2)
    return module


def test_a_host_stack_with_workers_serves_the_batches_of_a_device_stack():
    on_device = list(data_module(stack="device", workers=2).train_dataloader())
    host = data_module(stack="host", workers=2).train_dataloader()
    assert host.num_workers == 2
    assert len(on_device) == 10
    for expected, batch in zip(on_device, host, strict=True):
        assert torch.equal(batch, expected)


@pytest.mark.parametrize(("step", "batches"), [(0, 10), (40, 10), (96, 4), (100, 0)], ids=str)
def test_an_epoch_starts_at_the_current_step_and_ends_with_training(step, batches):
    served = list(data_module(step=step).train_dataloader())
    assert len(served) == batches
    whole = list(data_module(epoch_steps=100).train_dataloader())
    for expected, batch in zip(whole[step:], served, strict=False):
        assert torch.equal(batch, expected)


def test_ranks_have_their_own_batches():
    first, second = (next(iter(data_module(rank=rank).train_dataloader())) for rank in (0, 1))
    assert not torch.equal(first, second)


def test_training_crops_come_from_training_images_alone():
    batch = torch.cat(list(data_module().train_dataloader()))
    assert torch.isin(batch, IMAGES).all() and not torch.isin(batch, HELD_OUT).any()


def test_validation_crops_are_fixed_and_held_out():
    first = list(data_module().val_dataloader())
    assert [len(batch) for batch in first] == [6]  # whatever the training batch
    again = list(data_module(step=50, rank=1, stack="host").val_dataloader())
    for expected, batch in zip(first, again, strict=True):
        assert torch.equal(batch, expected)
    assert torch.isin(torch.cat(first), HELD_OUT).all()
    assert first[0].shape[1:] == (1, 5, 5)
