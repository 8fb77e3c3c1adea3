"""A method's own networks trained by a plain loop, and the method fitted with them."""

from __future__ import annotations

import torch

from radar.methods.method import FittedMethod, Networks, Normals, Training
from radar.methods.parts.denoising import DENOISER
from radar.methods.registry import method_of
from radar.progress import silent
from radar.seeds import StepClock
from radar.training.crops import PatchSampler
from radar.training.ema import ExponentialAverage


def trained(training: Training, networks: Networks, *, steps: int | None = None) -> torch.nn.Module:
    """The averaged network of one training, in few large steps."""
    material, network = training.material(networks), training.build(networks)
    network.train(material.objective.training_mode)
    optimizer, average = torch.optim.AdamW(network.parameters(), lr=3e-3), ExponentialAverage(network, decay=0.9)
    sampler = PatchSampler(material.train, size=training.patch.size, flips=False, rotations=False)
    for step in range(steps or training.training.max_steps):
        crops = sampler.draw(min(48, training.training.batch_size), torch.Generator().manual_seed(step))
        clock = StepClock(seed=0, step=step, batch=step, rank=0, world_size=1, device=torch.device("cpu"))
        optimizer.zero_grad()
        material.objective.training_loss(network.forward, crops, clock).backward()
        optimizer.step()
        average.update(step + 1)
    return average.average.eval()


def fitted_with(config, denoiser: torch.nn.Module, normals: Normals, *, steps: int | None = None) -> FittedMethod:
    """The method of a config around `denoiser`, its own networks trained."""
    method = method_of(config)
    networks = {DENOISER: denoiser, **{name: read() for name, read in method.pretrained.items()}}
    for training in method.trainings(normals):
        if training.name != DENOISER:
            networks[training.name] = trained(training, networks, steps=steps)
    return method.fit(normals, networks, silent)
