"""What a method is: fitted on normal images; what it has learnt is one module that answers for any image."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from radar.config.schema import Config, PatchConfig, TrainingConfig
from radar.data.images import Images
from radar.data.preprocessing import network_plane_names, plane_names
from radar.errors import RunError
from radar.files import Plain
from radar.plugins import own_code
from radar.progress import Report
from radar.rasters import Rasters
from radar.runtime.terminal import brief
from radar.scoring.noise_draws import NoiseDraws
from radar.scoring.reading import Reading
from radar.training.objective import Objective

Networks = Mapping[str, nn.Module]
"""Trained networks by the name of their training."""
Structure = Mapping[str, Plain]
"""What a fitted method's shape depends on beside the config, as values that JSON can hold."""
Own = TypeVar("Own")  # the dataclass of a method's settings


@dataclass(frozen=True, eq=False)
class Maps:
    """What a fitted method says of N images of one size."""

    anomaly: Tensor  # (N, H, W) ≥ 0, the pixel map
    points: Tensor  # (N, F) float64, what the detector judges
    noise: Tensor | None  # (N, C, H, W), where the method predicts noise


@dataclass(frozen=True, eq=False)
class Measured:
    """What a fitted method says of N images of any sizes."""

    anomaly: tuple[Tensor, ...]  # N of (H, W) ≥ 0
    points: Tensor  # (N, F) float64
    noise: tuple[Tensor, ...] | None  # N of (C, H, W)
    inside: tuple[Tensor, ...] | None = None  # N of (H, W), their regions of interest; None: all of them counts


@dataclass(frozen=True, eq=False)
class Normals:
    """All that a method may learn from."""

    train: Images
    validation: Images  # held out from training

    @property
    def sets(self) -> tuple[Images, Images]:
        """Both."""
        return self.train, self.validation


@dataclass(frozen=True, eq=False)
class Material:
    """What a network is trained on: images whose crops it sees, held-out ones, and what it learns of them."""

    train: Rasters
    validation: Rasters
    objective: Objective
    has_region: bool = (
        False  # the last plane of the images is their region of interest, from which alone crops are drawn
    )


@dataclass(frozen=True, eq=False)
class Training:
    """A network that a method wants trained: a stage of its own, shared by all who ask for an equal one."""

    name: str
    build: Callable[
        [Networks], nn.Module
    ]  # with its initial weights; takes the networks of `parents`, and pretrained ones
    material: Callable[[Networks], Material]  # asked for only where nothing is stored
    inputs: Mapping[str, Plain]  # what these depend on beside patch, training, trainer, seed, images and parents
    patch: PatchConfig
    training: TrainingConfig
    parents: tuple[str, ...] = ()


def channels_of(structure: Structure, config: Config) -> int:
    """Its entry `channels`, of planes that networks see. Raises `RunError` where that is not what `config` reads of an image."""
    channels, read = structure.get("channels"), len(network_plane_names(plane_names(config.dataset.image)))
    if channels != read or not isinstance(channels, int) or isinstance(channels, bool):
        raise RunError(
            f"model: the stored structure has {brief(json.dumps(channels))} channels, and its images are read as {read}; run the "
            "experiment again"
        )
    return channels


class FittedMethod(nn.Module, ABC):
    """What a method has learnt, and nothing else: `state_dict` is all of it. No config, no file, no random number.

    `forward` is `respond`, which asks networks and densities, and `read`, which filters and reduces; runs that differ in the
    second alone share the first.
    """

    draws = NoiseDraws(0)
    predicts_noise = False
    network_passes = 0  # over each image; windows that together cover it are one pass
    parts: tuple[str, ...] = ()  # names of what its map is fused of, where it is
    folds: Mapping[str, int] = {}  # content hash of a normal that was fitted → its fold, where the method cross-fits

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self.reading = reading  # what it has learnt of the border is state, too
        self.register_buffer("_place", torch.empty(0), persistent=False)  # tells where the module lies

    @property
    def device(self) -> torch.device:
        """Where it lies, and its images must."""
        return self.get_buffer("_place").device

    @property
    def point_names(self) -> tuple[str, ...]:
        """Names of the F columns of `points`."""
        return self.reading.point_names

    def noise_shape(self, planes: int, height: int, width: int) -> tuple[int, int, int]:
        """Shape `(C, h, w)` of one draw for an image `(P, H, W)`; asked where `draws` are taken."""
        return planes, height, width

    @abstractmethod
    def respond(self, images: Tensor, noise: Tensor | None) -> Tensor:
        """Images `(N, P, H, W)` in [−1, 1] and their noise `(N, K, C, h, w)` → responses `(N, R, H, W)`."""

    def read(self, response: Tensor) -> Maps:
        """Responses `(N, R, H, W)` → maps and points."""
        anomaly, points = self.reading(response)
        return Maps(anomaly, points, response if self.predicts_noise else None)

    def forward(self, images: Tensor, noise: Tensor | None = None) -> Maps:
        """Images `(N, P, H, W)` in [−1, 1] and their noise `(N, K, C, h, w)` → what is said of them."""
        return self.read(self.respond(images, noise))

    def structure(self) -> dict[str, Plain]:
        """What `Method.empty` needs."""
        return {}

    def without(self, fold: int) -> FittedMethod:
        """The same with densities fitted without the images of `fold`; its network had them. ValueError where it has no such fold."""
        raise ValueError(f"{type(self).__name__} does not cross-fit; fold {fold} is none of its own")


