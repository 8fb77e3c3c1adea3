"""The blocks of docs/methods.md: every method at one training budget and, of the recommended recipe, the study."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from radar.evaluation.metrics import value_at
from radar.report.result import Result
from radar.report.settings import method_label
from radar.report.tables import NOTHING, Entry, Table, count, number, untitled
from scripts.pages.committed import METHODS, STUDY, recorded
from scripts.pages.quality import METHOD as RECOMMENDED
from scripts.pages.quality import SHORT
from scripts.pages.sections import Sections

COST_OF = "grid"  # 100 px grey; the other sets of that size cost the same

# keys that a variant was given; runs without any are the methods themselves
SAMPLING, ADAPTATION = "diffusion.timestep_sampling", "method.reconstruction.adaptation.max_steps"

Path = tuple[str, ...]
"""Of a metric, of a method or of a control."""
BySet = dict[str, list[Result]]
Row = list[Entry | str]
IMAGE_AUROC, PIXEL_AUROC = ("image", "auroc"), ("pixel", "auroc")


def by_method(results: Iterable[Result]) -> dict[str, BySet]:
    """Results of the four sets, by method and set, without the variants."""
    found: dict[str, BySet] = defaultdict(lambda: defaultdict(list))
    for result in results:
        if result.dataset in SHORT and _given(result, SAMPLING) is None and _given(result, ADAPTATION) is None:
            found[method_label(result.config["method"])][result.dataset].append(result)
    return found


def quality_table(methods: Mapping[str, BySet]) -> Table:
    """Image AUROC and pixel AUROC: a row per method, best mean rank first, and one per control of RADAR's runs."""
    return _table(("image AUROC", "pixel AUROC"), _rows(methods, (IMAGE_AUROC, PIXEL_AUROC)))


def decision_table(methods: Mapping[str, BySet]) -> Table:
    """F1 and false positive rate at the threshold that normal images gave, in the order of the other table."""
    rows = _rows(methods, (("image", "f1"), ("image", "false_positive_rate")))
    trivial: Row = ["· all called anomalous"]
    by_set = [methods["radar"].get(name, []) for name in SHORT]
    trivial += [mean_and_deviation(_values(runs, ("image", "f1_all_anomalous"))) for runs in by_set]
    trivial += [mean_and_deviation([1.0] * len(runs)) for runs in by_set]
    return _table(("F1", "false positive rate"), [*rows, trivial])


def cost_table(methods: Mapping[str, BySet]) -> Table:
    """A row per method: means over the seeds on one set of 100 px, cheapest image first."""
    rows: list[tuple[float, Row]] = []
    for name, by_set in methods.items():
        runs = by_set.get(COST_OF, [])
        if not runs:
            continue
        fitting, milliseconds, passes = (
            statistics.fmean(_values(runs, ("cost", key)))
            for key in ("fit_seconds", "milliseconds_per_image", "network_passes_per_image")
        )
        training = statistics.fmean(run.metrics.seconds.get("training", 0.0) for run in runs)
        entries = [number(training, 0), number(fitting, 1), number(milliseconds, 1)]
        rows.append((milliseconds, [f"`{name}`", *entries, count(runs[0].metrics.parameters), number(passes, 0)]))
    headings = ("method", "training, s", "fitting, s", "ms per image", "parameters", "network passes per image")
    return untitled(headings, [row for _, row in sorted(rows, key=lambda item: item[0])])


def timestep_table(results: Sequence[Result]) -> Table:
    """The same seeds with timesteps drawn log-uniformly → uniformly in training."""
    uniform = [each for each in results if _given(each, SAMPLING) == "uniform"]
    others = [each for each in results if _given(each, SAMPLING) is None and _given(each, ADAPTATION) is None]
    return _change_table(others, uniform)


def fine_tuning_table(results: Sequence[Result]) -> Table:
    """DDAD without → with fine-tuned features."""
    by_steps: dict[str | None, list[Result]] = defaultdict(list)
    for result in results:
        by_steps[_given(result, ADAPTATION)].append(result)
    return _change_table(by_steps["0"], by_steps["100"])


