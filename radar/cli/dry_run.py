"""`--dry-run`: what would run, and an estimate of its cost from a few timed steps on random images; no image is decoded."""

from __future__ import annotations

from dataclasses import asdict, replace

import torch
from rich.box import SIMPLE
from rich.table import Column, Table

from radar.cli.estimate import TIMED_STEPS, Estimate, estimate
from radar.cli.printing import PlainConsole
from radar.cli.timed_picture import timed_picture
from radar.compose.plan import Plan
from radar.config.schema import Config
from radar.config.typed import extents
from radar.methods.registry import method_of
from radar.rasters import Size
from radar.training.device import resolve_device

_WIDEST_WORD = 30  # characters of an override that a table keeps on one line
_NOTHING = "–"


def dry_run(plan: Plan) -> int:
    """Print one line per job and the estimated total; returns the exit code."""
    titles = [name if name and plan.is_sweep else str(number) for number, name in enumerate(plan.names, start=1)]
    widest = max(len(word) for title in (*titles, "job") for word in title.split())
    names = [Column("job", min_width=min(widest, _WIDEST_WORD)), Column("dataset")]
    numbers = ("parameters", "MFLOP", "steps", "training", "ms")
    table = Table(*names, *(Column(each, no_wrap=True) for each in numbers), box=SIMPLE, padding=(0, 1, 0, 0))
    measured: dict[str, Estimate] = {}
    pictures = {str(job.config.dataset): job.config.dataset for job in plan.jobs}
    longest = max((length for job in plan.jobs for _, length in extents(job.config)), default=0)
    timed = {key: timed_picture(dataset, longest) for key, dataset in pictures.items()}
    trainings: dict[str, float] = {}  # jobs that differ after training share one
    threads = torch.get_num_threads()  # torch's own choice, for jobs that leave it to torch
    for job, title in zip(plan.jobs, titles, strict=True):
        found = _measured(job.config, measured, threads, timed[str(job.config.dataset)].size)
        trainings |= {training.key + _data_and_seed(job.config): training.seconds for training in found.trainings}
        table.add_row(title, job.config.dataset.name, *_cells(found))
    console = PlainConsole()
    console.print_table(table)
    if plan.is_search:
        console.print(
            f"A search: the experiment that it starts from; {plan.settings.sweeper.n_trials} trials vary {', '.join(plan.axes)}",
            highlight=False,
        )
    for note in dict.fromkeys(each.note for each in timed.values() if each.note is not None):
        console.print(note, highlight=False, soft_wrap=True)
    console.print(_summary(plan, trainings), highlight=False)
    return 0


def _measured(config: Config, measured: dict[str, Estimate], threads: int, size: Size) -> Estimate:
    """Jobs that differ in seed or data alone, with pictures of one size, take equally long, but each has trainings of its own."""
    timed = (
        config.unet,
        config.diffusion,
        config.patch,
        config.scoring,
        config.trainer,
        config.method,
        config.training,
    )
    key = str([size, *(asdict(section) for section in (*timed, config.dataset.image))])
    if key not in measured:
        measured[key] = estimate(config, threads, size)
    return measured[key]


def _data_and_seed(config: Config) -> str:
    """What else tells one training from another."""
    read = replace(config.dataset, name="", near_duplicates="", megapixels=0.0)  # which change no image
    return str((config.seed if method_of(config).draws_numbers else None, read))


def _cells(found: Estimate) -> list[str]:
    return [
        f"{found.parameters:,}",
        _NOTHING if found.flops is None else f"{found.flops / 1e6:.1f}",
        " + ".join(str(training.steps) for training in found.trainings) or _NOTHING,
        _duration(sum(training.seconds for training in found.trainings)) if found.trainings else "nothing",
        f"{1000 * found.image_seconds:.1f}",
    ]


def _summary(plan: Plan, trainings: dict[str, float]) -> str:
    jobs, device = f"{len(plan.jobs)} job(s)", resolve_device(plan.jobs[0].config.trainer).type.upper()
    if not trainings:
        return f"{jobs}; nothing is trained: normal images are fitted when they are scored. Metrics and figures come on top."
    return (
        f"{jobs} with {len(trainings)} training(s), about "
        f"{_duration(sum(trainings.values()))} of training in all on this {device}, timed over {TIMED_STEPS} steps; "
        "fits without training, controls, metrics and figures come on top. ms: of one image, scored alone. "
        "MFLOP: the diffusion network, one patch, forward. "
        "Without --force, jobs that are done are not computed again."
    )


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{seconds / 60:.1f} min"
