"""Methods that ask a diffusion network without reconstructing: of pixels, or of pretrained features, as they are published."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Generic, Protocol, TypeVar, cast

import torch
from torch import Tensor

from radar.config.schema import Config
from radar.diffusion.objective import DiffusionObjective
from radar.files import Plain
from radar.methods.method import FittedMethod, Material, Networks, Normals, Structure, Training, channels_of
from radar.methods.parts.denoising import DENOISER, denoiser, denoiser_keys, denoiser_training, untrained_network
from radar.methods.parts.feature_grid import FeatureGrid, FeatureSpaceConfig, PixelSpace, grid_network
from radar.methods.parts.pretrained import FEATURES, block_problems
from radar.methods.parts.reduced import HasReduction, ReducedMethod, odd_problems, shortened
from radar.networks.efficientnet import STRIDES, EfficientNetFeatures
from radar.progress import Report
from radar.scoring.denoiser import Denoiser
from radar.scoring.reading import MapReading
from radar.training.device import resolve_device

GRID_DENOISER = "grid_denoiser"  # the name of its training
_UNET_KEYS = ("blocks", "embedding", "dropout")  # of a compact network without attention, whose width is the method's
_GRID_KEYS = (*(f"unet.{key}" for key in _UNET_KEYS), "diffusion", "training", "scoring.tile")


class HasFeatureSpace(HasReduction, Protocol):
    """Settings with a section `feature_space`; null: pixels."""

    feature_space: FeatureSpaceConfig | None


FieldSettings = TypeVar("FieldSettings", bound=HasFeatureSpace)


class FittedOnField(FittedMethod):
    """A map of a field, which is an image or the grid of its features, brought back onto the image."""

    def __init__(self, reading: MapReading, space: PixelSpace, network: Denoiser, passes: int) -> None:
        """`passes` of the diffusion network over each field."""
        super().__init__(reading)
        self.space = space
        self.denoiser = network
        self.network_passes = space.network_passes + passes

    def noise_shape(self, planes: int, height: int, width: int) -> tuple[int, int, int]:
        return self.space.shape(height, width)

    def structure(self) -> dict[str, Plain]:
        return {"channels": self.space.channels}

    def respond(self, images: Tensor, noise: Tensor | None) -> Tensor:
        return self.space.onto(self.field_map(self.space(images), noise), *images.shape[-2:]).float()

    @abstractmethod
    def field_map(self, field: Tensor, noise: Tensor | None) -> Tensor:
        """How anomalous each position of fields `(N, F, h, w)` is, `(N, 1, h, w)`; noise is `(N, K, F, h, w)`."""


Fitted = TypeVar("Fitted", bound=FittedOnField)


class FieldMethod(ReducedMethod[FieldSettings], Generic[FieldSettings, Fitted]):
    """A method whose network is RADAR's own, or one that has learnt grids of features."""

    @abstractmethod
    def module(self, space: PixelSpace, network: Denoiser) -> Fitted:
        """The fitted method's module, of what it sees and asks."""

    @property
    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Sides of squares of a field, by key."""

    @property
    def fitting_keys(self) -> tuple[str, ...]:
        return denoiser_keys(self.config) if self.settings.feature_space is None else _GRID_KEYS

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from odd_problems(self.sizes)
        if self.settings.feature_space is not None:
            yield from _grid_problems(self.settings.feature_space, self.sizes)

    @property
    def pretrained(self) -> Mapping[str, Callable[[], torch.nn.Module]]:
        settings = self.settings.feature_space
        return {} if settings is None else {FEATURES: partial(grid_network, settings, pretrained=True)}

    def trainings(self, normals: Normals) -> tuple[Training, ...]:
        settings = self.settings.feature_space
        if settings is None:
            return (denoiser_training(self.config, normals),)
        return (self._grid_training(settings, normals),)

    def fit(self, normals: Normals, networks: Networks, report: Report) -> FittedMethod:
        return self.unfitted(normals, networks, report)

    def unfitted(self, normals: Normals, networks: Networks, report: Report) -> Fitted:
        """The fitted method, but for what it learns beside its network and its fields."""
        settings = self.settings.feature_space
        network = denoiser(self._field_config, networks[DENOISER if settings is None else GRID_DENOISER])
        device = network.schedule.signal.device
        space = self._space(_channels(normals), networks.get(FEATURES)).to(device)
        if isinstance(space, FeatureGrid):
            report(0, 1, f"Fitting ({self.name})")
            space.fit(normals.train.planes, self.config.seed)
        return self.module(space, network).to(device)

    def empty(self, structure: Structure) -> FittedMethod:
        settings, config = self.settings.feature_space, self._field_config
        network = None if settings is None else grid_network(settings, pretrained=False)
        space = self._space(channels_of(structure, self.config), network)
        return self.module(space, denoiser(config, untrained_network(config, space.dimensions)))

    @property
    def _field_config(self) -> Config:
        """The experiment as a method sees it that takes fields for images."""
        settings = self.settings.feature_space
        return self.config if settings is None else on_the_grid(self.config, settings)

    def _space(self, channels: int, network: torch.nn.Module | None) -> PixelSpace:
        settings = self.settings.feature_space
        if settings is None or network is None:
            return PixelSpace(channels)
        return self._grid(settings, channels, network)

    def _grid(self, settings: FeatureSpaceConfig, channels: int, network: torch.nn.Module) -> FeatureGrid:
        read_as = self.config.dataset.image.channels
        return FeatureGrid(settings, channels, read_as, cast(EfficientNetFeatures, network))

    def _grid_training(self, settings: FeatureSpaceConfig, normals: Normals) -> Training:
        """One network for all methods that see the same grids."""
        config = self._field_config
        own: dict[str, Plain] = {key: value for key, value in asdict(settings).items() if key != "max_steps"}
        unet: dict[str, Plain] = {key: getattr(config.unet, key) for key in _UNET_KEYS}

        def material(networks: Networks) -> Material:
            grid = self._grid(settings, _channels(normals), networks[FEATURES]).to(resolve_device(config.trainer))
            with torch.no_grad():
                train = grid.fit(normals.train.planes, config.seed)
                validation = grid.grids(normals.validation.planes)
            return Material(train, validation, DiffusionObjective(config.diffusion, simplex=None))

        def build(_: Networks) -> torch.nn.Module:
            grid = self._grid(settings, _channels(normals), grid_network(settings, pretrained=False))
            return untrained_network(config, grid.dimensions)

        return Training(
            GRID_DENOISER,
            build,
            material,
            {
                "feature_space": own,
                "channels": config.dataset.image.channels,
                "unet": unet,
                "diffusion": asdict(config.diffusion),
            },
            config.patch,
            shortened(config.training, settings.max_steps),
        )


def on_the_grid(config: Config, settings: FeatureSpaceConfig) -> Config:
    """The experiment with a network of its own for grids, which are seen in one pass."""
    unet = replace(config.unet, kind="compact", fold=1, channels=settings.channels, attention_levels=[])
    # features of a mirrored image are not the mirrored features
    patch = replace(config.patch, size=settings.crop, flips=False, rotations=False)
    return replace(config, unet=unet, patch=patch, scoring=replace(config.scoring, field="whole"))


def _channels(normals: Normals) -> int:
    return normals.train.network_planes.channels


def _grid_problems(settings: FeatureSpaceConfig, sizes: dict[str, int]) -> Iterator[str]:
    key, channels = "method.feature_space", settings.channels
    if not channels or min(channels) < 1:
        yield f"{key}.channels={channels}: needs the width of at least one level, each ≥ 1"
    of_blocks = list(block_problems(key, settings.blocks, settings.side))
    yield from of_blocks
    if of_blocks:
        return
    grid, least = settings.side // STRIDES[min(settings.blocks)], 2 ** max(0, len(channels) - 1)
    if not least <= settings.crop <= grid:
        yield f"{key}.crop={settings.crop}: must lie between {least}, for its levels, and the grid's side, {grid}"
    for name, size in sizes.items():
        if size > grid:
            yield f"{name}={size}: must be ≤ the side of the grid of features, {grid}"
