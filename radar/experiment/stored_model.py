"""What a fitted run leaves for later use: weights, detector and config, read back without executing anything."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, get_args, get_type_hints
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import OmegaConf
from torch import Tensor, nn

from radar.compose.parsing import parse
from radar.config.method_sections import MethodConfig
from radar.config.schema import Config
from radar.data.images import Images
from radar.data.preprocessing import network_plane_names, plane_names
from radar.errors import RunError
from radar.experiment.run_directory import RunDirectory
from radar.files import write_atomically
from radar.methods.fused_densities import fused_mapper
from radar.methods.fusion import Fusion
from radar.methods.peer import peer_points, peer_scoring
from radar.methods.radar import build_mapper
from radar.networks.build import NoisePredictor, build_unet
from radar.scoring.density import GaussianDensity
from radar.scoring.detector import Detector, detector_from_arrays
from radar.scoring.scorer import Scorer, features_of

History = list[dict[str, float]]


def image_channels(config: Config) -> int:
    """Planes that networks see, of those that `dataset.image.channels` asks for."""
    return len(network_plane_names(plane_names(config.dataset.image)))


def save_network(path: Path, unet: nn.Module, history: History) -> None:
    """Store weights and training history."""
    content = {"weights": {name: value.cpu() for name, value in unet.state_dict().items()}, "history": history}
    write_atomically(path, lambda file: torch.save(content, file))


def load_network(path: Path, config: Config, device: torch.device) -> tuple[NoisePredictor, History]:
    """The inverse of `save_network`. Raises `RunError` where the file does not fit `config`."""
    unet = build_unet(
        config.unet, patch_size=config.patch.size, image_channels=image_channels(config), seed=config.seed
    )
    return unet.to(device), load_weights(path, unet)


def load_weights(path: Path, network: nn.Module) -> History:
    """Give `network` its stored weights; returns the training history. Raises `RunError` where the file does not fit."""
    content = _load(path)
    try:
        network.load_state_dict(content["weights"])
        history: History = content["history"]
    except (RuntimeError, KeyError) as error:
        raise _unreadable(path, error) from None
    return history


def load_history(path: Path) -> History:
    """The training history that lies beside the weights. Raises `RunError`."""
    history: History = _load(path)["history"]
    return history


def _load(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        raise _unreadable(path, error) from None
    return content


def _unreadable(path: Path, error: Exception) -> RunError:
    return RunError(f"{path}: cannot be read as this run's network ({str(error).splitlines()[0]}); run it with --force")


def save_detector(path: Path, detector: Detector) -> None:
    """Store a detector's arrays."""
    write_atomically(path, lambda file: np.savez(file, **detector.arrays()))  # type: ignore[arg-type]


def load_detector(path: Path) -> Detector:
    """The inverse of `save_detector`; nothing is unpickled. Raises `RunError` where the file is not one of its own."""
    return detector_from_arrays(_load_arrays(path, "a detector"))


def save_density(path: Path, density: GaussianDensity) -> None:
    """Store a density's arrays."""
    write_atomically(path, lambda file: np.savez(file, **density.arrays()))  # type: ignore[arg-type]


def load_density(path: Path) -> GaussianDensity:
    """The inverse of `save_density`; nothing is unpickled. Raises `RunError` where the file is not one of its own."""
    return GaussianDensity.from_arrays(_load_arrays(path, "a density"))


def save_fusion(path: Path, fusion: Fusion) -> None:
    """Store a fusion's arrays."""
    write_atomically(path, lambda file: np.savez(file, **fusion.arrays()))  # type: ignore[arg-type]


def load_fusion(path: Path) -> Fusion:
    """The inverse of `save_fusion`; nothing is unpickled. Raises `RunError` where the file is not one of its own."""
    return Fusion.from_arrays(_load_arrays(path, "a fusion"))


def _load_arrays(path: Path, kind: str) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise RunError(
            f"{path}: cannot be read as {kind} ({str(error).splitlines()[0]}); run it with --force"
        ) from None


def stored_config(run: RunDirectory) -> Config:
    """The config of a run; sections of methods that came after it are null, as that run would have had them. Raises `ConfigError`."""
    stored = OmegaConf.load(run.config)
    for each in fields(MethodConfig):
        if type(None) in get_args(get_type_hints(MethodConfig)[each.name]) and each.name not in stored.method:
            stored.method[each.name] = None
    return parse(stored)  # type: ignore[arg-type]


def scorer_input(loaded: Images, config: Config) -> Tensor:
    """What the scorer of a run with `config` takes of `loaded` images: `fused_densities` reads colour beside them."""
    return loaded.planes if config.method.name == "fused_densities" else loaded.network_planes


def load_scorer(directory: Path, device: str = "cpu") -> tuple[Scorer, Config]:
    """The fitted scorer of a done run, and the config that it was trained with. Raises `RunError`."""
    run = RunDirectory(directory)
    run.read_metrics()
    config = stored_config(run)
    if config.method.name not in ("radar", "fused_densities"):
        raise RunError(
            f"{directory}: is a run of method {config.method.name}; only those of radar and fused_densities can be "
            "loaded as a scorer"
        )
    torch.set_float32_matmul_precision(config.trainer.matmul_precision)
    unet, _ = load_network(run.network, config, torch.device(device))
    detector = load_detector(run.detector)
    if config.method.name == "fused_densities":
        reduction = config.method.reduction
        assert reduction is not None
        mapper = fused_mapper(config, unet, load_fusion(run.fusion))
        return Scorer(mapper, peer_scoring(config.scoring, reduction), detector, peer_points(reduction)), config
    density = None if config.scoring.density.name == "none" else load_density(run.density)
    return Scorer(build_mapper(config, unet, density), config.scoring, detector, features_of), config
