"""Models that were trained on one data set, scored on the test images of another. Nothing is trained or fitted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from radar.config.schema import Config, DatasetConfig, ImageConfig
from radar.data.dataset import Dataset, open_dataset
from radar.data.images import Images
from radar.data.layouts.files import FilesLayout
from radar.data.learnt_images import LearntImages
from radar.data.manifest import read_manifest
from radar.errors import DataError, RunError, StoredError
from radar.evaluation.metrics import Origin, Quality
from radar.evaluation.typed_sections import read_section
from radar.experiment.environment import origin
from radar.experiment.measures import Scored, pixel_metrics, quality
from radar.experiment.recorded_root import recorded_root
from radar.experiment.run_directory import REMEDY, RunDirectory
from radar.files import parsed, read_lines, write_lines
from radar.model import UNSEEN
from radar.model_folder import load, stored_config
from radar.progress import Report
from radar.thresholds import FITTED

RECORDS_NAME = "transfers.jsonl"  # in the folder of the runs, or of their records

_SHOWN = 3  # of the runs that a line names

Pair = tuple[str, str, str | None, str | None]
"""Fingerprint of the run whose model is asked; of the data it is asked about hashes of manifest and masks, and the layout."""


@dataclass(frozen=True)
class Transfer(Quality):
    """What the model of `source`, a run's fingerprint, is worth on the test images of another data set."""

    source: str
    source_run: str
    target_dataset: str
    target_data: str  # hash of that data's manifest
    origin: Origin  # the code that asked
    target_masks: str | None = None  # hash of that data's masks; of records that are older than it, none
    target_layout: str | None = None  # which says what its masks mark; likewise

    @property
    def pair(self) -> Pair:
        """What was asked about what."""
        return self.source, self.target_data, self.target_masks, self.target_layout


@dataclass(frozen=True, eq=False)
class DoneRun:
    """What a transfer needs to know of a run before its model is loaded."""

    directory: RunDirectory
    fingerprint: str
    config: Config
    data: str  # hash of the manifest of the data that the run read
    masks: str | None  # hash of its masks; None where the run is older than that

    @staticmethod
    def at(path: Path) -> DoneRun:
        """The done run at `path`. Raises `RunError`."""
        run = RunDirectory.at(path)
        run.read_metrics()
        config, places = stored_config(path), run.read_config().get("dataset")
        found: dict[str, Any] = (
            {key: places.get(key) for key in ("root", "manifest")} if isinstance(places, dict) else {"root": 0}
        )
        if not all(isinstance(place, str | None) for place in found.values()):
            raise StoredError(f"{run.config}: does not say where the images lay; {REMEDY}")
        if isinstance(root := found["root"], str) and not Path(root).is_absolute():
            try:
                found["root"] = str(recorded_root(run.path, root, read_manifest(run.manifest)) or root)
            except DataError as error:
                raise StoredError(str(error)) from None
        environment = run.read_environment()
        data, masks = str(environment["data_manifest_hash"]), environment.get("data_masks_hash")
        dataset = replace(config.dataset, **found)
        return DoneRun(
            run,
            run.read_status().fingerprint,
            replace(config, dataset=dataset),
            data,
            None if masks is None else str(masks),
        )

    def learnt_images(self) -> LearntImages:
        """What its network, densities and threshold come from."""
        return LearntImages.of(read_manifest(self.directory.manifest), self.config.dataset.layout)


def pairs(runs: Sequence[DoneRun], known: Set[Pair]) -> Iterator[tuple[DatasetConfig, DoneRun, list[DoneRun]]]:
    """Each data set of `runs`, as models want it, with a run that read it and the runs on other sets that are to be asked about it.

    Models that want their images alike share an opened data set, whose files have the resolution that its own runs tell. What is
    `known` is left out.
    """
    targets = {(run.data, run.masks, run.config.dataset.layout): run for run in reversed(runs)}
    images = {repr(run.config.dataset.image): run.config.dataset.image for run in runs}
    for wanted in images.values():
        sources = [run for run in runs if run.config.dataset.image == wanted]
        for data, target in targets.items():
            of_old = (*data[:2], None)  # whose records do not tell the layout
            asked = [
                run
                for run in sources
                if run.data != target.data and known.isdisjoint({(run.fingerprint, *data), (run.fingerprint, *of_old)})
            ]
            if asked:
                yield (
                    replace(target.config.dataset, image=_of_files(wanted, target.config.dataset.image)),
                    target,
                    asked,
                )


def _of_files(wanted: ImageConfig, target: ImageConfig) -> ImageConfig:
    """Images as a model `wanted` them, of files of the resolution that the `target`'s have, where its runs tell one."""
    told = None not in (wanted.file_resolution, target.file_resolution)
    return replace(wanted, file_resolution=target.file_resolution) if told else wanted


