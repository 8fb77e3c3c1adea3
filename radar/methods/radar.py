"""RADAR itself: a U-Net trained on normal patches, scored in one step (arXiv 2508.04818)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from torch import Tensor, nn

from radar.config.schema import Config
from radar.diffusion.schedule import SCHEDULE_KEYS, build_schedule
from radar.methods.interface import Inputs, MapMethod, Normals, Recall
from radar.networks.build import NoisePredictor
from radar.progress import Report
from radar.scoring.density import DensityMapper, GaussianDensity, ResidualField, fit_density
from radar.scoring.noise_map import NoiseMapper
from radar.scoring.scorer import Mapper

Train = Callable[[Tensor, Tensor, Report], NoisePredictor]
"""Training and held-out normals `(N, C, H, W)` → the trained network, on the device that scores."""


class RadarMethod(MapMethod):
    """RADAR with the network that `train` returns; `identity` names all that it depends on."""

    name = "radar"

    def __init__(self, config: Config, recall: Recall, train: Train, identity: Inputs) -> None:
        super().__init__(config, recall)
        self.train = train
        self.identity = identity

    def fit_map(self, normal: Normals, report: Report) -> Mapper:
        unet = self.train(normal.train.images, normal.validation.images, report)
        density = self.density(normal, lambda: unet)
        return build_mapper(self.config, unet, density)

    def density(self, normal: Normals, network: Callable[[], nn.Module]) -> GaussianDensity | None:
        """The density of the training normals' residual fields that `scoring.density` asks for."""
        config = self.config
        if config.scoring.density.name == "none":
            return None

        def make() -> GaussianDensity:
            field, train = residual_field(config, network()), normal.train
            return fit_density(field, train.images, train.identities, ridge=config.scoring.density.ridge)

        return self.recall.density(self.map_inputs(normal), make)

    @property
    def network_passes(self) -> int:
        density, draws = self.config.scoring.density, max(1, self.config.scoring.draws)
        return draws if density.name == "none" else draws * len(density.timesteps)

    def map_inputs(self, normal: Normals) -> Inputs:
        config, scoring = self.config, asdict(self.config.scoring)
        read = ["draws", "map", "field", "tile", "images_per_pass"]
        if config.scoring.field == "stitched":  # from windows
            read += ["stride", "micro_batch"]
        schedule = asdict(config.diffusion)
        inputs = {
            "network": self.identity,
            "timestep": config.timestep.value,
            "patch_size": config.patch.size,
            "scoring": {key: scoring[key] for key in read},
            "schedule": {key: schedule[key] for key in SCHEDULE_KEYS},
            "seed": config.seed,
        }
        if config.scoring.density.name != "none":  # then timestep.value is not read
            inputs |= {
                "timestep": None,
                "density": scoring["density"],
                "density_of": list(normal.train.identities),
            }
        return inputs


def noise_mapper(config: Config, unet: nn.Module, timestep: int | None = None) -> NoiseMapper:
    """The noise map that `config` describes, predicted by `unet`, at `timestep` where it is not the config's own."""
    schedule = build_schedule(config.diffusion).to(next(unet.parameters()).device)
    return NoiseMapper(
        unet,
        schedule,
        scoring=config.scoring,
        timestep=config.timestep.value if timestep is None else timestep,
        patch_size=config.patch.size,
        seed=config.seed,
    )


def residual_field(config: Config, unet: nn.Module) -> ResidualField:
    """The noise maps at the timesteps and blurs of `scoring.density`."""
    density = config.scoring.density
    return ResidualField([noise_mapper(config, unet, timestep) for timestep in density.timesteps], density.blurs)


def build_mapper(config: Config, unet: nn.Module, density: GaussianDensity | None) -> Mapper:
    """From images to what the features are taken of: the noise map, or how unlikely it is."""
    return noise_mapper(config, unet) if density is None else DensityMapper(residual_field(config, unet), density)
