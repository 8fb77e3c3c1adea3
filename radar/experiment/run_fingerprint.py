"""The fingerprint of an experiment: the hash of exactly what its results depend on."""

from __future__ import annotations

import hashlib
import json

from radar.config.plain import remove
from radar.config.schema import Config
from radar.experiment.stage import VERSIONS
from radar.methods.registry import method_of
from radar.methods.relevance import effective
from radar.model_folder import FORMAT

_VERSION = 3  # raised when the same config and data would give other results

# Keys that say where things lie, how they are called and what is drawn, but not what is computed.
_WITHOUT_EFFECT = (
    "name", "preset", "output_root", "data_root", "tags", "logger", "dataset.name", "dataset.root", "dataset.manifest",
    "trainer.progress", "trainer.workers", "trainer.stack", "trainer.stack_memory_fraction",
)  # fmt: skip


def fingerprint(config: Config, content_hash: str) -> str:
    """40 hexadecimal digits for an experiment on the data of `content_hash`; keys that its method does not read do not count."""
    tree = effective(config)
    for key in _WITHOUT_EFFECT:
        remove(tree, key)
    versions = [_VERSION, FORMAT, method_of(config).code_version, VERSIONS]
    content = {"versions": versions, "config": tree, "data": content_hash}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:40]