def transfers(
    runs: Sequence[DoneRun],
    known: Set[Pair],
    device: torch.device,
    report: Report,
    left_out: Callable[[str], None],
    *,
    not_asked: Callable[[str], None],
) -> Iterator[Transfer]:
    """One record for each run and each data set of another: metrics of that set's test images at the threshold that the run fitted,
    whatever was calibrated since.

    A model is not asked about images that it was fitted on: data sets with some of them in their test split are left out, of which
    `not_asked` is told in a line for each set. `left_out` is told, in a line each, which sets cannot be read, or are no longer those
    that the other run read, and which models cannot be asked about one.
    """
    for wanted, target, sources in pairs(runs, known):
        try:
            dataset = _as_read(wanted, target, report)
            loaded = dataset.load(dataset.split("test"), report)
        except (DataError, RunError) as error:
            left_out(str(error))
            continue
        done = set[str]()
        fitted = [source for source in sources if _shows(dataset, loaded, source.learnt_images())]
        if fitted:
            not_asked(_seen_before(fitted, dataset.name, target))
        for source in (each for each in sources if each not in fitted):
            if source.fingerprint in done:  # an equal run in another folder
                continue
            try:
                record = _transfer(source, target, dataset, loaded, device)
            except (DataError, RunError) as error:
                left_out(f"{source.directory.path.name} on {dataset.name}: {error}")
                continue
            done.add(source.fingerprint)
            yield record


def _shows(dataset: Dataset, test: Images, learnt: LearntImages) -> bool:
    """Whether an image of a test split was learnt from, or is a part of one that was, or holds such a part."""
    if learnt.identities & set(test.identities):
        return True
    layout = dataset.layout
    if not isinstance(layout, FilesLayout):  # whose images are no files, and no crops of any
        return False
    return any(learnt.shown_in(layout.folder / sample.path, layout.files) for sample in test.samples)


def _seen_before(fitted: Sequence[DoneRun], name: str, target: DoneRun) -> str:
    """Why the models of these runs are not asked about a data set."""
    names = [run.directory.path.name for run in fitted]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        f"{', '.join(names[:_SHOWN])}{more} on {name}, as {target.directory.path.name} read it: fitted on some of its test images, "
        "which would flatter them"
    )


def _as_read(wanted: DatasetConfig, target: DoneRun, report: Report) -> Dataset:
    """The data set that `target` read. Raises `DataError` where its images or their masks are others now."""
    dataset = open_dataset(wanted, report)
    what = "images" if dataset.manifest_hash != target.data else "masks"
    if what == "images" or target.masks not in (None, dataset.masks_hash):
        raise DataError(
            f"{wanted.name}: the {what} are no longer those that its run read; run it again and transfer from that run"
        )
    return dataset


@torch.inference_mode()
def _transfer(source: DoneRun, target: DoneRun, dataset: Dataset, loaded: Images, device: torch.device) -> Transfer:
    model, evaluation = load(source.directory.path, str(device)).at(FITTED), source.config.evaluation
    scores = model.score(loaded)
    pixel = None
    if evaluation.pixel:
        pixel = pixel_metrics(dataset, loaded, scores.anomaly_maps, evaluation.aupro_limit)
    return Transfer(
        **vars(quality(Scored(loaded, scores, UNSEEN), pixel)),
        source=source.fingerprint,
        source_run=source.directory.path.name,
        target_dataset=dataset.name,
        target_data=target.data,
        origin=read_section(Origin, origin(), "origin"),
        target_masks=target.masks,
        target_layout=target.config.dataset.layout,
    )


def read_transfers(path: Path) -> list[Transfer]:
    """The records in `path`; none where it is absent. Raises `RunError` where one cannot be read."""
    try:
        lines = enumerate(read_lines(path), 1)
        found = [read_section(Transfer, parsed(line), f"line {number}: transfer") for number, line in lines]
        first: dict[Pair, Transfer] = {}
        for each in found:
            same = first.setdefault(each.pair, each)
            if (same.image, same.features, same.defects, same.pixel) != (
                each.image,
                each.features,
                each.defects,
                each.pixel,
            ):
                raise ValueError(f"two records of {each.source_run} on {each.target_dataset} that differ")
        return found
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: not records of transfers ({error}); write them anew with radar transfer") from None


def write_transfers(path: Path, records: Sequence[Transfer]) -> None:
    """Write `records` a line each, whole or not at all, compressed where the name ends in .xz."""
    write_lines(path, [json.dumps(asdict(each), sort_keys=True, allow_nan=False) for each in records])
