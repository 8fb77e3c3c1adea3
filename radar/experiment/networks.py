"""The networks that a method is handed, by name: trained and pretrained ones, or as they are before training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from radar.errors import StoredError
from radar.experiment.context import Context, identity, save_tensors
from radar.experiment.stage import Stage
from radar.files import Plain, write_json
from radar.methods.method import Method, Networks, Training
from radar.methods.parts.denoising import DENOISER, denoiser_training
from radar.networks.untrained import awake, drawn_anew
from radar.training.checkpoints import last_checkpoint
from radar.training.fit import fit_network
from radar.training.history import Row
from radar.training.memory import built_within_memory

WEIGHTS = "network.safetensors"
_HISTORY = "history.json"
# of the trainer section: what changes the bits of a training by more than how threads share the work
_TRAINER_KEYS = ("devices", "strategy", "precision", "matmul_precision", "compile", "deterministic")


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """Averaged weights, and how the training went: a row per epoch."""

    network: nn.Module
    history: list[Row]


class LazyNetworks(Mapping[str, nn.Module]):
    """Each is made when it is first asked for, with its weights frozen, and lies on `device`."""

    def __init__(self, makers: Mapping[str, Callable[[], nn.Module]], device: torch.device) -> None:
        self._makers = makers
        self._device = device
        self._made: dict[str, nn.Module] = {}

    def __getitem__(self, name: str) -> nn.Module:
        if name not in self._made:
            self._made[name] = self._makers[name]().to(self._device).eval().requires_grad_(False)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def training_stages(
    method: Method[Any], trainings: Sequence[Training], context: Context, common: Mapping[str, Plain]
) -> dict[str, Stage[TrainedNetwork]]:
    """A stage for each training, by its name; `common` are inputs that all stages of the method have."""
    stages: dict[str, Stage[TrainedNetwork]] = {}
    for training in trainings:
        stages[training.name] = _training_stage(method, training, stages, context, common)
    return stages


def _is_shared(training: Training) -> bool:
    """Whether it is the denoiser that methods share, and no network of that name that a method builds itself."""
    return training.name == DENOISER and getattr(training.build, "__module__", "") == denoiser_training.__module__


def training_inputs(method: Method[Any], training: Training) -> dict[str, Plain]:
    """What a training depends on, beside its images, the networks that it takes, and what all stages of its method depend on."""
    trainer = asdict(method.config.trainer)
    return {
        "name": training.name,
        "method_version": None if _is_shared(training) else method.code_version,
        "network": dict(training.inputs),
        "patch": asdict(training.patch),
        "training": asdict(training.training),
        "trainer": {key: trainer[key] for key in _TRAINER_KEYS},
    }


def trained_networks(
    method: Method[Any], stages: Mapping[str, Stage[TrainedNetwork]], device: torch.device
) -> LazyNetworks:
    """The networks of these stages beside the pretrained ones."""

    def trained(name: str) -> nn.Module:
        return stages[name].value.network

    return LazyNetworks({**{name: partial(trained, name) for name in stages}, **method.pretrained}, device)


def untrained_networks(method: Method[Any], trainings: Sequence[Training], device: torch.device) -> LazyNetworks:
    """All of a method's networks with their initial weights; what is pretrained has drawn ones in place of its own."""
    builds, pretrained, seed = {each.name: each.build for each in trainings}, method.pretrained, method.config.seed

    def make(name: str) -> nn.Module:
        if name in builds:
            return awake(builds[name](networks), seed, name)
        return drawn_anew(pretrained[name](), seed, name)

    networks = LazyNetworks({name: partial(make, name) for name in (*builds, *pretrained)}, device)
    return networks


def _training_stage(
    method: Method[Any],
    training: Training,
    stages: Mapping[str, Stage[TrainedNetwork]],
    context: Context,
    common: Mapping[str, Plain],
) -> Stage[TrainedNetwork]:
    normals = context.data.normals
    inputs = {
        **common,
        **training_inputs(method, training),
        "train": identity(normals.train),
        "validation": identity(normals.validation),
    }
    parents = {name: stages[name] for name in training.parents}
    networks = trained_networks(method, parents, context.device)

    def make(part: Path) -> None:
        if not (part / _HISTORY).exists():  # else an attempt was killed after its end
            _train(method, training, networks, context, part)
        shutil.rmtree(part / "checkpoints", ignore_errors=True)

    def load(folder: Path) -> TrainedNetwork:
        network = training.build(networks)
        network.load_state_dict(load_file(folder / WEIGHTS))
        history = json.loads((folder / _HISTORY).read_text())
        return TrainedNetwork(network.to(context.device).eval().requires_grad_(False), history)

    return Stage(context.store, "network", inputs, parents, make=make, load=load)


def _train(method: Method[Any], training: Training, networks: Networks, context: Context, part: Path) -> None:
    _drop_damaged(part / "checkpoints", context)
    material = training.material(networks)
    ready = dict(networks)  # made here: below, where shapes alone are wanted, nothing has memory
    network, history = fit_network(
        built_within_memory(lambda: training.build(ready), context.device),
        material.objective,
        material.train,
        material.validation,
        has_region=material.has_region,
        patch=training.patch,
        training=training.training,
        trainer=method.config.trainer,
        seed=method.config.seed,
        checkpoints=part / "checkpoints",
        publish=context.publish if training.name == DENOISER else _unpublished,
        report=context.report,
    )
    save_tensors(part / WEIGHTS, network.state_dict())
    write_json(part / _HISTORY, history)


def _drop_damaged(checkpoints: Path, context: Context) -> None:
    """Let a training start over whose checkpoint cannot be read, and say so."""
    try:
        last_checkpoint(checkpoints)
    except StoredError as damage:
        context.store.notes.append(str(damage))
        shutil.rmtree(checkpoints, ignore_errors=True)


def _unpublished(row: Row) -> None:
    """The curves of a run are those of the shared network."""
