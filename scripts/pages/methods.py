"""The blocks of docs/methods.md: every method at one training budget, and the recipe beside them."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from radar.evaluation.metrics import value_at
from radar.report.cited import cited
from radar.report.result import Result
from radar.report.settings import method_label
from radar.report.tables import NOTHING, Entry, Table, count, markdown, number, over_seeds, untitled
from scripts.pages.choices import (
    FILTERS,
    PATCHCORE,
    PATCHCORE_LARGE,
    PUBLISHED,
    RECOMMENDED,
    BySet,
    by_method,
    chosen,
    comparable,
    ranks_by_method,
)
from scripts.pages.committed import METHODS, recorded, when_and_where
from scripts.pages.sections import Sections
from scripts.pages.sets import MARK, SHORT

COST_OF = "grid"  # 100 px grey; the other sets of that size cost the same
RADAR = "radar"  # with the preset of the sweeps, which is not the published one

# keys that a variant was given; runs without any are the methods themselves
SAMPLING, ADAPTATION = "diffusion.timestep_sampling", "method.reconstruction.adaptation.max_steps"

Path = tuple[str, ...]
"""Of a metric, of a method or of a control."""
Row = list[Entry | str]
IMAGE_AUROC, PIXEL_AUROC = ("image", "auroc"), ("pixel", "auroc")


def compared(results: Iterable[Result]) -> dict[str, BySet]:
    """The methods of the sweeps, without the variants."""
    return by_method([each for each in results if _given(each, SAMPLING) is None and _given(each, ADAPTATION) is None])


def beside() -> dict[str, BySet]:
    """What has a budget or pixels of its own, and is not ranked for that: by name and set."""
    shown = {f"{name} (not ranked)": chosen()[name] for name in (PUBLISHED, RECOMMENDED, PATCHCORE, PATCHCORE_LARGE)}
    return {
        label: {name: list(cells[name].results) for name in SHORT if name in cells}
        for label, cells in shown.items()
        if cells
    }


def quality_table(methods: Mapping[str, BySet], others: Mapping[str, BySet]) -> Table:
    """Image AUROC and pixel AUROC: a row per method, best mean rank first, and one per control of RADAR's runs."""
    return _table(("image AUROC", "pixel AUROC"), _rows(methods, others, (IMAGE_AUROC, PIXEL_AUROC)))


def decision_table(methods: Mapping[str, BySet], others: Mapping[str, BySet]) -> Table:
    """F1 and false positive rate at the threshold that normal images gave, in the order of the other table."""
    rows = _rows(methods, others, (("image", "f1"), ("image", "false_positive_rate")))
    by_set = [methods[RADAR].get(name, []) for name in SHORT]
    trivial: Row = ["· all called anomalous"]
    trivial += [over_seeds(_values(runs, ("image", "f1_all_anomalous"))) for runs in by_set]
    trivial += [over_seeds([1.0] * len(runs)) for runs in by_set]
    return _table(("F1", "false positive rate"), [*rows, trivial])


def leaders_said(methods: Mapping[str, BySet]) -> Iterator[str]:
    """A sentence per set and measure: who leads, where RADAR stands, and how many methods a filter beats."""
    for measure, path in (("image AUROC", IMAGE_AUROC), ("pixel AUROC", PIXEL_AUROC)):
        for dataset, short in SHORT.items():
            means = _means(methods, dataset, path)
            filters = {name: _values(methods[RADAR].get(dataset, []), path, name) for name in FILTERS}
            best = max(((statistics.fmean(each), name) for name, each in filters.items() if each), default=None)
            if not means or best is None:
                continue
            leading = ", ".join(
                f"`{name}` ({means[name]:.3f})" for name in sorted(means, key=lambda name: -means[name])[:3]
            )
            below = sum(mean < best[0] for mean in means.values())
            own = f"`{RADAR}` has {means[RADAR]:.3f}; " if RADAR in means else ""
            filtered = f"the filter `{best[1]}` ({best[0]:.3f})"
            yield f"{short}, {measure}: {leading} lead; {own}{below} of {len(means)} methods lie below {filtered}."


def margins_said(methods: Mapping[str, BySet]) -> str:
    """RADAR's F1 above the best of the others on each set, beside what the paper claims."""
    told = []
    for dataset, short in SHORT.items():
        means = _means(methods, dataset, ("image", "f1"))
        if RADAR in means and len(means) > 1:
            best = max((name for name in means if name != RADAR), key=lambda name: means[name])
            told.append(f"{100 * (means[RADAR] - means[best]):+.1f} on {short} (`{best}` {means[best]:.3f})")
    claimed = " and ".join(f"+{cited(name).value:g}" for name in ("margin_small", "margin_large"))
    return (
        f"Points of F1 of `{RADAR}` over the best other method, at equal budget: {', '.join(told)}. The paper reports {claimed} "
        f"over the next best on its two sets ({cited('margin_small').source}), neither of which is among these."
    )


