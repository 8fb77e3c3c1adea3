"""`radar export`: a run's model as a graph for ONNX Runtime or OpenVINO, which runs without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from radar.cli.exit_codes import DONE
from radar.compose.settings import refuse_unread, verb_settings
from radar.config.verbs import PredictConfig
from radar.data.preprocessing import preprocessing_of
from radar.deploy.export import export as write
from radar.deploy.parity import parity
from radar.errors import ConfigError, DataError, RunError
from radar.files import writing
from radar.model import Model
from radar.model_folder import load
from radar.runtime.crops import file_and_crop
from radar.runtime.drawn_pictures import TOLERANCE
from radar.runtime.exported import load as load_exported
from radar.runtime.manifest import SEAL, TARGETS
from radar.runtime.options import Parser
from radar.runtime.paths import image_files, named_path, note_on_passed_over
from radar.runtime.terminal import say, tell


def export(arguments: Sequence[str]) -> int:
    """Run `radar export`; returns the exit code."""
    parser = Parser(
        "radar export", description="Write a run's model as one graph from image to map, points, score and decision."
    )
    parser.add_argument("run", type=named_path, help="run directory, or a model's folder")
    parser.add_argument("--to", choices=TARGETS, required=True, help="what shall run it")
    parser.add_argument("--out", type=named_path, metavar="FOLDER", help="where to; without it, beside the model")
    parser.add_argument(
        "--threshold", metavar="NAME", help="version of the threshold that it holds; without it, the current one"
    )
    parser.add_argument(
        "--verify", metavar="FOLDER", help="photos about which the model and what was exported are asked side by side"
    )
    parser.add_argument(
        "settings", nargs="*", metavar="KEY=VALUE", help="of conf/predict, with which photos are to be asked about"
    )
    parsed = parser.parse_intermixed_args(arguments)
    settings = verb_settings(PredictConfig, "predict", parsed.settings)
    refuse_unread(parsed.settings, dict.fromkeys(("device", "threads"), "what is exported"))
    folder = parsed.out or parsed.run / f"export_{parsed.to}"
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--out {folder}: is no folder; name another one")
    photos = None if parsed.verify is None else _photos(parsed.verify)  # before the work
    if parsed.verify is not None and (note := note_on_passed_over([parsed.verify])):
        tell(note)
    model = load(parsed.run)
    if parsed.threshold is not None:
        model = model.at(parsed.threshold)
    written = write(model, folder, parsed.to, settings)
    fixed, current = written.size.fixed, model.thresholds.current
    brought = preprocessing_of(model.config.dataset.image).fixed
    if fixed is not None:
        taken = f"{fixed[1]} × {fixed[0]} px alone, as {written.size.reason}"
    elif brought is not None:
        taken = f"photos of any size, each brought to {brought[1]} × {brought[0]} px"
    else:
        taken = f"any size from {written.size.least} px per side on"
    print(
        f"{written.folder}: threshold {current.name} ({current.value:.6g}), {taken}, any number of images; on drawn images "
        f"it differs by {written.error:.0e} from the model\n"
        f"Ask it, where radar's runtime is installed, with: radar-runtime {written.folder} PHOTOS"
    )
    if photos is not None:
        _verify(model, written.folder, photos)
    return DONE


def _photos(name: str) -> list[Path]:
    """Raises `DataError` where there is none."""
    found = list(image_files([name]))
    if missing := [path for path in found if not file_and_crop(path)[0].is_file()]:
        raise DataError(f"--verify {missing[0]}: no such file; name a folder of photos")
    return found


def _verify(model: Model, folder: Path, photos: Sequence[Path]) -> None:
    """Print how far they are apart. Raises `RunError` where that is more than rounding."""
    found = parity(model, load_exported(folder, torch.get_num_threads()), photos)
    for each in found.disagreements:
        say(
            f"{each.path}: decided otherwise, score {each.score:.6g} or {each.exported_score:.6g}, threshold {each.threshold:.6g}"
        )
    told = f"on {found.images} photos maps differ by {found.map_error:.0e} of their maximum, scores by {found.score_error:.0e}"
    if not found.holds():
        with writing(folder):
            (folder / SEAL).unlink()  # nothing opens it any more
        raise RunError(f"{folder}: {told}; more than {TOLERANCE:.0e}, or a decision is another; it was made unreadable")
    print(f"{told}, and decisions are the same" + (" but for scores at the threshold" if found.disagreements else ""))
