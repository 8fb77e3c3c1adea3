"""The folder of a fitted model: written whole, read without executing anything."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

import radar
from radar.config.plain import plain
from radar.config.schema import Config
from radar.errors import ConfigError, DataError, RadarError, RunError
from radar.files import Plain, folder_held, make_folder, read_bytes, read_json, write_atomically, write_json, write_text
from radar.methods.key_rules import check
from radar.methods.method import fill
from radar.methods.registry import method_of, typed_config
from radar.model import Calibration, Model
from radar.model_card import card, with_change
from radar.plugins import own_code
from radar.runtime.paths import given_path
from radar.runtime.terminal import brief
from radar.scoring.detector import detector_from_arrays
from radar.scoring.map_levels import MapLevels
from radar.thresholds import FITTED, Threshold, Thresholds, finite, read_thresholds
from radar.training.device import named_device

FORMAT = 4  # of the model folder; raised when an older reader could not read it, or would score otherwise
FOLDER = "model"  # below a run directory
_TENSORS, _FACTS, _CARD = "model.safetensors", "model.json", "README.md"
_PLACES = ("data_root", "output_root")  # where things lay, beside dataset.root and dataset.manifest
_STATUS, _SHOWN = "status.json", 12  # of a run beside its model; digits of a fingerprint
_REMEDY = "copy the model again, or run the experiment again with --force"


def save(model: Model, folder: Path, images: Mapping[str, int]) -> None:
    """Write the model's folder; its JSON, which names the tensors' checksum, last but for later versions of the threshold.

    `images` counts what the model was fitted and tested on, for its card: `model_card.COUNTS` are its keys.
    """
    make_folder(folder)
    arrays = {f"detector.{name}": torch.from_numpy(np.array(value)) for name, value in model.detector.arrays().items()}
    learnt = {f"method.{name}": value.contiguous().cpu() for name, value in model.method.state_dict().items()}
    normals = {
        f"calibration.{name}": torch.from_numpy(getattr(model.calibration, name)) for name in ("scores", "map_tops")
    }
    content, fitted = save_tensors({**learnt, **arrays, **normals}), model.thresholds.named(FITTED)
    facts: dict[str, Plain] = {
        "format": FORMAT,
        "radar": radar.__version__,
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "images": dict(images),
        "fingerprint": model.fingerprint,
        "config": _without_places(model.config),
        "method_code": _method_code(model.config),
        "structure": model.method.structure(),
        "point_names": list(model.method.point_names),
        "made": fitted.made,
        "threshold": fitted.value,
        "map_levels": fitted.map_levels._asdict(),
        "calibration": {
            "images": len(model.calibration.scores),
            "unseen_by": list(model.calibration.unseen_by),
            "false_alarms": model.calibration.false_alarms,
        },
        "tensors_sha256": hashlib.sha256(content).hexdigest(),
    }
    write_atomically(folder / _TENSORS, lambda file: file.write(content))
    write_text(folder / _CARD, card(model.config, facts))
    write_json(folder / _FACTS, facts)
    if len(model.thresholds.versions) > 1:
        _store_thresholds(folder, model)


def load(run_or_folder: str | Path, device: str = "cpu") -> Model:
    """The model of a run directory, or of a model's folder, on `device`; reading it executes nothing. Raises `RunError`."""
    folder = model_folder(_given_folder(run_or_folder))
    facts = _facts(folder)
    _refuse_foreign(folder, str(facts.get("fingerprint")))
    content = _content(folder, str(facts.get("tensors_sha256")))
    try:
        stored = load_tensors(content)
        config = _config(facts)
        if facts.get("method_code", now := _method_code(config)) != now:  # a model of old does not tell
            raise RunError(
                f"method {config.method.name} has changed since the model was fitted, and may score otherwise than its threshold was "
                "taken from; run the experiment again, or take the file that it was fitted with"
            )
        fitted = method_of(config).empty(_mapping(facts, "structure"))
        fill(fitted, _part(stored, "method."))
        detector = detector_from_arrays({name: value.numpy() for name, value in _part(stored, "detector.").items()})
        calibration = _calibration(_mapping(facts, "calibration"), stored)
        first, fingerprint = _fitted_threshold(facts, calibration), str(facts["fingerprint"])
    except ConfigError as error:
        raise RunError(f"{folder / _FACTS}: {error}") from None
    except RunError as error:
        raise RunError(f"{folder}: {error}") from None
    except (
        LookupError,
        ValueError,
        TypeError,
        ArithmeticError,
        AttributeError,
        RuntimeError,
        SafetensorError,
    ) as error:
        raise _unreadable(folder, error) from None
    fitted = fitted.to(named_device(device)).eval().requires_grad_(False)
    return Model(config, fitted, detector, calibration, read_thresholds(folder, first, fingerprint), fingerprint)


