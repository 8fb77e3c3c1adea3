"""A model of good photos alone, as `radar` trains it, for the scripts that ask it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import radar
from radar.errors import RunError
from radar.model import Model


def trained_on(folder: Path, outputs: Path, *words: str) -> Model:
    """The model of an experiment, by its overrides, on the photos in `good` below a folder. Raises `RunError`."""
    told = [
        *words, "dataset=folder", f"dataset.root={folder}", "dataset.folder.normal=good", "dataset.folder.anomalous=null",
        "dataset.split=random", "dataset.near_duplicates=ignore", "method.controls=[]", "trainer.progress=false", "logger=csv",
        "evaluation.figures=false", f"output_root={outputs}",
    ]  # fmt: skip
    ended = subprocess.run([sys.executable, "-m", "radar", *told], text=True, capture_output=True, check=False)
    if ended.returncode:
        raise RunError(f"{folder}: exit code {ended.returncode}: {ended.stderr.strip()[-300:]}")
    (facts,) = outputs.glob("*/model/model.json")
    return radar.load(facts.parent.parent)
