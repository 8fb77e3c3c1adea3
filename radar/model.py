"""A fitted model: one thing that can be saved, loaded and asked, complete without the images that it was fitted on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

import radar
from radar.config.plain import plain
from radar.config.schema import Config
from radar.data.file_reader import FileReader
from radar.data.images import Images, read_images
from radar.data.layouts import LAYOUTS
from radar.data.preprocessing import plane_names
from radar.errors import ConfigError, DataError, RunError
from radar.files import Plain, write_atomically, write_json, write_text
from radar.methods.method import FittedMethod, Maps
from radar.methods.registry import method_of, typed_config
from radar.methods.responses import read, responses
from radar.model_card import card, with_change
from radar.progress import silent
from radar.scoring.decision import decide
from radar.scoring.detector import Detector, detector_from_arrays
from radar.scoring.forest import Floats
from radar.scoring.map_levels import MapLevels, map_levels
from radar.thresholds import FITTED, Threshold, Thresholds, read_thresholds

FORMAT = 2  # of the model folder; raised when an older reader could not read it
FOLDER = "model"  # below a run directory
_TENSORS, _FACTS, _CARD = "model.safetensors", "model.json", "README.md"
_PLACES = (
    "data_root",
    "output_root",
)  # where things lay when it was fitted; dataset.root and dataset.manifest beside them


UNSEEN = ("network", "densities", "detector")


@dataclass(frozen=True, eq=False)
class Calibration:
    """Scores of M normal images, how high their maps rise, and what they can promise.

    `unseen_by` names what had not learnt from any of these images when it scored it, of `UNSEEN`. Cross-fitted scores leave an
    image out of the densities and not out of the network; what brings parts or the border to one scale counts every normal.
    Without `densities` and `detector`, no rate of false alarms is promised.
    """

    scores: Floats  # (M,)
    map_tops: Floats  # (M, 2), how high each image's anomaly map rises: radar/scoring/map_levels.py
    unseen_by: tuple[str, ...]
    false_alarms: float | None  # expected share of normal images above the threshold, at most; None: no promise

    def fitted(self, threshold: float, contamination: float) -> Thresholds:
        """The fitted threshold of scores as a first version; its map levels are what as many of the normals' maps stay below."""
        levels, made = map_levels(self.map_tops, contamination), datetime.now(UTC).isoformat(timespec="seconds")
        return Thresholds((Threshold(FITTED, threshold, levels, "fit", "", made, self.false_alarms, self.scores),))


