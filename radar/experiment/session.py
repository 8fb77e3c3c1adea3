"""What the jobs of one process share: the artefact store, and the images of the data set that was opened last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from radar.config.schema import Config
from radar.data.dataset import Dataset, open_dataset
from radar.data.images import Images
from radar.data.preprocessing import is_outside, looked_at
from radar.data.sample import SPLITS, Split
from radar.data.working_size import chosen_size
from radar.errors import DataError
from radar.experiment.artefact_store import ArtefactStore
from radar.experiment.environment import origin
from radar.methods.method import Normals
from radar.progress import Report

CACHE_FOLDER = "cache"  # below output_root: the artefact store
_LEAST: dict[Split, int] = {"train": 2, "validation": 2, "test": 1}  # images


@dataclass(frozen=True)
class OpenData:
    """A checked data set with all its images in memory."""

    dataset: Dataset
    images: dict[Split, Images]
    notes: tuple[str, ...] = ()  # one-line remarks on what was read

    @property
    def normals(self) -> Normals:
        """All that a method may learn from."""
        return Normals(self.images["train"], self.images["validation"])


class Session:
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
    dataset, wanted = open_dataset(config.dataset, report), config.dataset.image.working_size
    for split, least in _LEAST.items():
        found = len(dataset.split(split))
        if found < least:
            change = "lower" if split == "train" else "raise"
            raise DataError(
                f"{dataset.name}: {found} {split} images, and at least {least} are needed; add images, {change} "
                "dataset.validation_fraction or dataset.test_fraction, or name them in dataset.manifest"
            )
    if wanted is not None:
        chosen = chosen_size(dataset, wanted, report)
        dataset = replace(dataset, image=chosen.image, notes=(*dataset.notes, chosen.note))
    images = {split: dataset.load(dataset.split(split), report) for split in SPLITS}
    return OpenData(
        dataset, images, (*_mask_notes(dataset), *_outside_notes(dataset, images["test"]), *dataset.read_notes())
    )


def _outside_notes(dataset: Dataset, test: Images) -> Iterator[str]:
    """A remark on defective test images that show no defect where one is looked for: they keep their label."""
    if dataset.image.region_of_interest is None and dataset.image.aspect != "crop":  # then all of every photo is
        return
    found = []
    for index, sample in enumerate(test.samples):
        if sample.masked and is_outside(dataset.whole_mask(sample), test.inside(index), test.frames[index]):
            found.append(sample.path)
    if found:
        yield f"{len(found)} defects lie wholly outside {looked_at(dataset.image)}, first {found[0]}: these images count as defective"


def _mask_notes(dataset: Dataset) -> Iterator[str]:
    """A look at every mask of a test image, and a remark on those that mark nothing or everything."""
    odd: dict[str, list[str]] = {"nothing": [], "the whole image": []}
    for sample in dataset.split("test"):
        if sample.mask is not None:
            mask = dataset.whole_mask(sample)
            if sample.masked and not mask.any():
                odd["nothing"].append(sample.mask)
            elif mask.all():
                odd["the whole image"].append(sample.mask)
    yield from (f"{len(masks)} masks mark {what}, first {masks[0]}" for what, masks in odd.items() if masks)
