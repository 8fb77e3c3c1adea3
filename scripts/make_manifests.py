"""Make the committed split manifests anew from the public data: `python scripts/make_manifests.py --data-root DIR`."""

from __future__ import annotations

import argparse
from pathlib import Path

from radar.config.schema import DatasetConfig
from radar.data.manifest import write_manifest
from radar.data.sample import Sample
from radar.data.sources import Vectors, content_hashes, open_source
from radar.data.split_manifests import MANIFESTS, Committed, committed_index
from radar.data.splits import split_entries


def make(committed: Committed, data_root: Path) -> tuple[Sample, ...]:
    """The split by its rule alone, whatever the committed manifest says."""
    config = _config(committed, data_root)
    source = open_source(config)
    entries = source.entries()
    hashes = content_hashes(source, [entry.path for entry in entries], None)
    return split_entries(entries, config, hashes, Vectors(source, None))


def _config(committed: Committed, data_root: Path) -> DatasetConfig:
    """What a split depends on; the rest of the config is left out."""
    return DatasetConfig(
        name=committed.name,
        layout=committed.layout,
        root=str(data_root / committed.folder),
        category=committed.category,
        split=committed.split,
        manifest=None,
        split_seed=committed.split_seed,
        validation_fraction=committed.validation_fraction,
        test_fraction=committed.test_fraction,
    )


def main() -> None:
    """Write every manifest of the index."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, required=True, help="folder that holds mvtec_ad, magnetic_tile, …")
    parser.add_argument("--out", type=Path, help="folder to write to; the committed one if not given")
    arguments = parser.parse_args()
    for committed in committed_index():
        samples = make(committed, arguments.data_root)
        write_manifest(samples, (arguments.out or MANIFESTS) / committed.path.name)
        counts = {split: sum(sample.split == split for sample in samples) for split in ("train", "validation", "test")}
        print(committed.name, counts)


if __name__ == "__main__":
    main()
