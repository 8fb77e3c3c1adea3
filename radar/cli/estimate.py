"""What a job would cost: a few steps of every training of its method on random images, and one of them scored."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from radar.config.schema import Config
from radar.data.images import Images
from radar.data.preprocessing import Frame, plane_names
from radar.data.sample import NORMAL_DEFECT, Sample, Split
from radar.experiment.devices import configure_torch
from radar.experiment.networks import training_inputs
from radar.methods.method import Normals, Training
from radar.methods.parts.denoising import DENOISER
from radar.methods.registry import method_of
from radar.methods.responses import read, responses
from radar.networks.cost import forward_flops, parameter_count
from radar.progress import silent
from radar.rasters import Rasters, Size
from radar.seeds import generator
from radar.training.crops import PatchSampler
from radar.training.device import resolve_device
from radar.training.memory import built_within_memory, check_step
from radar.training.module import TrainingModule

TIMED_STEPS = 3
_IMAGES = 4  # random ones in place of each set of normals
_MANY_PASSES = 8  # of a network over one image: then one timed call is enough


@dataclass(frozen=True)
class TrainingEstimate:
    """One training that a job needs."""

    key: str  # equal for jobs that share it, as the store has it, where they share seed and data
    steps: int
    seconds: float


@dataclass(frozen=True)
class Estimate:
    """What one job would train, and what it would then cost to score an image."""

    parameters: int  # of all networks that are run
    flops: int | None  # of the shared network, one patch forward
    trainings: tuple[TrainingEstimate, ...]
    image_seconds: float


def estimate(config: Config, threads: int, size: Size) -> Estimate:
    """Take the time of everything on random images; seconds, and longer for methods that train much. None is read.

    `threads` is how many CPU threads torch takes where the config leaves that to it, `size` height and width in px of the images.
    """
    configure_torch(config.trainer, threads)
    device, method = resolve_device(config.trainer), method_of(config)
    normals = Normals(_random_images(config, "train", size), _random_images(config, "validation", size))
    networks: dict[str, nn.Module] = {name: read().to(device) for name, read in method.pretrained.items()}
    trainings: dict[str, TrainingEstimate] = {}
    for training in method.trainings(normals):
        build = partial(training.build, networks)
        networks[training.name] = built_within_memory(build, device).to(device)
        key = json.dumps(
            [training_inputs(method, training), [trainings[name].key for name in training.parents]], sort_keys=True
        )
        seconds = _training_seconds(config, training, networks, device)
        trainings[training.name] = TrainingEstimate(key, training.training.max_steps, seconds)
        networks[training.name].eval().requires_grad_(False)
    fitted = method.fit(normals, networks, silent).to(device).eval().requires_grad_(False)
    one = normals.train[:1]

    def score() -> Tensor:
        response = responses(fitted, one.planes, one.identities, seed=config.seed, images_per_pass=1, report=silent)
        return read(fitted, response, images_per_pass=1).points

    side, shared = config.patch.size, networks.get(DENOISER)
    patch = torch.zeros(1, one.network_planes.channels, side, side, device=device)
    return Estimate(
        parameter_count(fitted),
        None if shared is None else forward_flops(shared, patch),
        tuple(trainings.values()),
        _seconds(score, device, calls=1 if fitted.network_passes > _MANY_PASSES else TIMED_STEPS),
    )


def _random_images(config: Config, split: Split, size: Size) -> Images:
    """White noise in place of a set of normals, each image a group of its own."""
    image, (height, width) = config.dataset.image, size
    names, stream = plane_names(image), generator("cpu", config.seed, "crops", split)
    noise = 2 * torch.rand(_IMAGES, len(names), height, width, generator=stream) - 1
    if image.region_of_interest is not None:
        noise[:, -1] = 1  # all of it: what takes longest
    planes = Rasters.of(noise)
    identities = [f"{split}/{index}" for index in range(_IMAGES)]
    samples = tuple(Sample(each, each, split, 0, NORMAL_DEFECT, None, each) for each in identities)
    return Images(planes, names, samples, (Frame(height, width, 0, 0, height, width),) * _IMAGES)


def _training_seconds(
    config: Config, training: Training, networks: dict[str, nn.Module], device: torch.device
) -> float:
    """How long all of its steps take, by a few, which leave the network nearly as it was."""
    settings, network, material = training.training, networks[training.name], training.material(networks)
    learner = TrainingModule(
        network, material.objective, training=settings, trainer=config.trainer, seed=config.seed
    ).to(device)
    learner.on_fit_start()
    optimizer = learner.configure_optimizers()["optimizer"]
    images = material.train.first(material.train.channels - material.has_region)
    sampler = PatchSampler(images, size=training.patch.size, flips=False, rotations=False)
    stream = generator("cpu", config.seed, "crops")
    check_step(learner, sampler.draw(1, stream).to(device), training.patch, settings)
    crops = sampler.draw(settings.batch_size, stream).to(device)

    def step() -> None:
        optimizer.zero_grad()
        learner.training_step(crops, 0).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return settings.max_steps * _seconds(step, device, calls=TIMED_STEPS)


def _seconds(work: Callable[[], object], device: torch.device, *, calls: int) -> float:
    if calls > 1:
        work()  # the first call builds kernels
    began = time.perf_counter()
    for _ in range(calls):
        work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / calls
