"""One experiment, from a checked config to a complete run directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import yaml

from radar.config.schema import Config
from radar.data.manifest import manifest_text
from radar.errors import RunError
from radar.evaluation.metrics import Metrics
from radar.experiment.clock import Clock
from radar.experiment.command import Command, write_command
from radar.experiment.computation import compute
from radar.experiment.context import Context
from radar.experiment.devices import configure_torch
from radar.experiment.environment import environment
from radar.experiment.run_directory import WANDB_FOLDER, RunDirectory
from radar.experiment.run_fingerprint import fingerprint
from radar.experiment.session import Session
from radar.experiment.stages import ExperimentStages, check_margins, check_sizes
from radar.files import write_json, write_text
from radar.methods.parts.denoising import DENOISER
from radar.methods.relevance import effective
from radar.model_card import counted
from radar.model_folder import fitted_promise
from radar.percent import percent_at_most
from radar.progress import Report
from radar.thresholds import FITTED, read_current_name
from radar.training.device import resolve_device
from radar.training.history import Row


@dataclass(frozen=True)
class Outcome:
    """Where a run's results lie, and what they are."""

    directory: Path
    metrics: Metrics
    notes: tuple[str, ...]  # one-line remarks for the user
    reused: bool  # the run was done before


class Tracker(Protocol):
    """Where numbers go beside the run directory, while the run lasts."""

    note: str  # what is to be said of it, if anything

    def log(self, row: Row) -> None: ...

    def summarise(self, metrics: Metrics) -> None: ...


Track = TypeVar("Track", bound=Tracker)


class Observer(Protocol, Generic[Track]):
    """What accompanies a run and is no part of it: it reads what the run stores, and changes no result."""

    def tracking(self, config: Config, run: RunDirectory, fingerprint: str) -> AbstractContextManager[Track]: ...

    def draw(self, run: RunDirectory, tracker: Track) -> None: ...


class Experiment:
    """The data of one run, its directory and its stages. Raises `DataError` before a run directory exists."""

    def __init__(self, config: Config, report: Report, session: Session) -> None:
        configure_torch(config.trainer, session.threads)
        self.force = session.afresh is not None
        self.report = report
        self.clock = Clock()
        self.device = resolve_device(config.trainer)
        with self.clock.stage("data"):
            self.data = session.open(config, report)
        # a working size was found in the training images: all that follows, a stored run too, knows plain sizes
        config = replace(config, dataset=replace(config.dataset, image=self.data.dataset.image))
        self.config = config
        check_sizes(config, {size for images in self.data.images.values() for size in images.planes.sizes})
        check_margins(config, self.data.images.values())
        self.fingerprint = fingerprint(config, self.data.dataset.content_hash)
        self.directory = RunDirectory.named(Path(config.output_root), config.name, self.fingerprint)
        self.publish: Callable[[Row], None] = _unpublished
        context = Context(session.store(config), self.data, self.device, self._report, self._publish)
        self.stages = ExperimentStages(config, context)

    def _publish(self, row: Row) -> None:
        self.publish(row)

    def _report(self, done: int, total: int, what: str) -> None:
        self.report(done, total, what)

    def notes(self) -> tuple[str, ...]:
        """One-line remarks on the data and on what the threshold can promise."""
        wanted, name = self.config.contamination.value, self.stages.method.detector_sets[1]
        shifted = self.config.detector.threshold == "shifted"
        key, name = ("fitted_on", self.config.detector.fitted_on) if shifted else ("threshold_on", name)
        groups = self.stages.method.groups_of(name)
        count, images = len(set(groups)), counted(len(groups), len(set(groups)))[0]
        remarks = [*self.data.dataset.notes, *self.data.notes, *self.stages.context.store.notes]
        if wanted * (count + 1) < 1:
            remarks.append(
                f"contamination.value={wanted}: {images} set the threshold (detector.{key}={name}), too few for "
                f"fewer false alarms than 1 in {count + 1}; add normal images{' of other groups' if count < len(groups) else ''}"
            )
        return tuple(remarks)


def run_experiment(experiment: Experiment, observer: Observer[Track], command: Command | None = None) -> Outcome:
    """Run one experiment, or return the stored result of the same config on the same data.

    `command` is how it was asked for, where a command line did. With the session's `afresh` it starts over. A figure, a
    dashboard or a log that fails is told in the notes and fails nothing.
    Raises `RunError` where the run cannot go on.
    """
    run = experiment.directory

    def stored() -> Outcome | None:
        if experiment.force or run.read_status().state != "done":
            return None
        return Outcome(run.path, run.read_metrics(), _told(experiment, *_lacking(experiment)), reused=True)

    if outcome := stored():
        return outcome
    with run.held():
        if outcome := stored():  # another process may just have finished it
            return outcome
        if experiment.force:
            run.clear()
        failures: list[str] = []
        with run.recorded(experiment.fingerprint):
            if command is not None:
                write_command(run.path, command)
            metrics = _compute(experiment, observer, failures)
    return Outcome(run.path, metrics, _told(experiment, *failures), reused=False)


