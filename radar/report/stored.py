"""Stored results, of run directories as they are and of files of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from radar.data.manifest import read_manifest
from radar.errors import DataError, RunError, StoredError
from radar.experiment.command import COMMAND_FILE, read_command
from radar.experiment.measures import DEFECT_COLUMNS, UNSEEN_BY, feature_columns
from radar.experiment.run_directory import REMEDY, RunDirectory
from radar.report.config_check import check_border, check_config
from radar.report.deeper import told_deeper
from radar.report.records import is_records, read_records
from radar.report.result import (
    FORMAT,
    HASH_DIGITS,
    NORMAL_HASH_DIGITS,
    Command,
    EvaluatedImage,
    Result,
    ScoredNormals,
)
from radar.runtime.numbers import number, whole
from radar.runtime.terminal import tell


def read_results(paths: Sequence[Path]) -> list[Result]:
    """All done runs at `paths`: run directories, files of records, or folders of either. The latest of equal identities counts.

    What cannot be read of a folder or of a file of records is left out, and so is what lies in a folder of a folder; stderr says so.
    Raises `RunError` where a path holds no result, and for a run directory that cannot be read and is named itself.
    """
    found: dict[tuple[str, str], Result] = {}
    left_out: list[str] = []
    for path in paths:
        results, errors = _results_at(path)
        if bare := sum(not each.images for each in results):
            errors.append(f"{path}: {bare} results hold metrics and no image; record their runs with every image")
            results = [each for each in results if each.images]
        deeper = told_deeper(path, paths)
        if not results:
            nothing = "no done run and no record is here"
            remedy = deeper or "give run directories, files of records, or folders of them"
            raise RunError(errors[0] if errors else f"{path}: {nothing}; {remedy}")
        if deeper:
            tell(f"note: {path}: {deeper}")
        for result in results:
            if result.identity not in found or found[result.identity].ended < result.ended:
                found[result.identity] = result
        left_out += errors
    if left_out:
        tell(f"note: {len(left_out)} results left out: {'; '.join(left_out)}")
    return sorted(found.values(), key=lambda result: (result.dataset, result.name))


def _results_at(path: Path) -> tuple[list[Result], list[str]]:
    """Those of a run directory, a file of records or a folder of either, and a line for what cannot be read of them."""
    if is_records(path):
        return read_records(path)
    if (path / "status.json").exists():
        return [read_run(RunDirectory.at(path))], []
    results: list[Result] = []
    errors: list[str] = []
    for each in sorted(path.glob("*/status.json")):
        try:
            if RunDirectory(each.parent).read_status().state == "done":
                results.append(read_run(RunDirectory(each.parent)))
        except RunError as error:
            errors.append(str(error))
    for each in sorted(filter(is_records, path.glob("*"))):
        records, broken = read_records(each)
        results, errors = [*results, *records], [*errors, *broken]
    return results, errors


def read_run(run: RunDirectory) -> Result:
    """The result that a run directory holds. Raises `RunError` where the run is not done, damaged or older than this."""
    try:
        return _whole_run(run)
    except (KeyError, ValueError, IndexError, DataError) as error:
        raise StoredError(f"{run.path}: not a whole run ({error!r}); {REMEDY}") from None


def _whole_run(run: RunDirectory) -> Result:
    metrics, status = run.read_metrics(), run.read_status()
    columns, rows = run.read_scores()
    manifest = read_manifest(run.manifest)
    hashes = {sample.path: sample.content_hash[:HASH_DIGITS] for sample in manifest}
    names, scored = feature_columns(columns), {row["path"] for row in rows}
    test = [row for row in rows if row["split"] == "test"]
    config = _without_places(run.read_config())
    check_border(config, metrics)
    return Result(
        name=run.path.name,
        fingerprint=status.fingerprint,
        ended=status.ended,
        command=_command(run, config.pop("preset", None)),
        config=config,
        environment=run.read_environment(),
        metrics=metrics,
        scored=len(rows),
        images=tuple(_image({**row, "content_hash": hashes[row["path"]]}) for row in test),
        feature_names=names,
        features=np.array([[number(row[name]) for name in names] for row in test]).reshape(-1, len(names)),
        scores=np.array([number(row["score"]) for row in test]),
        decisions=np.array([row["decision"] == "1" for row in test]),
        normals=_normals(rows, hashes) if UNSEEN_BY in columns else (),
        unscored_normals=tuple(
            hashes[sample.path][:NORMAL_HASH_DIGITS]
            for sample in manifest
            if sample.split != "test" and sample.path not in scored
        ),
        format=FORMAT if UNSEEN_BY in columns else 1,
        directory=run.path,
    )


def _command(run: RunDirectory, preset: str | None) -> Command:
    """Of a run without `command.json`, which an older version made, the preset of its config alone is known."""
    if not (run.path / COMMAND_FILE).exists():
        return Command(preset, (), ())
    kept = read_command(run.path)
    return Command(kept.preset, kept.overrides, tuple(kept.words))


def _without_places(config: dict[str, Any]) -> dict[str, Any]:
    """`config` without where things lay. Raises `ValueError` where it is none of an experiment."""
    check_config(config)
    for place in ("data_root", "output_root"):
        config.pop(place, None)
    for place in ("root", "manifest"):
        config["dataset"].pop(place, None)
    return config


def _normals(rows: Sequence[Mapping[str, str]], hashes: Mapping[str, str]) -> tuple[ScoredNormals, ...]:
    by_split = {split: [row for row in rows if row["split"] == split] for split in ("train", "validation")}
    return tuple(
        ScoredNormals(
            split,
            tuple(some[0][UNSEEN_BY].split()),
            tuple(row["group"] for row in some),
            tuple(hashes[row["path"]][:NORMAL_HASH_DIGITS] for row in some),
            np.array([number(row["score"]) for row in some]),
            tuple(row["path"] for row in some),
        )
        for split, some in by_split.items()
        if some
    )


def _image(row: Mapping[str, str]) -> EvaluatedImage:
    area, contrast = (number(row[name]) if row[name] else None for name in DEFECT_COLUMNS)
    return EvaluatedImage(
        row["path"], row["content_hash"], whole(row["label"]), row["defect"], row["group"], area, contrast
    )
