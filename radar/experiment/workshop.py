"""What the jobs of one process share: the artefact store, and the images of the dataset that was opened last."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from radar.config.schema import Config
from radar.data.dataset import Dataset, open_dataset
from radar.data.images import Images
from radar.data.sample import SPLITS, Split
from radar.errors import DataError
from radar.experiment.artefacts import ArtefactStore
from radar.experiment.environment import origin
from radar.methods.interface import ImageSet
from radar.progress import Report

CACHE_FOLDER = "cache"  # below output_root: the artefact store


@dataclass(frozen=True)
class OpenData:
    """A checked dataset with all its images in memory."""

    dataset: Dataset
    loaded: dict[Split, Images]
    sets: dict[Split, ImageSet]


class Workshop:
    """Made once per process and handed to each of its experiments.

    With `afresh`, the name of a command, what other commands stored is made again; None: what is stored is used.
    """

    def __init__(self, *, afresh: str | None) -> None:
        self.afresh = afresh
        self.threads = torch.get_num_threads()  # torch's own choice, for jobs that leave it to torch
        self._stores: dict[str, ArtefactStore] = {}
        self._opened: tuple[str, OpenData] | None = None

    def store(self, config: Config) -> ArtefactStore:
        """The artefact store below `output_root`."""
        root = config.output_root
        if root not in self._stores:
            self._stores[root] = ArtefactStore(Path(root) / CACHE_FOLDER, self.afresh, origin())
        return self._stores[root]

    def open(self, config: Config, report: Report) -> OpenData:
        """The images of `config.dataset`, and a look at every mask, so that bad data fails before training starts."""
        wanted = json.dumps(asdict(config.dataset), sort_keys=True)
        if self._opened is None or self._opened[0] != wanted:
            self._opened = None  # before the next one is loaded, not beside it
            self._opened = (wanted, _opened(config, report))
        return self._opened[1]


def _opened(config: Config, report: Report) -> OpenData:
    dataset = open_dataset(config.dataset, report)
    _check_splits(dataset)
    loaded = {split: dataset.load(dataset.split(split), report) for split in SPLITS}
    for sample in dataset.split("test"):
        if sample.mask is not None:
            dataset.mask(sample)
    sets = {
        split: ImageSet(
            images.network_planes,
            images.identities,
            groups=images.groups,
            chroma=images.planes[:, 1:].contiguous() if images.plane_names[0] == "luma" else None,
        )
        for split, images in loaded.items()
    }
    return OpenData(dataset, loaded, sets)


def _check_splits(dataset: Dataset) -> None:
    for split, least in (("train", 2), ("validation", 2), ("test", 1)):
        found = len(dataset.split(split))  # type: ignore[arg-type]
        if found < least:
            raise DataError(
                f"{dataset.name}: {found} {split} images, and at least {least} are needed; add images, raise "
                "dataset.validation_fraction or dataset.test_fraction, or name them in dataset.manifest"
            )
