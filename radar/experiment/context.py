"""Where the stages of an experiment are made, from what, and how they name and keep it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from radar.data.images import Images
from radar.experiment.artefact_store import ArtefactStore
from radar.experiment.session import OpenData
from radar.files import write_atomically
from radar.progress import Report
from radar.training.history import Row


@dataclass(frozen=True)
class Context:
    """Where the stages of an experiment are made, and from what."""

    store: ArtefactStore
    data: OpenData
    device: torch.device
    report: Report
    publish: Callable[[Row], None]  # the training curve of the shared network


def save_tensors(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write the tensors of a `state_dict`, whole or not at all."""
    tensors = {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()}
    write_atomically(path, lambda file: file.write(save(tensors)))


def identity(images: Images) -> str:
    """One hash for many content hashes in their order."""
    return digest(images.identities)


def digest(names: Sequence[str]) -> str:
    """One hash for names in their order."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