def _given_folder(given: object) -> Path:
    """The folder that a program names. Raises `RunError` for what is no path."""
    try:
        return given_path(given)
    except DataError as error:
        raise RunError(str(error)) from None


def with_stored_thresholds(run_or_folder: str | Path, model: Model) -> Model:
    """`model` with the versions that lie beside it now, as another process may have added some. Raises `RunError`."""
    folder, fitted = model_folder(Path(run_or_folder)), model.thresholds.named(FITTED)
    return replace(model, thresholds=read_thresholds(folder, fitted, model.fingerprint))


def change_thresholds(
    run_or_folder: str | Path, model: Model, change: Callable[[Thresholds], Thresholds]
) -> tuple[Thresholds, Thresholds]:
    """Let `change` make others of the versions that lie beside a model now, and leave them there; those before, and those of now.

    Whoever else stores one waits meanwhile, so none is lost (`folder_held`). The model's card says which one decides from now on; the
    rest stays as it is. Raises `RunError` where the folder holds another model, or cannot be read or written, and what `change`
    raises: then nothing has changed.
    """
    folder = model_folder(Path(run_or_folder))
    with folder_held(folder):
        stored = with_stored_thresholds(folder, model)
        changed = replace(stored, thresholds=change(stored.thresholds))
        _store_thresholds(folder, changed)
    return stored.thresholds, changed.thresholds


def _store_thresholds(folder: Path, model: Model) -> None:
    """Leave the versions of a model's threshold in its folder, in place of those that lie there."""
    found = str(_facts(folder).get("fingerprint"))
    if found != model.fingerprint:
        raise RunError(
            f"{folder}: holds the model {found[:12]}, not {model.fingerprint[:12]}; name the folder of that one"
        )
    model.thresholds.write(folder, model.fingerprint)
    try:
        text = read_bytes(folder / _CARD, "").decode()
    except (
        FileNotFoundError,
        RunError,
        UnicodeDecodeError,
    ):  # it is for people alone, who may have removed or rewritten it
        text = ""
    for version in model.thresholds.versions[1:]:
        if version is not model.thresholds.current and f"`{version.name}`" not in text:
            text = with_change(text, version, version.made)  # whoever stored it was killed before it came to the card
    write_text(folder / _CARD, with_change(text, model.thresholds.current))


def stored_config(run_or_folder: str | Path) -> Config:
    """The config that a stored model was fitted with; its tensors are not read. Raises `RunError`."""
    folder = model_folder(Path(run_or_folder))
    try:
        return _config(_facts(folder))
    except ConfigError as error:
        raise RunError(f"{folder / _FACTS}: {error}") from None
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _unreadable(folder, error) from None


def fitted_promise(run_or_folder: str | Path) -> float | None:
    """What share of normal images the fitted threshold promises to call anomalous at most, or `None`; tensors are not read.

    Raises `RunError`.
    """
    folder = model_folder(Path(run_or_folder))
    try:
        return _promise(_mapping(_facts(folder), "calibration"))
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise _unreadable(folder, error) from None


def _config(facts: Mapping[str, Plain]) -> Config:
    values = _mapping(facts, "config")
    if "${" in json.dumps(values):  # a stored config is resolved; reading one that is not would run resolvers
        raise ValueError("its config holds interpolations")
    config = typed_config({**values, **dict.fromkeys(_PLACES, "")})
    try:
        check(config)  # whoever reads it relies on what no run is started without
    except ConfigError as error:
        raise ConfigError(f"{error}; {_REMEDY}") from None
    return config


def _without_places(config: Config) -> dict[str, Plain]:
    """The config as plain values, without where things lay."""
    dataset = replace(config.dataset, root=None, manifest=None)
    return {key: value for key, value in plain(replace(config, dataset=dataset)).items() if key not in _PLACES}