@dataclass(frozen=True, eq=False)
class Scores:
    """What a model says of N images."""

    scores: Floats  # (N,), higher is more anomalous
    decisions: NDArray[np.bool_]  # (N,), True is anomalous
    points: Floats  # (N, F), what the detector judged
    point_names: tuple[str, ...]  # F
    anomaly_maps: Tensor  # (N, H, W) ≥ 0, at the size that the model sees
    noise: Tensor | None  # (N, C, H, W), of a method that predicts noise

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, eq=False)
class Model:
    """How images are read, the fitted method, the detector, its calibration and the versions of its threshold."""

    config: Config  # that it was fitted with
    method: FittedMethod
    detector: Detector
    calibration: Calibration
    thresholds: Thresholds
    fingerprint: str  # of the config and the data

    @property
    def threshold(self) -> float:
        """Of the current version: an image is anomalous where its score lies above."""
        return self.thresholds.current.value

    @cached_property
    def files(self) -> FileReader:
        """Reads files as those of the layout that it was fitted on."""
        dataset = self.config.dataset
        return LAYOUTS.get(dataset.layout)(dataset).files

    def at(self, threshold_name: str) -> Model:
        """The same model, deciding by another version of its threshold. Raises `ConfigError` where there is none of that name."""
        return replace(self, thresholds=self.thresholds.using(threshold_name))

    def score(self, images: Images | Tensor | str | Path | Sequence[str | Path]) -> Scores:
        """Scores of image files or named crops of files, of loaded images, or of a tensor `(N, P, H, W)` in [−1, 1].

        The same bits in any batch, unless the model was fitted with several images per pass; files are read one by one, as those
        that it was fitted on. An image's noise is a function of the model's seed and of the image's content: a tensor's is that of
        its own values. Raises `DataError` for what cannot be read or has other planes, and for images of several sizes.
        """
        parts = list(self._maps([images] if isinstance(images, str | Path) else images))
        sizes = {tuple(part.anomaly.shape[1:]) for part in parts}
        if len(sizes) != 1:
            raise DataError(
                f"images of {len(sizes)} sizes, {sorted(sizes)}: their maps are one tensor; score each size apart"
            )
        points = np.concatenate([part.points.cpu().numpy() for part in parts])
        noise = [part.noise for part in parts if part.noise is not None]
        return self.judged(
            Maps(
                torch.cat([part.anomaly for part in parts]),
                torch.from_numpy(points),
                torch.cat(noise) if noise else None,
            )
        )

    def judged(self, maps: Maps) -> Scores:
        """Scores and decisions of measured images."""
        points: Floats = maps.points.cpu().numpy()
        return Scores(
            *decide(self.detector, self.threshold, points), points, self.method.point_names, maps.anomaly, maps.noise
        )

    def _maps(self, images: Images | Tensor | Sequence[str | Path]) -> Iterator[Maps]:
        if isinstance(images, Images):
            yield self._measured(images.planes, images.identities)
        elif isinstance(images, Tensor):
            yield self._measured(images, [_tensor_hash(image) for image in images])
        else:
            if not images:
                raise DataError("no images to score; name at least one file")
            for path in images:  # one at a time, whatever their number
                one = read_images([Path(path)], self.files, self.config.dataset.image)
                yield self._measured(one.planes, one.identities)

    def _measured(self, planes: Tensor, identities: Sequence[str]) -> Maps:
        names, size = plane_names(self.config.dataset.image), self.config.scoring.images_per_pass
        if planes.ndim != 4 or planes.shape[1] != len(names) or not len(planes):
            raise DataError(
                f"images {tuple(planes.shape)}: this model takes (N, {len(names)}, H, W), planes {', '.join(names)}"
            )
        with _matmul_precision(self.config.trainer.matmul_precision):
            response = responses(
                self.method, planes, identities, seed=self.config.seed, images_per_pass=size, report=silent
            )
            return read(self.method, response, images_per_pass=size)

    def save(self, folder: Path) -> None:
        """Write the model's folder; its JSON, which names the tensors' checksum, last but for later versions of the threshold."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {
            f"detector.{name}": torch.from_numpy(np.array(value)) for name, value in self.detector.arrays().items()
        }
        learnt = {f"method.{name}": value.contiguous().cpu() for name, value in self.method.state_dict().items()}
        normals = {
            f"calibration.{name}": torch.from_numpy(getattr(self.calibration, name)) for name in ("scores", "map_tops")
        }
        content, fitted = save_tensors({**learnt, **arrays, **normals}), self.thresholds.named(FITTED)
        facts: dict[str, Plain] = {
            "format": FORMAT,
            "radar": radar.__version__,
            "fingerprint": self.fingerprint,
            "config": _without_places(self.config),
            "structure": self.method.structure(),
            "point_names": list(self.method.point_names),
            "made": fitted.made,
            "threshold": fitted.value,
            "map_levels": fitted.map_levels._asdict(),
            "calibration": {
                "images": len(self.calibration.scores),
                "unseen_by": list(self.calibration.unseen_by),
                "false_alarms": self.calibration.false_alarms,
            },
            "tensors_sha256": hashlib.sha256(content).hexdigest(),
        }
        write_atomically(folder / _TENSORS, lambda file: file.write(content))
        write_text(folder / _CARD, card(self.config, facts))
        write_json(folder / _FACTS, facts)
        if len(self.thresholds.versions) > 1:
            store_thresholds(folder, self)


def load(run_or_folder: str | Path, device: str = "cpu") -> Model:
    """The model of a run directory, or of a model's folder, on `device`; reading it executes nothing. Raises `RunError`."""
    folder = _folder(Path(run_or_folder))
    facts = _facts(folder)
    content = _content(folder, str(facts.get("tensors_sha256")))
    try:
        stored = load_tensors(content)
        config = _config(facts)
        fitted = method_of(config).empty(_mapping(facts, "structure"))
        fill(fitted, {name[7:]: value for name, value in stored.items() if name.startswith("method.")})
        arrays = {name[9:]: value.numpy() for name, value in stored.items() if name.startswith("detector.")}
        detector = detector_from_arrays(arrays)
        calibration = _calibration(_mapping(facts, "calibration"), stored)
        first, fingerprint = _fitted_threshold(facts, calibration), str(facts["fingerprint"])
    except (ConfigError, RunError) as error:
        raise RunError(f"{folder}: {error}") from None
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise _unreadable(folder, error) from None
    try:
        fitted = fitted.to(device).eval().requires_grad_(False)
    except (RuntimeError, AssertionError) as error:
        raise RunError(
            f"device={device}: cannot be used ({str(error).splitlines()[0]}); load the model with device='cpu'"
        ) from None
    return Model(config, fitted, detector, calibration, read_thresholds(folder, first, fingerprint), fingerprint)


