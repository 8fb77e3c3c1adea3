"""`radar export`: a run's model as a graph for ONNX Runtime or OpenVINO, which runs without torch."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from radar.cli.exit_codes import DONE
from radar.compose.settings import verb_settings
from radar.config.verbs import PredictConfig
from radar.deploy.export import export as write
from radar.model_folder import load
from radar.runtime.manifest import TARGETS


def export(arguments: Sequence[str]) -> int:
    """Run `radar export`; returns the exit code."""
    parser = argparse.ArgumentParser(
        "radar export", description="Write a run's model as one graph from image to map, points, score and decision."
    )
    parser.add_argument("run", type=Path, help="run directory, or a model's folder")
    parser.add_argument("--to", choices=TARGETS, required=True, help="what shall run it")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to; without it, beside the model")
    parser.add_argument(
        "--threshold", metavar="NAME", help="version of the threshold that it holds; without it, the current one"
    )
    parser.add_argument(
        "settings", nargs="*", metavar="KEY=VALUE", help="of conf/predict, with which photos are to be asked about"
    )
    parsed = parser.parse_intermixed_args(arguments)
    settings = verb_settings(PredictConfig, "predict", parsed.settings)
    model = load(parsed.run)
    if parsed.threshold is not None:
        model = model.at(parsed.threshold)
    written = write(model, parsed.out or parsed.run / f"export_{parsed.to}", parsed.to, settings)
    fixed, current = written.size.fixed, model.thresholds.current
    taken = (
        f"any size from {written.size.least} px per side on"
        if fixed is None
        else f"{fixed[1]} × {fixed[0]} px alone, as {written.size.reason}"
    )
    print(
        f"{written.folder}: threshold {current.name} ({current.value:.6g}), {taken}, any number of images; on drawn images "
        f"it differs by {written.error:.0e} from the model\n"
        f"Ask it, where radar's runtime is installed, with: radar-runtime {written.folder} PHOTOS"
    )
    return DONE