def _change_table(before: Iterable[Result], after: Iterable[Result]) -> Table:
    """A row per method: image AUROC and pixel AUROC of each set, `before` → `after`; means over the seeds that both have."""
    known = {_identity(each): each for each in before}
    pairs: dict[str, dict[str, list[tuple[Result, Result]]]] = defaultdict(lambda: defaultdict(list))
    for each in after:
        if _identity(each) in known:
            pairs[method_label(each.config["method"])][each.dataset].append((known[_identity(each)], each))
    rows: list[Row] = []
    for label, by_set in sorted(pairs.items()):
        changes = [_change(by_set[name], path) for path in (IMAGE_AUROC, PIXEL_AUROC) for name in SHORT]
        rows.append([f"`{label}`", *changes])
    return _table(("image AUROC", "pixel AUROC"), rows)


def _change(pairs: Sequence[tuple[Result, Result]], path: Path) -> str:
    sides = zip(*pairs, strict=True)
    return " → ".join(f"{statistics.fmean(_values(side, path)):.3f}" for side in sides) or NOTHING


def _given(result: Result, key: str) -> str | None:
    """What the command gave `key`; None where it left it alone."""
    return next((text.partition("=")[2] for text in result.command.overrides if text.startswith(f"{key}=")), None)


def _identity(result: Result) -> tuple[str, str, int]:
    return method_label(result.config["method"]), result.dataset, result.seed


def ranked(methods: Mapping[str, BySet], path: Path) -> list[tuple[str, BySet]]:
    """Methods by their mean rank over the sets on which all of them ran; by name where there is none."""
    shared = [name for name in SHORT if all(by_set.get(name) for by_set in methods.values())]
    ranks: dict[str, list[int]] = defaultdict(list)
    for dataset in shared:
        means = {name: statistics.fmean(_values(by_set[dataset], path)) for name, by_set in methods.items()}
        for name, mean in means.items():
            ranks[name].append(sum(other > mean for other in means.values()))
    return sorted(methods.items(), key=lambda item: (statistics.fmean(ranks[item[0]] or [0]), item[0]))


def _rows(methods: Mapping[str, BySet], paths: Sequence[Path]) -> list[Row]:
    """Methods, best mean rank first, then the controls of RADAR's runs: a cell per metric and set."""
    radar = methods["radar"]
    rows = [_row(f"`{name}`", by_set, paths) for name, by_set in ranked(methods, IMAGE_AUROC)]
    controls = next(iter(radar.values()))[0].metrics.controls
    return [*rows, *(_row(f"· {name}", radar, paths, name) for name in controls)]


def _row(label: str, by_set: BySet, paths: Iterable[Path], control: str | None = None) -> Row:
    cells = [_values(by_set.get(name, []), path, control) for path in paths for name in SHORT]
    return [label, *map(mean_and_deviation, cells)]


def _values(runs: Iterable[Result], path: Path, control: str | None = None) -> list[float]:
    """The metric in each run that has it; that of a control in the same runs where one is named."""
    metrics = [run.metrics if control is None else run.metrics.controls[control] for run in runs]
    return [value for each in metrics if (value := value_at(each, *path)) is not None]


def mean_and_deviation(values: Sequence[float]) -> Entry:
    """Three digits; the standard deviation (n − 1) where there are several values and it is seen, a dash where there is none."""
    if not values:
        return Entry(NOTHING)
    deviation = f"{statistics.stdev(values):.3f}" if len(values) > 1 else "0.000"
    mean = statistics.fmean(values)
    return Entry(f"{mean:.3f}" if deviation == "0.000" else f"{mean:.3f} ± {deviation}", mean)


def _table(measures: Sequence[str], rows: Sequence[Row]) -> Table:
    return untitled(["method", *(f"{name}: {measure}" for measure in measures for name in SHORT.values())], rows)


def sections() -> Sections:
    """By their names."""
    recommended = [each for each in recorded(STUDY) if each.config["method"]["name"] == RECOMMENDED]
    results = recorded(METHODS)
    methods = by_method([*results, *recommended])
    return {
        "quality": quality_table(methods),
        "decisions": decision_table(methods),
        "cost": cost_table(methods),
        "timesteps": timestep_table(results),
        "fine-tuning": fine_tuning_table(results),
    }