def store_thresholds(run_or_folder: str | Path, model: Model) -> None:
    """Leave the versions of a model's threshold beside it, and in its card which one decides from now on; the rest stays as it is.

    Raises `RunError` where the folder holds another model, or cannot be written.
    """
    folder = _folder(Path(run_or_folder))
    found = str(_facts(folder).get("fingerprint"))
    if found != model.fingerprint:
        raise RunError(
            f"{folder}: holds the model {found[:12]}, not {model.fingerprint[:12]}; name the folder of that one"
        )
    try:
        model.thresholds.write(folder, model.fingerprint)
        text = (folder / _CARD).read_text(encoding="utf-8") if (folder / _CARD).is_file() else ""
        write_text(folder / _CARD, with_change(text, model.thresholds.current))
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror}); copy the model to where it can") from None


def stored_config(run_or_folder: str | Path) -> Config:
    """The config that a stored model was fitted with; its tensors are not read. Raises `RunError`."""
    folder = _folder(Path(run_or_folder))
    try:
        return _config(_facts(folder))
    except ConfigError as error:
        raise RunError(f"{folder}: {error}") from None
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise _unreadable(folder, error) from None


def _config(facts: Mapping[str, Plain]) -> Config:
    values = _mapping(facts, "config")
    if "${" in json.dumps(values):  # a stored config is resolved; reading one that is not would run resolvers
        raise ValueError("its config holds interpolations")
    return typed_config({**values, **dict.fromkeys(_PLACES, "")})


def _without_places(config: Config) -> dict[str, Plain]:
    """The config as plain values, without where things lay."""
    dataset = replace(config.dataset, root=None, manifest=None)
    return {key: value for key, value in plain(replace(config, dataset=dataset)).items() if key not in _PLACES}


@contextmanager
def _matmul_precision(wanted: str) -> Iterator[None]:
    """Products as the model was fitted with; what the process had comes back."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(wanted)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def fill(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load `state` into a module whose buffers may have any shape yet. Raises `RuntimeError` where names or weights differ."""
    for name, value in state.items():
        owner, _, leaf = name.rpartition(".")
        holder = module.get_submodule(owner)
        if leaf in dict(holder.named_buffers(recurse=False)):
            holder.register_buffer(leaf, torch.empty_like(value))
    module.load_state_dict(dict(state))


def _folder(path: Path) -> Path:
    for folder in (path / FOLDER, path):
        if (folder / _FACTS).is_file():
            return folder
    if not path.is_dir():
        raise RunError(f"{path}: no such folder; name a run directory or a model's folder")
    raise RunError(
        f"{path}: holds no model ({FOLDER}/{_FACTS}); finish the run, or run it again where an older radar made it"
    )


def _facts(folder: Path) -> Mapping[str, Plain]:
    try:
        facts: object = json.loads((folder / _FACTS).read_text())
    except (OSError, ValueError) as error:
        raise _unreadable(folder, error) from None
    if not isinstance(facts, dict) or not isinstance(facts.get("format"), int):
        raise RunError(f"{folder / _FACTS}: is not the description of a model; run the experiment again")
    if facts["format"] != FORMAT:
        newer = "update radar" if facts["format"] > FORMAT else "run the experiment again with this radar"
        raise RunError(f"{folder}: a model of format {facts['format']}, and this radar reads format {FORMAT}; {newer}")
    return facts


def _content(folder: Path, checksum: str) -> bytes:
    try:
        content = (folder / _TENSORS).read_bytes()
    except OSError as error:
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


def _calibration(facts: Mapping[str, Plain], stored: Mapping[str, Tensor]) -> Calibration:
    unseen_by, false_alarms = facts["unseen_by"], facts["false_alarms"]
    if not isinstance(unseen_by, list):
        raise ValueError("calibration.unseen_by is not a list")
    promised = None if false_alarms is None else float(str(false_alarms))
    scores, tops = (stored[f"calibration.{name}"].numpy() for name in ("scores", "map_tops"))
    return Calibration(scores, tops, tuple(str(each) for each in unseen_by), promised)


def _fitted_threshold(facts: Mapping[str, Plain], calibration: Calibration) -> Threshold:
    faint, strong = (float(str(_mapping(facts, "map_levels")[name])) for name in MapLevels._fields)
    value, levels, made = float(str(facts["threshold"])), MapLevels(faint, strong), str(facts["made"])
    return Threshold(FITTED, value, levels, "fit", "", made, calibration.false_alarms, calibration.scores)


def _unreadable(folder: Path, error: Exception) -> RunError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return RunError(f"{folder}: cannot be read as a model ({reason}); run the experiment again")


def _tensor_hash(image: Tensor) -> str:
    return hashlib.sha256(f"{tuple(image.shape)}".encode() + image.contiguous().cpu().numpy().tobytes()).hexdigest()