def _told(experiment: Experiment, *more: str) -> tuple[str, ...]:
    """The remarks on a run that is done."""
    return (*experiment.notes(), *_promised_above(experiment), *more)


def _promised_above(experiment: Experiment) -> Iterator[str]:
    """Where images in groups set the threshold: that it keeps the contamination of single images, and of groups more lie above it."""
    asked, groups = experiment.config.contamination.value, len(set(experiment.stages.method.threshold_groups))
    try:
        promised = fitted_promise(experiment.directory.model)
    except RunError:  # removed or damaged since: whoever loads it is told, and the run's numbers are whole
        return
    least = 1 / (groups + 1)  # where less is asked for, that they are too few is said already
    if promised is not None and promised > max(asked, least):
        helps = "; `radar calibrate` takes one that counts groups" if asked >= least else ""
        yield (
            f"contamination.value={asked}: of images that are not alike; by groups ({groups} of them), as images of one sheet, strip "
            f"or batch are, at most {percent_at_most(promised)}% are expected above the threshold, on the terms of the model's "
            f"card{helps}"
        )


def _lacking(experiment: Experiment) -> Iterator[str]:
    """What a run that was done before does not have: a model that was removed since, or what `logger` asks for by now."""
    logger, run = experiment.config.logger, experiment.directory
    if not run.model.is_dir():
        yield f"{run.model}: is not there any more, so that only the results can be read; --force makes it again"
    elif (name := read_current_name(run.model)) != FITTED:
        yield f"{run.path}: threshold {name} decides on new photos by now; what is told here is of the fitted one"
    kept, config = run.read_config(), experiment.config
    dataset = kept.get("dataset")
    named = dataset if isinstance(dataset, dict) else {}
    for key, section, now in (("dataset.name", named, config.dataset.name), ("tags", kept, config.tags)):
        told = section.get(key.rpartition(".")[2], now)
        if told != now:
            yield f"{key}={now}: what was done before keeps {told}; --force makes it again"
    if logger.csv and DENOISER in experiment.stages.method.trainings and not run.history.exists():
        yield f"logger.csv=true: {run.path} was made without {run.history.name}; --force makes the run again, with it"
    if logger.wandb is not None and not (run.path / WANDB_FOLDER).exists():
        yield f"logger.wandb: {run.path} was made without W&B; --force makes the run again, with it"


def _compute(experiment: Experiment, observer: Observer[Track], failures: list[str]) -> Metrics:
    config, run = experiment.config, experiment.directory
    write_text(run.config, yaml.safe_dump(effective(config), sort_keys=False, allow_unicode=True))
    write_text(run.manifest, manifest_text(experiment.data.dataset.samples))
    dataset = experiment.data.dataset
    write_json(run.environment, environment(experiment.device, dataset.manifest_hash, dataset.masks_hash))
    with ExitStack() as closing:
        tracked = observer.tracking(config, run, experiment.fingerprint)
        tracker = tracked.__enter__()
        closing.push(_closing(tracked, failures))
        failures += filter(None, [tracker.note])
        experiment.publish = _guarded(tracker.log, "logger", failures)
        metrics = compute(config, experiment.stages, experiment.clock, run, experiment.fingerprint)
        write_json(run.metrics, metrics.to_dict())
        with forgiven("logger", failures):
            tracker.summarise(metrics)
        if config.evaluation.figures:
            with forgiven("figures", failures):
                observer.draw(run, tracker)
    return metrics


@contextmanager
def forgiven(what: str, failures: list[str]) -> Iterator[None]:
    """Turn an exception of the body into a line of `failures`, once."""
    try:
        yield
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        line = f"{what}: failed ({reason}); the run's results are complete without it"
        if line not in failures:
            failures.append(line)


def _guarded(publish: Callable[[Row], None], what: str, failures: list[str]) -> Callable[[Row], None]:
    def forgiving(row: Row) -> None:
        with forgiven(what, failures):
            publish(row)

    return forgiving


def _closing(tracked: AbstractContextManager[Track], failures: list[str]) -> Callable[..., None]:
    def close(*error: object) -> None:
        with forgiven("logger", failures):
            tracked.__exit__(*error)  # type: ignore[arg-type]  # the three that ExitStack hands over

    return close


def _unpublished(row: Row) -> None:
    """Before a tracker is there."""
