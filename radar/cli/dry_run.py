"""`--dry-run`: what would run, and an estimate of its cost from a few timed steps on random crops; no image is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict

import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from radar.cli.composing import Plan
from radar.config import Config
from radar.diffusion.build import NoisePredictor, build_schedule, build_unet
from radar.diffusion.unet import forward_flops, parameter_count
from radar.experiment.stored_model import image_channels
from radar.experiment.training import resolve_device
from radar.methods.radar import noise_mapper, residual_field

_TIMED_STEPS = 3
_WIDEST_WORD = 30  # characters of an override that a table keeps on one line
_FALLBACK_SIDE = 100  # px, where files bring their own size: the paper's


def dry_run(plan: Plan) -> int:
    """Print one line per job and the estimated total; returns the exit code."""
    widest = max(len(word) for name in (*plan.names, "job") for word in name.split())
    names = [Column("job", overflow="fold", min_width=min(widest, _WIDEST_WORD)), Column("dataset", overflow="fold")]
    table = Table(
        *names, "patch", "parameters", "MFLOP", "steps", "training", "ms/image", box=SIMPLE, padding=(0, 1, 0, 0)
    )
    measured: dict[str, tuple[float, float, NoisePredictor]] = {}
    trainings: dict[str, float] = {}  # jobs that differ after training share one
    for number, (job, name) in enumerate(zip(plan.jobs, plan.names, strict=True), start=1):
        config = job.config
        key = str([asdict(section) for section in (config.unet, config.patch, config.scoring, config.trainer)]) + str(
            (config.training.batch_size, config.dataset.image.size, config.dataset.image.channels)
        )
        if key not in measured:
            measured[key] = _measure(config)
        step, image, unet = measured[key]
        seconds = step * config.training.max_steps
        trainings[_training(config)] = seconds
        table.add_row(
            name if name and plan.is_sweep else str(number),
            config.dataset.name,
            str(config.patch.size),
            f"{parameter_count(unet):,}",
            f"{_flops(unet, config) / 1e6:.1f}",
            str(config.training.max_steps),
            _duration(seconds),
            f"{1000 * image:.1f}",
        )
    console = Console()
    console.print(table)
    device = resolve_device(plan.jobs[0].config)
    if plan.is_search:
        console.print(
            f"A search: the experiment that it starts from; {plan.settings.sweeper.n_trials} trials vary {', '.join(plan.axes)}",
            highlight=False,
        )
    console.print(
        f"MFLOP: one patch, forward. {len(plan.jobs)} job(s) with {len(trainings)} training(s), about "
        f"{_duration(sum(trainings.values()))} of training in all on this "
        f"{device.type.upper()}, timed over {_TIMED_STEPS} steps; controls, metrics and figures come on top. "
        "Without --force, jobs that are done are not computed again.",
        highlight=False,
    )
    return 0


def _training(config: Config) -> str:
    """What tells one training from another."""
    image = (config.dataset.image, config.dataset.train_images, config.dataset.split_seed, config.dataset.name)
    return str((config.unet, config.patch, config.diffusion, config.training, config.trainer, config.seed, image))


def _measure(config: Config) -> tuple[float, float, NoisePredictor]:
    """Seconds per training step, seconds per scored image, and the network."""
    if config.trainer.threads is not None:
        torch.set_num_threads(config.trainer.threads)
    device = resolve_device(config)
    channels = image_channels(config)
    unet = build_unet(config.unet, patch_size=config.patch.size, image_channels=channels, seed=config.seed).to(device)
    schedule = build_schedule(config.diffusion).to(device)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=config.training.learning_rate)
    patches = torch.randn(config.training.batch_size, channels, config.patch.size, config.patch.size, device=device)
    timestep = torch.full((len(patches),), config.timestep.value, device=device)

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(unet(schedule(patches, patches, timestep), timestep), patches).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    side = config.dataset.image.size or _FALLBACK_SIDE
    image = torch.zeros(1, channels, side, side)
    mapper = noise_mapper(config, unet) if config.scoring.density.name == "none" else residual_field(config, unet)
    return _seconds(step, device), _seconds(lambda: mapper(image, ["dry run"]), device), unet


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    work()  # the first call builds kernels
    began = time.perf_counter()
    for _ in range(_TIMED_STEPS):
        work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / _TIMED_STEPS


def _flops(unet: NoisePredictor, config: Config) -> int:
    """Floating-point operations of one forward pass over one patch."""
    side, device = config.patch.size, next(unet.parameters()).device
    return forward_flops(unet, torch.zeros(1, image_channels(config), side, side, device=device))


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{seconds / 60:.1f} min"
