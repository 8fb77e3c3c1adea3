"""Stored results, of run directories as they are and of files of records."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from radar.errors import RunError
from radar.experiment.command import COMMAND_FILE, read_command
from radar.experiment.measures import DEFECT_COLUMNS, UNSEEN_BY, feature_columns
from radar.experiment.run_directory import RunDirectory
from radar.report.records import is_records, read_records
from radar.report.result import FORMAT, HASH_DIGITS, NORMAL_HASH_DIGITS, Command, EvaluatedImage, Result, ScoredNormals


def read_results(paths: Sequence[Path]) -> list[Result]:
    """All done runs at `paths`: run directories, files of records, or folders of either. The latest of equal fingerprints counts.

    What cannot be read of a folder or of a file of records is left out, which is said on stderr. Raises `RunError` where a
    path holds no result, and for a run directory that is named itself.
    """
    found: dict[str, Result] = {}
    left_out: list[str] = []
    for path in paths:
        errors: list[str] = []
        results: list[Result] = []
        if is_records(path):
            results, errors = read_records(path)
        elif (path / "status.json").exists():
            results = [read_run(RunDirectory(path))]
        else:
            for each in sorted(path.glob("*/status.json")):
                try:
                    if RunDirectory(each.parent).read_status().get("state") == "done":
                        results.append(read_run(RunDirectory(each.parent)))
                except (RunError, ValueError) as error:
                    errors.append(str(error))
            for each in sorted(filter(is_records, path.glob("*"))):
                records, broken = read_records(each)
                results, errors = [*results, *records], [*errors, *broken]
        if not results:
            nothing = "no done run and no record is here; give run directories, files of records, or folders of them"
            raise RunError(errors[0] if errors else f"{path}: {nothing}")
        for result in results:
            if result.fingerprint not in found or found[result.fingerprint].ended < result.ended:
                found[result.fingerprint] = result
        left_out += errors
    if left_out:
        print(f"radar: note: {len(left_out)} results left out: {'; '.join(left_out)}", file=sys.stderr)
    return sorted(found.values(), key=lambda result: (result.dataset, result.name))


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
        hashes = {row["path"]: row["content_hash"][:HASH_DIGITS] for row in csv.DictReader(file)}
    names = feature_columns(rows[0])
    test = [row for row in rows if row["split"] == "test"]
    config = _without_places(OmegaConf.to_container(OmegaConf.load(run.config)))
    return Result(
        name=run.path.name,
        fingerprint=status["fingerprint"],
        ended=status["ended"],
        command=_command(run, config.pop("preset", None)),
        config=config,
        environment=json.loads(run.environment.read_text()),
        metrics=metrics,
        scored=len(rows),
        images=tuple(_image({**row, "content_hash": hashes[row["path"]]}) for row in test),
        feature_names=names,
        features=np.array([[float(row[name]) for name in names] for row in test]).reshape(-1, len(names)),
        scores=np.array([float(row["score"]) for row in test]),
        decisions=np.array([row["decision"] == "1" for row in test]),
        normals=_normals(rows, hashes) if UNSEEN_BY in rows[0] else (),
        format=FORMAT if UNSEEN_BY in rows[0] else 1,
        directory=run.path,
    )


def _command(run: RunDirectory, preset: str | None) -> Command:
    """Of a run without `command.json`, which an older version made, the preset of its config alone is known."""
    if not (run.path / COMMAND_FILE).exists():
        return Command(preset, (), ())
    kept = read_command(run.path)
    return Command(kept.preset, kept.overrides, tuple(kept.words))


def _without_places(config: Any) -> dict[str, Any]:
    """`config` without where things lay."""
    for place in ("data_root", "output_root"):
        config.pop(place, None)
    for place in ("root", "manifest"):
        config["dataset"].pop(place, None)
    return dict(config)


def _normals(rows: Sequence[Mapping[str, str]], hashes: Mapping[str, str]) -> tuple[ScoredNormals, ...]:
    by_split = {split: [row for row in rows if row["split"] == split] for split in ("train", "validation")}
    return tuple(
        ScoredNormals(
            split,
            tuple(some[0][UNSEEN_BY].split()),
            tuple(row["group"] for row in some),
            tuple(hashes[row["path"]][:NORMAL_HASH_DIGITS] for row in some),
            np.array([float(row["score"]) for row in some]),
        )
        for split, some in by_split.items()
        if some
    )


def _image(row: Mapping[str, str]) -> EvaluatedImage:
    area, contrast = (float(row[name]) if row[name] else None for name in DEFECT_COLUMNS)
    return EvaluatedImage(
        row["path"], row["content_hash"], int(row["label"]), row["defect"], row["group"], area, contrast
    )
