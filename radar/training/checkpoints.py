"""The checkpoint from which an interrupted training goes on: written whole or not at all, read without executing anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from radar.errors import RunError
from radar.files import write_atomically

_NAME = "last"


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes beside the checkpoint and renames: Lightning's own way passes through $TMPDIR, from where a move may be a copy."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(Path(path), lambda file: torch.save(checkpoint, file))


def checkpoint_every_epoch(folder: Path) -> ModelCheckpoint:
    """The callback that keeps one checkpoint in `folder`, the latest; Lightning calls it after all others."""
    return ModelCheckpoint(
        folder,
        filename=_NAME,
        save_top_k=1,
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def last_checkpoint(folder: Path) -> Path | None:
    """The checkpoint to go on from, if there is one. Raises `RunError` where it cannot be read."""
    path = folder / f"{_NAME}.ckpt"
    if not path.exists():
        return None
    read_checkpoint(path)
    return path


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content on the host. Raises `RunError`."""
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # which one a damaged file raises depends on where it is damaged
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"{path}: cannot be read ({reason}); start over with --force") from None
    return content
