"""The checkpoint from which an interrupted training goes on: written whole or not at all, read without executing anything.

Before what torch writes stands its SHA-256, which is looked at whenever a checkpoint is read: torch looks at none.
"""

from __future__ import annotations

import hashlib
import io
import math
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from radar.errors import RunError, StoredError
from radar.files import make_folder, unreadable, write_atomically
from radar.runtime.files import check_is_file

_NAME = "last"
_DIGEST_BYTES = hashlib.sha256().digest_size


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes beside the checkpoint and renames: Lightning's own way passes through $TMPDIR, from where a move may be a copy."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        content = io.BytesIO()
        torch.save(checkpoint, content)
        digest = hashlib.sha256(content.getbuffer()).digest()
        make_folder(Path(path).parent)
        write_atomically(Path(path), lambda file: (file.write(digest), file.write(content.getbuffer())))

    def load_checkpoint(
        self, path: str | Path, map_location: object = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return read_checkpoint(Path(path))


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
    """The checkpoint to go on from, if there is one. Raises `StoredError` where it cannot be read."""
    path = folder / f"{_NAME}.ckpt"
    if not path.exists():
        return None
    read_checkpoint(path)
    return path


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content on the host. Raises `StoredError` where it is damaged, `RunError` where it is not to be had."""
    remedy = "the training starts over"
    try:
        check_is_file(path, largest=math.inf)
        stored = memoryview(path.read_bytes())
    except (FileNotFoundError, ValueError) as error:
        raise unreadable(path, error, remedy) from None
    except (OSError, MemoryError) as error:  # which may pass, so that what was trained is not given up
        raise RunError(
            f"{path}: cannot be read ({error}); try again, or remove it to start the training over"
        ) from None
    try:
        digest, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != digest:
            raise ValueError("it is damaged, its checksum differs")
        values: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except StoredError:
        raise
    except Exception as error:  # which one torch raises for what it did not write depends on what it is
        raise unreadable(path, error, remedy) from None
    return values
