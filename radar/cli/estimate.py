"""What a job would cost: a few steps of every training of its method on random images, and a map of one of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from radar.compose.method_rules import EMBEDDINGS, RECONSTRUCTIONS, WINDOW_METHODS, shares_network
from radar.config.schema import Config, PatchConfig, TrainingConfig
from radar.experiment.stages import diffusion_objective, simplex_of
from radar.experiment.stored_model import image_channels
from radar.methods.build import build_method
from radar.methods.interface import Forgetful, ImageSet, Inputs, MapMethod, Normals
from radar.methods.radar import noise_mapper, residual_field
from radar.networks.build import NoisePredictor, build_unet
from radar.networks.cost import forward_flops, parameter_count
from radar.progress import Report, silent
from radar.seeds import generator
from radar.training.crops import PatchSampler
from radar.training.device import resolve_device
from radar.training.module import TrainingModule
from radar.training.objective import Objective

TIMED_STEPS = 3
_FALLBACK_SIDE = 100  # px, where files bring their own size: the paper's
_IMAGES = 2  # random ones in place of each set of normals


@dataclass(frozen=True)
class Training:
    """One training that a job needs."""

    key: str  # equal for jobs that share it, where they share seed and data
    steps: int
    seconds: float


@dataclass(frozen=True)
class Estimate:
    """What one job would train, and what it would then cost to score an image."""

    parameters: int  # of all networks that are run
    flops: int | None  # of the shared network, one patch forward
    trainings: tuple[Training, ...]
    image_seconds: float | None  # None: follows from the images


class TimedFit:
    """Takes a few steps of every training that it is asked for, and leaves the network nearly as it was; a `Fit`."""

    def __init__(self, config: Config, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.trainings: list[Training] = []

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
        config = self.config
        learner = TrainingModule(network, objective, training=training, trainer=config.trainer, seed=config.seed)
        learner.to(self.device).on_fit_start()
        optimizer = learner.configure_optimizers()["optimizer"]
        sampler = PatchSampler(normal.train.images, size=patch.size, flips=False, rotations=False)
        patches = sampler.draw(training.batch_size, generator("cpu", config.seed, "crops")).to(self.device)

        def step() -> None:
            optimizer.zero_grad()
            learner.training_step(patches, 0).backward()  # type: ignore[no-untyped-call]
            optimizer.step()

        key = str((inputs, training, patch, config.trainer))
        self.trainings.append(Training(key, training.max_steps, training.max_steps * _seconds(step, self.device)))
        return network.to(self.device).eval().requires_grad_(False)


class Estimator:
    """Measures one job on random images; none is read."""

    def __init__(self, config: Config) -> None:
        if config.trainer.threads is not None:
            torch.set_num_threads(config.trainer.threads)
        self.config = config
        self.device = resolve_device(config.trainer)
        self.channels = image_channels(config)
        self.side = config.dataset.image.size or _FALLBACK_SIDE
        self.fit = TimedFit(config, self.device)
        self.identity = {"unet": config.unet, "diffusion": config.diffusion, "simplex": simplex_of(config)}

    def estimate(self) -> Estimate:
        """Take the time of everything; seconds, and longer for methods that train much."""
        config, shares = self.config, shares_network(self.config)
        method = build_method(
            config, Forgetful(), train=lambda *_: self.unet, identity=self.identity, fit=self.fit, device=self.device
        )
        if shares:
            self._time_shared_training()
        image_seconds = None if config.method.name in (*WINDOW_METHODS, *EMBEDDINGS) else self._image_seconds(method)
        side = config.patch.size
        patch = torch.zeros(1, self.channels, side, side, device=self.device)
        return Estimate(
            (parameter_count(self.unet) if shares else 0) + method.own_parameters(self.channels),
            forward_flops(self.unet, patch) if shares else None,
            tuple(self.fit.trainings),
            image_seconds,
        )

    @cached_property
    def unet(self) -> NoisePredictor:
        """The shared network, untrained."""
        config = self.config
        return build_unet(config.unet, patch_size=config.patch.size, image_channels=self.channels, seed=config.seed).to(
            self.device
        )

    def _normals(self) -> Normals:
        stream = generator("cpu", self.config.seed, "crops", "dry run")
        images = [torch.rand(_IMAGES, self.channels, self.side, self.side, generator=stream) for _ in range(2)]
        names = [str(index) for index in range(_IMAGES)]
        return Normals(*(ImageSet(2 * each - 1, names) for each in images))

    def _time_shared_training(self) -> None:
        self.fit(
            self.unet,
            diffusion_objective(self.config),
            inputs=self.identity,
            training=self.config.training,
            patch=self.config.patch,
            normal=self._normals(),
            report=silent,
        )

    def _image_seconds(self, method: MapMethod) -> float:
        """Of one map; where the way back takes many passes of the shared network, of one pass, times their number."""
        config, image = self.config, torch.zeros(1, self.channels, self.side, self.side)
        if config.method.name == "radar":
            density = config.scoring.density.name != "none"
            field = residual_field(config, self.unet) if density else noise_mapper(config, self.unet)
            return _seconds(lambda: field(image, ["dry run"]), self.device)
        mapper = method.fit_map(self._normals(), silent)
        if config.method.name not in RECONSTRUCTIONS:
            return _seconds(lambda: mapper(image, ["dry run"]), self.device)
        predict = noise_mapper(config, self.unet).predict
        with torch.inference_mode():
            one = _seconds(lambda: predict(image.to(self.device)), self.device)
        return one * method.network_passes


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    work()  # the first call builds kernels
    began = time.perf_counter()
    for _ in range(TIMED_STEPS):
        work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / TIMED_STEPS
