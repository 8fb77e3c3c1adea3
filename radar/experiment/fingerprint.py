"""Fingerprints: the hash of exactly what a result depends on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from radar.config.schema import Config

# of an experiment and of each of its stages; raised when the same config and data would give another result
VERSIONS = {
    "experiment": 1, "network": 2, "density": 1, "noise_maps": 3, "features": 1, "pixel_metrics": 1, "noise_statistics": 1,
    "data_measures": 1, "fusion": 2,
}  # fmt: skip

# Keys that say where things lie, how they are called and what is drawn, but not what is computed.
_WITHOUT_EFFECT = (
    "name", "output_root", "data_root", "preset", "tags", "logger", "dataset.name",
    "dataset.root", "dataset.manifest", "trainer.progress",
    "trainer.workers", "trainer.stack", "trainer.stack_memory_fraction",
)  # fmt: skip


def _without_effect_removed(tree: dict[str, Any]) -> dict[str, Any]:
    for key in _WITHOUT_EFFECT:
        *parents, leaf = key.split(".")
        branch = tree
        for parent in parents:
            branch = branch[parent]
        del branch[leaf]
    return tree


def fingerprint(config: Config, content_hash: str) -> str:
    """40 hexadecimal digits for an experiment on the data of `content_hash`."""
    content = {"versions": VERSIONS, "config": _without_effect_removed(asdict(config)), "data": content_hash}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:40]
