"""Stored results: run directories as they are, and compact records of them that a repository can hold."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf

from radar.errors import RunError
from radar.evaluation.metrics import Metrics
from radar.experiment.results import DEFECT_COLUMNS
from radar.experiment.run_directory import RunDirectory
from radar.files import write_text
from radar.scoring.features import FEATURE_NAMES

Floats = NDArray[np.float64]
IMAGES_FOLDER = "images"  # below the folder of the records: what runs on the same test images share
IMAGE_COLUMNS = ("path", "content_hash", "label", "defect", "group", *DEFECT_COLUMNS)
_DIGITS = 16  # of a content hash, in those tables
_SIGNIFICANT = 7  # digits of scores and features in records
_ANY_ORDER = {"sort_keys": True, "separators": (",", ":"), "allow_nan": False}


@dataclass(frozen=True)
class TestImage:
    """One test image, whatever the method."""

    __test__ = False  # no test case of pytest
    path: str
    content_hash: str
    label: int
    defect: str
    group: str
    defect_area: float | None
    defect_contrast: float | None


@dataclass(frozen=True, eq=False)
class Result:
    """One done run: what it was, what it measured, and what it said of every test image (in the order of `images`)."""

    name: str
    fingerprint: str
    ended: str
    config: dict[str, Any]
    environment: dict[str, Any]
    metrics: Metrics
    scored: int  # images of all splits
    images: tuple[TestImage, ...]
    features: Floats  # (N, 2)
    scores: Floats  # (N,)
    decisions: NDArray[np.bool_]  # (N,)
    directory: Path | None  # None for a record

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return str(self.config["dataset"]["name"])

    @property
    def seed(self) -> int:
        """Of the experiment."""
        return int(self.config["seed"])

    @cached_property
    def labels(self) -> NDArray[np.int_]:
        """(N,) 0 / 1."""
        return np.array([image.label for image in self.images])

    @property
    def groups(self) -> list[str]:
        """(N,)"""
        return [image.group for image in self.images]

    @property
    def data(self) -> str:
        """Hash of the manifest of all the data that the run read."""
        return str(self.environment["data_manifest_hash"])

    @cached_property
    def test_data(self) -> str:
        """Digits that are equal for equal test images, labels, defects and groups, however those were measured."""
        told = [(each.path, each.content_hash, each.label, each.defect, each.group) for each in self.images]
        return _digits(json.dumps(told))


def read_results(paths: Sequence[Path]) -> list[Result]:
    """All done runs at `paths`: run directories, records, or folders of either. The latest of equal fingerprints counts.

    Runs and records below a folder that cannot be read are left out, which is said on stderr. Raises `RunError` where a path
    holds none, and for a run or a record that is named itself.
    """
    found: dict[str, Result] = {}
    left_out: list[RunError] = []
    for path in paths:
        some = _read(path, left_out)
        if not some:
            raise RunError(
                f"{path}: no done run and no record is here; give run directories, records, or folders of them"
            )
        for result in some:
            if result.fingerprint not in found or found[result.fingerprint].ended < result.ended:
                found[result.fingerprint] = result
    if left_out:
        print(f"radar: note: {len(left_out)} runs left out: {'; '.join(map(str, left_out))}", file=sys.stderr)
    return sorted(found.values(), key=lambda result: (result.dataset, result.name))


def _read(path: Path, left_out: list[RunError]) -> list[Result]:
    """Results at `path`; why others below it are none joins `left_out`. Raises `RunError` where nothing else is there."""
    if path.suffix == ".json" and path.is_file():
        return [read_record(path)]
    if (path / "status.json").exists():
        return [read_run(RunDirectory(path))]
    results, errors = [], []
    for each in _below(path):
        try:
            results.append(read_record(each) if each.is_file() else read_run(RunDirectory(each)))
        except RunError as error:
            errors.append(error)
    if errors and not results:
        raise errors[0]
    left_out += errors
    return results


def _below(folder: Path) -> Iterator[Path]:
    """Directories of done runs, and records."""
    for status in sorted(folder.glob("*/status.json")):
        if RunDirectory(status.parent).read_status().get("state") == "done":
            yield status.parent
    yield from sorted(folder.glob("*.json"))


def read_run(run: RunDirectory) -> Result:
    """The result that a run directory holds. Raises `RunError` where the run is not done, incomplete or older than this report."""
    try:
        return _whole_run(run)
    except (KeyError, ValueError, IndexError, OSError) as error:
        raise RunError(f"{run.path}: not a whole run ({error!r}); run it again with --force") from None


def _whole_run(run: RunDirectory) -> Result:
    metrics, status = run.read_metrics(), run.read_status()
    with run.scores.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with run.manifest.open(newline="") as file:
        hashes = {row["path"]: row["content_hash"][:_DIGITS] for row in csv.DictReader(file)}
    if not set(DEFECT_COLUMNS) <= rows[0].keys():
        raise RunError(f"{run.path}: made before runs kept what reports read; run it again with --force")
    test = [row for row in rows if row["split"] == "test"]
    return Result(
        name=run.path.name,
        fingerprint=status["fingerprint"],
        ended=status["ended"],
        config=_without_places(OmegaConf.to_container(OmegaConf.load(run.config))),
        environment=json.loads(run.environment.read_text()),
        metrics=metrics,
        scored=len(rows),
        images=tuple(_image({**row, "content_hash": hashes[row["path"]]}) for row in test),
        features=np.array([[float(row[name]) for name in FEATURE_NAMES] for row in test]).reshape(
            -1, len(FEATURE_NAMES)
        ),
        scores=np.array([float(row["score"]) for row in test]),
        decisions=np.array([row["decision"] == "1" for row in test]),
        directory=run.path,
    )


def _without_places(config: Any) -> dict[str, Any]:
    """`config` without where things lay."""
    for place in ("data_root", "output_root"):
        config.pop(place, None)
    for place in ("root", "manifest"):
        config["dataset"].pop(place, None)
    return dict(config)


def write_record(folder: Path, result: Result) -> Path:
    """Write `folder/NAME.json`, and the table of its test images where no other record has brought it; returns the record."""
    (folder / IMAGES_FOLDER).mkdir(parents=True, exist_ok=True)
    shown = _images_text(result.images)
    images = folder / IMAGES_FOLDER / f"{_digits(shown)}.csv"
    if not images.exists():
        write_text(images, shown)
    content = {
        "fingerprint": result.fingerprint,
        "ended": result.ended,
        "config": result.config,
        "environment": result.environment,
        "metrics": result.metrics.to_dict(),
        "scored": result.scored,
        "images": images.stem,
        "scores": _rounded(result.scores),
        "decisions": "".join(str(int(decision)) for decision in result.decisions),
        "features": {name: _rounded(column) for name, column in zip(FEATURE_NAMES, result.features.T, strict=True)},
    }
    record = folder / f"{result.name}.json"
    write_text(record, json.dumps(content, **_ANY_ORDER) + "\n")  # type: ignore[arg-type]
    return record


def read_record(path: Path) -> Result:
    """The inverse of `write_record`. Raises `RunError` where the file is no record or its table of images is missing."""
    try:
        content = json.loads(path.read_text())
        images = path.parent / IMAGES_FOLDER / f"{content['images']}.csv"
        with images.open(newline="") as file:
            rows = tuple(_image(row) for row in csv.DictReader(file))
        return Result(
            name=path.stem,
            **{key: content[key] for key in ("fingerprint", "ended", "config", "environment", "scored")},
            metrics=Metrics.from_dict(_today(content["metrics"])),
            images=rows,
            features=np.array([content["features"][name] for name in FEATURE_NAMES], dtype=np.float64).T,
            scores=np.array(content["scores"], dtype=np.float64),
            decisions=np.array([digit == "1" for digit in content["decisions"]]),
            directory=None,
        )
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise RunError(f"{path}: not a record of a run ({error}); write it with scripts/record_runs.py") from None


def _today(metrics: dict[str, Any]) -> dict[str, Any]:
    """Metrics of committed records as they are laid out now."""
    if "separation" in metrics:
        return metrics
    noise = dict(metrics["noise"])
    return {**metrics, "separation": noise.pop("features"), "noise": noise}


def write_records(folder: Path, results: Iterable[Result]) -> list[Path]:
    """Write a record of each result."""
    return [write_record(folder, result) for result in results]


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _rounded(values: Floats) -> list[float]:
    return [float(f"{value:.{_SIGNIFICANT}g}") for value in values]


def _images_text(images: Sequence[TestImage]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(IMAGE_COLUMNS)
    for image in images:
        measures = ["" if value is None else f"{value:.5g}" for value in (image.defect_area, image.defect_contrast)]
        writer.writerow([image.path, image.content_hash, image.label, image.defect, image.group, *measures])
    return buffer.getvalue()


def _image(row: dict[str, str]) -> TestImage:
    area, contrast = (float(row[name]) if row[name] else None for name in DEFECT_COLUMNS)
    return TestImage(row["path"], row["content_hash"], int(row["label"]), row["defect"], row["group"], area, contrast)
