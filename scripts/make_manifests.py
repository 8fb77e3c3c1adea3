"""Make the split manifests that come with radar anew from the public data: `python scripts/make_manifests.py --data-root DIR`."""

from __future__ import annotations

import argparse
from pathlib import Path

from radar.config.schema import DatasetConfig
from radar.data.hashes import content_hashes
from radar.data.layouts import LAYOUTS, layout_of
from radar.data.manifest import write_manifest
from radar.data.near_duplicates import ThumbnailVectors
from radar.data.sample import Sample
from radar.data.split_manifests import MANIFESTS, SplitManifest, split_manifests
from radar.data.split_rules import split_entries

_MEGAPIXELS = 250  # far above any file of the public sets


def make(manifest: SplitManifest, data_root: Path) -> tuple[Sample, ...]:
    """The split by its rule alone, whatever the manifest says."""
    config = _config(manifest, data_root)
    layout = layout_of(config)
    entries = layout.entries()
    hashes = content_hashes(layout, [entry.path for entry in entries], None)
    return split_entries(entries, config, hashes, ThumbnailVectors(layout, None))


def _config(manifest: SplitManifest, data_root: Path) -> DatasetConfig:
    """What a split depends on; the rest of the config is left out."""
    kind = LAYOUTS.get(manifest.layout).Settings
    return DatasetConfig(
        name=manifest.name,
        layout=manifest.layout,
        root=str(data_root / manifest.folder),
        category=manifest.category,
        split=manifest.split,
        manifest=None,
        megapixels=_MEGAPIXELS,
        split_seed=manifest.split_seed,
        validation_fraction=manifest.validation_fraction,
        test_fraction=manifest.test_fraction,
        settings=None if kind is None or manifest.settings is None else kind(**manifest.settings),
    )


def main() -> None:
    """Write every manifest of the index."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, required=True, help="folder that holds mvtec_ad, magnetic_tile, …")
    parser.add_argument("--out", type=Path, help="folder to write to; the package's own if not given")
    arguments = parser.parse_args()
    for manifest in split_manifests():
        samples = make(manifest, arguments.data_root)
        write_manifest(samples, (arguments.out or MANIFESTS) / manifest.path.name)
        counts = {split: sum(sample.split == split for sample in samples) for split in ("train", "validation", "test")}
        print(manifest.name, counts)


if __name__ == "__main__":
    main()