class Method(ABC, Generic[Own]):
    """One way to score images, configured and not fitted yet. Its file holds its settings, checks, fit and fitted module."""

    name: ClassVar[str]
    version: ClassVar[int] = (
        1  # raised when the same config and images would give another result, as by other files than its own
    )
    Settings: ClassVar[type]  # dataclass of the keys below `method`
    one_score: ClassVar[bool] = True  # the detector judges one number, of which only more is anomalous
    draws_numbers: ClassVar[bool] = True  # what is fitted or scored depends on the seed
    honours_region: ClassVar[bool] = (
        False  # nothing outside dataset.image.region_of_interest is learnt or scored; its plane is known
    )
    cross_fits: ClassVar[bool] = False  # scores normals by densities that were fitted without them; networks are not

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def code_version(self) -> Plain:
        """What its results depend on beside config and images: `version` and, of a method from outside this package, which changes as
        it is written, the hash of the file that it stands in.
        """
        code = own_code(type(self))
        return self.version if code is None else [self.version, code]

    @property
    def settings(self) -> Own:
        """The method's own keys."""
        settings: Own = self.config.method.settings  # parsed as `Settings` of this class
        return settings

    @property
    def has_region(self) -> bool:
        """Whether the last plane of every image is a region of interest."""
        return self.config.dataset.image.region_of_interest is not None

    @property
    def uses_network(self) -> bool:
        """Whether it asks any network, trained or pretrained."""
        return bool(self.pretrained) or any(key.partition(".")[0] == "training" for key in self.fitting_keys)

    @property
    def needs_one_size(self) -> bool:
        """Whether all images must have the same height and width."""
        return False

    @property
    def levels_areas(self) -> bool:
        """Whether scores of images of another area are brought to that of the normals. What that takes is learnt with the densities,
        so all that it depends on is of `fitting_keys`.
        """
        return False

    @property
    def pretrained(self) -> Mapping[str, Callable[[], nn.Module]]:
        """Networks that come with their weights, by name, each read when it is asked for: `fit` and trainings are handed them, too."""
        return {}

    def without_network(self) -> Own | None:
        """The settings that keep only those of its parts which ask no network; None where there are none, or no others."""
        return None

    @property
    def predicts_noise(self) -> bool:
        """Whether its responses are predicted noise, whose statistics a run then reports."""
        return False

    @property
    def scales_by_held_out(self) -> bool:
        """Whether held-out normals tell the scale of a part of its maps, so that their own scores are no longer like new ones'."""
        return self.config.scoring.border.name == "standardised"

    @property
    def fitting_keys(self) -> tuple[str, ...]:
        """Prefixes of the config keys that weights, densities and responses depend on, beside data, seed, device and `method`."""
        return ()

    @property
    def map_keys(self) -> tuple[str, ...]:
        """Prefixes of the config keys that anomaly maps depend on, beside their responses."""
        return ()

    @property
    def point_keys(self) -> tuple[str, ...]:
        """Prefixes of the config keys that points depend on, beside their responses."""
        return ()

    @property
    def border_keys(self) -> tuple[str, ...]:
        """Prefixes of the config keys that both depend on, whatever the method: none where the border is as the rest."""
        return () if self.config.scoring.border.name == "none" else ("scoring.border",)

    @property
    def reading_keys(self) -> tuple[str, ...]:
        """All of them: what `FittedMethod.read` depends on."""
        return tuple(dict.fromkeys((*self.map_keys, *self.point_keys, *self.border_keys)))

    @property
    def idle_keys(self) -> Mapping[str, str]:
        """Prefixes of keys of its own that nothing reads as the config is, each with the key and value because of which."""
        return {}

    def problems(self) -> Iterator[str]:
        """One line per rule between keys that the config breaks."""
        yield from ()

    def trainings(self, normals: Normals) -> tuple[Training, ...]:
        """The networks that `fit` is handed, each after its parents."""
        return ()

    @abstractmethod
    def fit(self, normals: Normals, networks: Networks, report: Report) -> FittedMethod:
        """Learn from normal images, which lie on the host; the networks lie on their device, and so shall the result."""

    @abstractmethod
    def empty(self, structure: Structure) -> FittedMethod:
        """A module of the shape that `structure` tells, into which a stored `state_dict` is loaded."""


def fill(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load `state` into a module whose buffers may have any shape yet. Raises `RuntimeError` where names or weights differ."""
    for name, value in state.items():
        owner, _, leaf = name.rpartition(".")
        holder = module.get_submodule(owner)
        if leaf in dict(holder.named_buffers(recurse=False)):
            holder.register_buffer(leaf, torch.empty_like(value))
    module.load_state_dict(dict(state))