def trivial_said(methods: Mapping[str, BySet]) -> Iterator[str]:
    """Which methods decide better than calling everything anomalous."""
    for dataset, short in SHORT.items():
        trivial = _values(methods[RADAR].get(dataset, []), ("image", "f1_all_anomalous"))
        means = _means(methods, dataset, ("image", "f1"))
        if trivial and means:
            better = sorted((name for name in means if means[name] > trivial[0]), key=lambda name: -means[name])
            listed = ", ".join(f"`{name}`" for name in better) or "no method"
            yield f"{short}: {listed}, of {len(means)} (all anomalous: {trivial[0]:.3f})."


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _means(methods: Mapping[str, BySet], dataset: str, path: Path) -> dict[str, float]:
    values = {name: _values(by_set.get(dataset, []), path) for name, by_set in methods.items()}
    return {name: statistics.fmean(each) for name, each in values.items() if each}


def cost_table(methods: Mapping[str, BySet]) -> Table:
    """A row per method: means over the seeds on one set of 100 px, cheapest image first."""
    rows: list[tuple[float, Row]] = []
    for name, by_set in methods.items():
        runs = by_set.get(COST_OF, [])
        if not runs:
            continue
        fitting, milliseconds, passes = (
            _mean(_values(runs, ("cost", key)))
            for key in ("fit_seconds", "milliseconds_per_image", "network_passes_per_image")
        )
        training = statistics.fmean(run.metrics.seconds.get("training", 0.0) for run in runs)
        entries = [number(training, 0), number(fitting, 1), number(milliseconds, 1)]
        rows.append((milliseconds or math.inf, [name, *entries, count(runs[0].metrics.parameters), number(passes, 0)]))
    headings = ("method", "training, s", "fitting, s", "ms per image", "parameters", "network passes per image")
    return untitled(headings, [row for _, row in sorted(rows, key=lambda item: item[0])])


def timestep_table(results: Sequence[Result]) -> Table:
    """The same seeds with timesteps drawn log-uniformly → uniformly in training."""
    uniform = [each for each in results if _given(each, SAMPLING) == "uniform"]
    others = [each for each in results if _given(each, SAMPLING) is None and _given(each, ADAPTATION) is None]
    return _change_table(others, uniform)


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


def ranked(methods: Mapping[str, BySet]) -> list[tuple[str, BySet]]:
    """Methods by their mean rank of image AUROC over the sets on which all of them ran; by name where there is none."""
    ranks = ranks_by_method(methods, *IMAGE_AUROC)
    return sorted(methods.items(), key=lambda item: (ranks.get(item[0], 0.0), item[0]))


def _rows(methods: Mapping[str, BySet], others: Mapping[str, BySet], paths: Sequence[Path]) -> list[Row]:
    """Methods, best mean rank first, what is not ranked, then the controls of RADAR's runs: a cell per metric and set."""
    radar = methods[RADAR]
    rows = [_row(f"`{name}`", by_set, paths) for name, by_set in ranked(methods)]
    rows += [_row(name, by_set, paths) for name, by_set in others.items()]
    controls = next(iter(radar.values()))[0].metrics.controls
    return [*rows, *(_row(f"· {name}", radar, paths, name) for name in controls)]


def _row(label: str, by_set: BySet, paths: Iterable[Path], control: str | None = None) -> Row:
    cells = [_values(by_set.get(name, []), path, control) for path in paths for name in SHORT]
    return [label, *map(over_seeds, cells)]


def _values(runs: Iterable[Result], path: Path, control: str | None = None) -> list[float]:
    """The metric in each run that has it; that of a control in the same runs where one is named."""
    metrics = [run.metrics if control is None else run.metrics.controls.get(control) for run in runs]
    return [value for each in metrics if each is not None and (value := value_at(each, *path)) is not None]


def _table(measures: Sequence[str], rows: Sequence[Row]) -> Table:
    return untitled(["method", *(f"{name}: {measure}" for measure in measures for name in SHORT.values())], rows)


def _said(methods: Mapping[str, BySet], others: Mapping[str, BySet], dropped: Sequence[Result]) -> Iterator[str]:
    yield from leaders_said(methods)
    yield margins_said(methods)
    names = sorted({f"`{method_label(each.config['method'])}` on {SHORT[each.dataset]}" for each in dropped})
    if names:
        yield f"Left out, as run on other pixels or by an older version of the method, and not run again: {', '.join(names)}."
    runs = [run for by_set in (*methods.values(), *others.values()) for each in by_set.values() for run in each]
    yield f"The runs ended {when_and_where(runs)}; all that ran on a GPU are of the published recipe."
    yield f"{MARK} All of these are development sets: their test labels were in view when choices were made; no row confirms anything."


def sections() -> Sections:
    """By their names."""
    recorded_all = recorded(METHODS)
    results = [each for each in recorded_all if comparable(each)]
    methods, others = compared(results), beside()
    dropped = [each for each in recorded_all if not comparable(each) and each.dataset in SHORT]
    said = _said(methods, others, dropped)
    return {
        "quality": markdown(quality_table(methods, others)) + "\n" + "\n".join(f"- {each}" for each in said),
        "decisions": markdown(decision_table(methods, others))
        + "\nBy F1, these are better than calling everything anomalous:\n\n"
        + "\n".join(f"- {each}" for each in trivial_said(methods)),
        "cost": cost_table({f"`{name}`": by_set for name, by_set in methods.items()}),
        "timesteps": timestep_table(results),
    }
