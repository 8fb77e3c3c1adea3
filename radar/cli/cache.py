"""`radar cache`: what the artefact store holds, why a stage would be reused or not, and removing what is old."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from radar.cli.printing import PlainConsole
from radar.compose import command_line, output_root
from radar.compose.plan import plan
from radar.config.schema import Config
from radar.errors import ConfigError, RunError
from radar.experiment import artefact_inventory
from radar.experiment.artefact_inventory import Artefact, Remnant, artefacts, damaged, remnants
from radar.experiment.artefact_store import Key
from radar.experiment.run import Experiment
from radar.experiment.session import CACHE_FOLDER, Session
from radar.experiment.stage import Stage
from radar.progress import silent
from radar.report.region_names import named
from radar.runtime.numbers import number_option
from radar.runtime.options import Parser
from radar.runtime.terminal import tell

_DAY = 86_400.0


def cache(arguments: Sequence[str]) -> int:
    """Run one `radar cache` command; returns the exit code."""
    parser = Parser("radar cache", description="Stored stages: what is there, and why.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser(
        "list",
        help="all stored results with size, age and what made them; whether their files are whole, explain says, which reads them",
    )
    prune = verbs.add_parser(
        "prune",
        help="remove results, unfinished trainings too, that were not used for some days; runs keep what they have",
    )
    prune.add_argument("--days", type=_days, required=True, help="since the last use; 0 removes everything")
    explain = verbs.add_parser(
        "explain", help="which stages of an experiment are there, and what differs where one is not"
    )
    explain.epilog = "KEY=VALUE …, -m, --config-name and --config-dir as for an experiment or a sweep"
    for verb in (verbs.choices["list"], prune):
        verb.add_argument("overrides", nargs="*", help="output_root=FOLDER")
    parsed, rest = parser.parse_known_args(arguments)
    console = PlainConsole()
    if parsed.verb == "explain":
        for job in plan(command_line.read(rest)).jobs:
            console.print_table(_explained(job.config))
        return 0
    if rest:
        raise ConfigError(f"{rest[0]}: unknown option; see radar cache --help")
    root = output_root(parsed.overrides)
    if not root.is_dir() and (parsed.overrides or root.exists()):
        raise RunError(f"{root}: is no folder of outputs; check output_root")
    stored = root / CACHE_FOLDER
    for line in damaged(stored):
        tell(f"note: {line}")
    if parsed.verb == "list":
        for line in _listed(stored):
            console.print(line, soft_wrap=True, highlight=False, markup=False)
        return 0
    removed, left = artefact_inventory.prune(stored, parsed.days * _DAY)
    freed = sum(each.megabytes for each in removed) + sum(each.megabytes for each in left)
    console.print(f"{len(removed)} results{_told(left)} removed, {freed:.1f} MB", highlight=False)
    return 0


def _told(left: Sequence[Remnant]) -> str:
    """How many damaged results and unfinished ones, where there are any."""
    unfinished = sum(each.unfinished for each in left)
    counts = {"damaged": len(left) - unfinished, "unfinished": unfinished}
    return "".join(f", {count} {kind}" for kind, count in counts.items() if count)


def _days(text: str) -> float:
    days = number_option(text)
    if not 0 <= days < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: must be a number of days, ≥ 0")
    return days


def _listed(stored: Path) -> Iterator[str]:
    """A line per result; what tells results apart comes last, where a narrow terminal may wrap it."""
    yield str(stored)
    yield f"{'stage':13}  {'result':8}  {'MB':>8}  {'made':10}  {'took, s':>8}  {'unused, d':>9}  of"
    total = 0.0
    for artefact in artefacts(stored):
        total += artefact.megabytes
        yield (
            f"{artefact.stage:13}  {artefact.path.name[:8]}  {artefact.megabytes:8.2f}  {artefact.made[:10]}  "
            f"{artefact.seconds:8.1f}  {artefact.unused_seconds / _DAY:9.1f}  {_brief(artefact)}"
        )
    for remnant in remnants(stored):
        total += remnant.megabytes
        state = "unfinished: the same command goes on from it" if remnant.unfinished else "damaged"
        yield f"{remnant.path.parent.name:13}  {remnant.path.name[:8]}  {remnant.megabytes:8.2f}  {state}"
    yield f"{'all':13}  {'':8}  {total:8.2f}"


_TELLING = (
    "method.name", "network.unet.kind", "network.unet.channels", "patch.size", "training.max_steps", "keys.timestep.value",
    "keys.scoring.draws", "keys.scoring.field", "keys.scoring.blur.kernel", "keys.scoring.window", "denoiser", "fitted",
    "responses", "seed",
)  # fmt: skip


def _brief(artefact: Artefact) -> str:
    """The inputs that a person tells results apart by."""
    values = dict(_leaves(artefact.inputs))
    shown = {key: values[key] for key in _TELLING if key in values}
    return " ".join(f"{key}={value[:12] if isinstance(value, str) else value}" for key, value in shown.items())


def _leaves(tree: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, f"{prefix}{key}.")
    else:
        yield prefix.removesuffix("."), tree


def _explained(config: Config) -> Table:
    """One row per stage: there, or what differs from the stored result that is nearest to it."""
    session = Session(afresh=None)
    experiment = Experiment(config, silent, session)
    stored = list(artefacts(session.store(config).root))
    table = Table(title=experiment.directory.path.name, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    for heading in ("stage", "result", "state", "why"):
        table.add_column(heading)
    for label, stage in experiment.stages.stages():
        table.add_row(label, stage.key.fingerprint[:12], *_state(stage, stored))
    return table


def _state(stage: Stage[object], stored: Sequence[Artefact]) -> tuple[str, str]:
    """Whether a stage's result is there, and why, or why not."""
    if not stage.is_stored:
        return "to be made", _difference(stage.key, [each for each in stored if each.stage == stage.key.stage])
    if damage := stage.damage():
        return "damaged", f"{' '.join(damage.split())}; it is made again"
    return "stored", "same inputs, same version"


def _difference(key: Key, stored: Sequence[Artefact]) -> str:
    if not stored:
        return "no result of this stage is stored"
    wanted = dict(_leaves(json.loads(json.dumps(key.inputs))))

    def differing(artefact: Artefact) -> list[str]:
        found = dict(_leaves(artefact.inputs))
        keys = [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
        return keys + (["version"] if artefact.version != key.version else [])

    nearest = min(stored, key=lambda artefact: len(differing(artefact)))
    found = {**dict(_leaves(nearest.inputs)), "version": nearest.version}
    now = {**wanted, "version": key.version}
    parts = [
        f"{name}: {_short(named(name, found.get(name)))} → {_short(named(name, now.get(name)))}"
        for name in differing(nearest)
    ]
    return f"nearest is {Path(nearest.path).name[:12]}; " + ", ".join(parts)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 20 else text[:12] + "…"
