"""What the methods with a diffusion network share: RADAR's trained network, asked at any timestep."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache

import torch
from torch import Tensor, nn

from radar.config.schema import Config
from radar.diffusion.sampling import levels
from radar.diffusion.schedule import SCHEDULE_KEYS, NoiseSchedule, build_schedule
from radar.diffusion.simplex import simplex_noise
from radar.methods.interface import Inputs, Normals, Recall
from radar.methods.peer import PeerMethod
from radar.methods.radar import Train
from radar.progress import Report
from radar.scoring.noise_map import NoiseMapper
from radar.seeds import generator, uniform


class Denoiser:
    """The trained network over whole images, as `scoring` lays its windows, with seeded noise."""

    def __init__(self, network: nn.Module, config: Config) -> None:
        self.network = network.eval()
        self.config = config
        self.device = next(network.parameters()).device
        self.schedule: NoiseSchedule = build_schedule(config.diffusion).to(self.device)
        self._mapper = cache(self._at)

    def _at(self, timestep: int) -> NoiseMapper:
        config = self.config
        return NoiseMapper(
            self.network,
            self.schedule,
            scoring=config.scoring,
            timestep=timestep,
            patch_size=config.patch.size,
            seed=config.seed,
        )

    def predict(self, noisy: Tensor, timestep: int) -> Tensor:
        """ε̂ `(B, C, H, W)` of x_t."""
        return self._mapper(timestep).predict(noisy)

    def noised(self, clean: Tensor, noise: Tensor, timestep: int) -> Tensor:
        """x_t of images and noise `(B, C, H, W)`."""
        signal, level = levels(self.schedule, timestep)
        return signal * clean + level * noise

    def draw(self, image: Tensor, identity: str, number: int) -> Tensor:
        """Noise of the image's shape: a function of (seed, identity, number), of the kind that the network has learnt."""
        stream = generator("cpu", self.config.seed, "scoring", identity, number)
        reconstruction = self.config.method.reconstruction
        if reconstruction is not None and reconstruction.simplex is not None:
            return simplex_noise(image.shape, uniform(stream), reconstruction.simplex).to(self.device)
        # the first draw equals that of RADAR's noise map
        return torch.randn(image.shape[1:], generator=stream)[None].to(self.device)


class DenoiserMethod(PeerMethod):
    """A peer that uses the network that `train` returns; `identity` names all that it depends on."""

    def __init__(self, config: Config, recall: Recall, train: Train, identity: Inputs) -> None:
        super().__init__(config, recall)
        self.train = train
        self.identity = identity

    def denoiser(self, normal: Normals, report: Report) -> Denoiser:
        """The network, trained now where it is not there."""
        return Denoiser(self.train(normal.train.images, normal.validation.images, report), self.config)

    def network_inputs(self) -> Inputs:
        """What ε̂ of a whole image depends on."""
        scoring, schedule = asdict(self.config.scoring), asdict(self.config.diffusion)
        read = ["field", "tile", *(["stride", "micro_batch"] if self.config.scoring.field == "stitched" else [])]
        return {
            "network": self.identity,
            "patch_size": self.config.patch.size,
            "scoring": {key: scoring[key] for key in read},
            "schedule": {key: schedule[key] for key in SCHEDULE_KEYS},
        }
