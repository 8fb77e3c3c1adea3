"""Which stage depends on what: the keys of the artefact store, and the stages that a run takes from it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from radar.config.method_sections import SimplexConfig
from radar.config.schema import Config, NoiseStatisticsConfig, PatchConfig, ScoringConfig, TrainingConfig
from radar.diffusion.objective import DiffusionObjective
from radar.experiment.artefacts import ArtefactStore, Key
from radar.experiment.clock import Clock
from radar.experiment.stored_model import (
    History,
    load_density,
    load_fusion,
    load_network,
    load_weights,
    save_density,
    save_fusion,
    save_network,
)
from radar.files import link_or_copy, write_atomically, write_json
from radar.methods.fusion import Fusion
from radar.methods.interface import ImageSet, Inputs, Normals
from radar.networks.build import NoisePredictor, build_unet
from radar.progress import Report
from radar.scoring.density import GaussianDensity
from radar.scoring.forest import Floats
from radar.training.fit import fit_network
from radar.training.history import Row
from radar.training.objective import Objective

# of the trainer section: what changes the bits of a training by more than how threads share the work
_TRAINER_KEYS = ("devices", "strategy", "precision", "matmul_precision", "compile", "deterministic")
_SECONDS, _DENSITY, _FUSION = "seconds.json", "density.npz", "fusion.npz"


def image_identity(identities: Sequence[str]) -> str:
    """One hash for many content hashes in their order."""
    return hashlib.sha256("\n".join(identities).encode()).hexdigest()


def network_key(config: Config, normal: Normals, device: torch.device) -> Key:
    """What a training depends on. Methods that add the same noise share one network."""
    simplex = simplex_of(config)
    return Key(
        "network",
        {
            "unet": asdict(config.unet),
            "diffusion": asdict(config.diffusion),
            **_training_inputs(config, normal, device),
            **({} if simplex is None else {"simplex": asdict(simplex)}),
        },
    )


def simplex_of(config: Config) -> SimplexConfig | None:
    """The noise that the network learns, where it is not Gaussian."""
    reconstruction = config.method.reconstruction
    return None if reconstruction is None else reconstruction.simplex


def diffusion_objective(config: Config) -> DiffusionObjective:
    """What the shared network is taught."""
    return DiffusionObjective(config.diffusion, simplex=simplex_of(config))


def _training_inputs(config: Config, normal: Normals, device: torch.device) -> dict[str, Any]:
    trainer = asdict(config.trainer)
    return {
        "patch": asdict(config.patch),
        "training": asdict(config.training),
        "trainer": {key: trainer[key] for key in _TRAINER_KEYS},
        "device": device.type,
        "image": asdict(config.dataset.image),
        "seed": config.seed,
        "train": image_identity(normal.train.identities),
        "validation": image_identity(normal.validation.identities),
    }


class StoredRecall:
    """Noise maps and features out of the store; the `Recall` of the methods of one run, whose own trainings are `fits`."""

    def __init__(self, store: ArtefactStore, config: Config, device: torch.device, fits: StoredFit) -> None:
        self.store = store
        self.fits = fits
        self.common = {
            "image": asdict(config.dataset.image),
            "device": device.type,
            "matmul_precision": config.trainer.matmul_precision,
        }

    def noise_maps_key(self, inputs: Inputs, images: ImageSet) -> Key:
        """What the noise maps of a set of images depend on."""
        return Key("noise_maps", {**inputs, **self.common, "images": image_identity(images.identities)})

    def features_key(self, inputs: Inputs, scoring: ScoringConfig, images: ImageSet) -> Key:
        """What the features of a set of images depend on."""
        read = {**_edges(scoring), "window": scoring.window}
        return Key("features", {"noise_maps": self.noise_maps_key(inputs, images).fingerprint, "scoring": read})

    def pixel_metrics_key(
        self, inputs: Inputs, scoring: ScoringConfig, images: ImageSet, *, masks: Inputs, aupro_limit: float
    ) -> Key:
        """What the pixel metrics depend on: maps, masks, and neither features nor detector."""
        read = {**_edges(scoring), "smoothing": scoring.smoothing}
        maps = self.noise_maps_key(inputs, images).fingerprint
        return Key("pixel_metrics", {"noise_maps": maps, "scoring": read, "masks": masks, "aupro_limit": aupro_limit})

    def density(self, inputs: Inputs, make: Callable[[], GaussianDensity]) -> GaussianDensity:
        return self.store.take(
            Key("density", {**inputs, **self.common}),
            lambda part: save_density(part / _DENSITY, make()),
            lambda folder: load_density(folder / _DENSITY),
        )

    def fusion(self, inputs: Inputs, make: Callable[[], Fusion]) -> Fusion:
        return self.store.take(
            Key("fusion", {**inputs, **self.common}),
            lambda part: save_fusion(part / _FUSION, make()),
            lambda folder: load_fusion(folder / _FUSION),
        )

    def noise_statistics_key(
        self, inputs: Inputs, images: ImageSet, *, manifest: str, settings: NoiseStatisticsConfig, seed: int
    ) -> Key:
        """What the statistics of the noise maps depend on: maps, images, their labels and groups."""
        maps = self.noise_maps_key(inputs, images).fingerprint
        return Key(
            "noise_statistics", {"noise_maps": maps, "manifest": manifest, "settings": asdict(settings), "seed": seed}
        )

    def data_measures_key(self, content_hash: str) -> Key:
        """What the measures of the data set itself depend on: its content, masks included, and how images are read."""
        return Key("data_measures", {"content": content_hash, "image": self.common["image"]})

    def noise_maps(
        self, inputs: Inputs, images: ImageSet, fit: Callable[[], object], make: Callable[[], Tensor]
    ) -> Tensor:
        def make_timed(part: Path) -> None:
            clock, before = Clock(), self.fits.seconds_elsewhere
            with clock.stage("fit"):
                fit()
            clock.seconds["fit"] += self.fits.seconds_elsewhere - before
            with clock.stage("score"):
                maps = make().cpu().numpy()
            _save(part / "noise_maps.npy", maps)
            write_json(part / _SECONDS, clock.seconds)

        return self.store.take(
            self.noise_maps_key(inputs, images),
            make_timed,
            lambda folder: torch.from_numpy(np.load(folder / "noise_maps.npy", allow_pickle=False)),
        )

    def seconds(self, inputs: Inputs, images: ImageSet) -> dict[str, float] | None:
        """How long fitting and scoring took when the noise maps of a set of images were made; None where they are pruned."""
        file = self.store.folder(self.noise_maps_key(inputs, images)) / _SECONDS
        seconds: dict[str, float] | None = json.loads(file.read_text()) if file.exists() else None
        return seconds

    def features(self, inputs: Inputs, scoring: ScoringConfig, images: ImageSet, make: Callable[[], Floats]) -> Floats:
        points: Floats = self.store.take(
            self.features_key(inputs, scoring, images),
            lambda part: _save(part / "features.npy", make()),
            lambda folder: np.load(folder / "features.npy", allow_pickle=False),
        )
        return points


def _edges(scoring: ScoringConfig) -> dict[str, Any]:
    """Of the scoring section: what turns a noise map into an edge map; the last bits depend on how many maps pass at once."""
    return {"blur": asdict(scoring.blur), "edge": scoring.edge, "images_per_pass": scoring.images_per_pass}


def stored_json(store: ArtefactStore, key: Key, make: Callable[[], Any]) -> Any:
    """A stage whose result is plain values."""
    return store.take(
        key,
        lambda part: write_json(part / "result.json", make()),
        lambda folder: json.loads((folder / "result.json").read_text()),
    )


def _save(path: Path, values: np.ndarray[Any, Any]) -> None:
    write_atomically(path, lambda file: np.save(file, values, allow_pickle=False))


class StoredNetwork:
    """The training stage of one run. `publish` is told the history row by row, as it comes or as it was."""

    def __init__(self, store: ArtefactStore, key: Key, config: Config, device: torch.device) -> None:
        self.store = store
        self.key = key
        self.config = config
        self.device = device
        self.trained = False  # by this run, now

    def fit(
        self, normal: Normals, publish: Callable[[Row], None], report: Report, *, copy: Path
    ) -> tuple[NoisePredictor, History]:
        """The network on the scoring device and its history, trained now where they are not stored; `copy` becomes its file."""

        def make(part: Path) -> None:
            if not (part / "unet.pt").exists():  # else an attempt was killed after its end
                self.trained = True
                config, train = self.config, normal.train.images
                unet, history = fit_network(
                    build_unet(
                        config.unet, patch_size=config.patch.size, image_channels=train.shape[1], seed=config.seed
                    ),
                    diffusion_objective(config),
                    train,
                    normal.validation.images,
                    patch=config.patch,
                    training=config.training,
                    trainer=config.trainer,
                    seed=config.seed,
                    checkpoints=part / "checkpoints",
                    publish=publish,
                    report=report,
                )
                save_network(part / "unet.pt", unet, history)
            shutil.rmtree(part / "checkpoints", ignore_errors=True)

        def read(folder: Path) -> tuple[NoisePredictor, History]:
            network = load_network(folder / "unet.pt", self.config, self.device)
            link_or_copy(folder / "unet.pt", copy)
            return network

        unet, history = self.store.take(self.key, make, read)
        if not self.trained:
            for row in history:
                publish(row)
        return unet, history


class StoredFit:
    """Trainings of the networks that a method has beside the shared one; the `Fit` of the methods of one run."""

    def __init__(self, store: ArtefactStore, config: Config, device: torch.device) -> None:
        self.store = store
        self.config = config
        self.device = device
        self.seconds_elsewhere = (
            0.0  # that the trainings took before: interrupted attempts, and other runs' where stored
        )

    def __call__(
        self,
        network: nn.Module,
        objective: Objective,
        *,
        inputs: Inputs,
        training: TrainingConfig,
        patch: PatchConfig,
        normal: Normals,
        report: Report,
    ) -> nn.Module:
        config = replace(self.config, training=training, patch=patch)

        def make(part: Path) -> None:
            if not (part / "network.pt").exists():  # else an attempt was killed after its end
                average, history = fit_network(
                    network,
                    objective,
                    normal.train.images,
                    normal.validation.images,
                    patch=patch,
                    training=training,
                    trainer=config.trainer,
                    seed=config.seed,
                    checkpoints=part / "checkpoints",
                    publish=_unpublished,
                    report=report,
                )
                save_network(part / "network.pt", average, history)
            shutil.rmtree(part / "checkpoints", ignore_errors=True)

        key, clock = Key("network", {**inputs, **_training_inputs(config, normal, self.device)}), Clock()
        with clock.stage("here"):
            self.store.take(key, make, lambda folder: load_weights(folder / "network.pt", network))
        self.seconds_elsewhere += max(0.0, self.store.record(key)["seconds"] - clock.seconds["here"])
        return network.to(self.device).eval().requires_grad_(False)


def _unpublished(row: Row) -> None:
    """The curves of a run are those of the shared network."""