def model_folder(path: Path) -> Path:
    """The model's folder of a run directory, or itself. Raises `RunError` where there is none."""
    try:
        for folder in (path / FOLDER, path):
            if (folder / _FACTS).is_file():
                return folder
        is_folder = path.is_dir()
    except OSError as error:  # a name that is too long, or a folder that nobody may look into
        raise RunError(
            f"{brief(path)}: cannot be read ({error.strerror}); name a run directory or a model's folder"
        ) from None
    if not is_folder:
        raise RunError(f"{path}: no such folder; name a run directory or a model's folder")
    raise RunError(
        f"{path}: holds no model ({FOLDER}/{_FACTS}); name a run's folder here, and photos after it; or finish that run, or run it "
        "again where an older radar made it"
    )


def _facts(folder: Path) -> Mapping[str, Plain]:
    try:
        facts = read_json(folder / _FACTS, _REMEDY)
    except FileNotFoundError as error:
        raise _unreadable(folder, error) from None
    if not isinstance(facts.get("format"), int):
        raise RunError(f"{folder / _FACTS}: is not the description of a model; run the experiment again")
    if facts["format"] != FORMAT:
        newer = "update radar" if facts["format"] > FORMAT else "run the experiment again with this radar"
        raise RunError(f"{folder}: a model of format {facts['format']}, and this radar reads format {FORMAT}; {newer}")
    return facts


def _refuse_foreign(folder: Path, fingerprint: str) -> None:
    """Raise `RunError` for another run's model in a run's folder: what lies beside it, as which images were learnt from, is not its
    own. A model's folder alone, and a run that does not say who it is, are taken as they are.
    """
    try:
        run = read_json(folder.parent / _STATUS, _REMEDY).get("fingerprint") if folder.name == FOLDER else None
    except (OSError, RadarError):
        return
    if isinstance(run, str) and run not in ("", fingerprint):
        raise RunError(
            f"{folder}: is the model of another run ({fingerprint[:_SHOWN]}, and its folder is of {run[:_SHOWN]}); copy a "
            "run's folder as a whole, or a model's alone"
        )


def _content(folder: Path, checksum: str) -> bytes:
    try:
        content = read_bytes(folder / _TENSORS, _REMEDY, largest=math.inf)
    except FileNotFoundError as error:
        raise _unreadable(folder, error) from None
    if hashlib.sha256(content).hexdigest() != checksum:
        raise RunError(
            f"{folder / _TENSORS}: is damaged (its checksum differs); copy it again, or run the experiment again"
        )
    return content


def _mapping(facts: Mapping[str, Plain], key: str) -> dict[str, Plain]:
    value = facts[key]
    if not isinstance(value, dict):
        raise ValueError(f"{key} is not a mapping")
    return value


def _part(stored: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)}


def _calibration(facts: Mapping[str, Plain], stored: Mapping[str, Tensor]) -> Calibration:
    unseen_by, promised = facts["unseen_by"], _promise(facts)
    if not isinstance(unseen_by, list):
        raise ValueError("calibration.unseen_by is not a list")
    scores, tops = (stored[f"calibration.{name}"].numpy() for name in ("scores", "map_tops"))
    return Calibration(scores, tops, tuple(str(each) for each in unseen_by), promised)


def _method_code(config: Config) -> Plain:
    """Version and file of a method from outside this package; None of a built-in one, of which `FORMAT` tells."""
    method = method_of(config)
    return None if own_code(type(method)) is None else method.code_version


def _promise(calibration: Mapping[str, Plain]) -> float | None:
    """Raises `ValueError` where it is no share."""
    told = calibration["false_alarms"]
    rate = None if told is None else finite(told)
    if rate is not None and not 0 < rate <= 1:
        raise ValueError(f"calibration.false_alarms={rate} is no share")
    return rate


def _fitted_threshold(facts: Mapping[str, Plain], calibration: Calibration) -> Threshold:
    faint, strong = (finite(_mapping(facts, "map_levels")[name]) for name in MapLevels._fields)
    value, levels, made = finite(facts["threshold"]), MapLevels(faint, strong), str(facts["made"])
    return Threshold(FITTED, value, levels, "fit", "", made, calibration.false_alarms, calibration.scores, None)


def _unreadable(folder: Path, error: Exception) -> RunError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return RunError(f"{folder}: cannot be read as a model ({reason}); run the experiment again with --force")
