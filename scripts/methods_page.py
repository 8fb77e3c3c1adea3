"""Write the tables of docs/methods.md anew from the records below docs/results.

    python -m scripts.methods_page

Reads docs/results/methods (every method at one training budget) and, for the recommended recipe, docs/results/study.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from radar.files import write_text
from radar.report.settings import method_label
from radar.report.stored import Result, read_results
from scripts.command_line import guarded
from scripts.page_sections import page_with
from scripts.quality_page import METHOD as RECOMMENDED
from scripts.quality_page import SHORT
from scripts.record_runs import DOCS

PAGE = DOCS / "methods.md"
WRITER = "scripts/methods_page.py"
METHODS = DOCS / "results" / "methods"
STUDY = DOCS / "results" / "study"
COST_OF = "grid"  # 100 px grey; the other sets of that size cost the same

UNIFORM, FINE_TUNED = "uniform", "fine_tuning"  # tags of the variants

Figure = Callable[[Mapping[str, Any]], float]
"""One number of what `metrics.json` holds of a method or a control."""
BySet = dict[str, list[Result]]


def by_method(results: Iterable[Result]) -> dict[str, BySet]:
    """Results of the four sets, by method and set, without the variants."""
    found: dict[str, BySet] = defaultdict(lambda: defaultdict(list))
    for result in results:
        if result.dataset in SHORT and result.config["tags"] not in ([UNIFORM], [FINE_TUNED]):
            found[method_label(result.config["method"])][result.dataset].append(result)
    return found


def quality_table(methods: Mapping[str, BySet]) -> str:
    """Image AUROC and pixel AUROC: a row per method, best mean rank first, and one per control of RADAR's runs."""
    figures: tuple[Figure, ...] = (_image_auroc, _pixel_auroc)
    rows = [_row(f"`{name}`", by_set, figures) for name, by_set in ranked(methods, figures[0])]
    rows += [_row(f"· {name}", methods["radar"], figures, name) for name in _controls(methods["radar"])]
    return _table(("image AUROC", "pixel AUROC"), rows)


def decision_table(methods: Mapping[str, BySet]) -> str:
    """F1 and false positive rate at the threshold that normal images gave, in the order of the other table."""
    figures: tuple[Figure, ...] = (
        lambda metrics: metrics["image"]["f1"],
        lambda metrics: metrics["image"]["false_positive_rate"],
    )
    order = ranked(methods, _image_auroc)
    rows = [_row(f"`{name}`", by_set, figures) for name, by_set in order]
    rows += [_row(f"· {name}", methods["radar"], figures, name) for name in _controls(methods["radar"])]
    trivial: tuple[Figure, ...] = (lambda metrics: metrics["image"]["f1_all_anomalous"], lambda _: 1.0)
    rows.append(_row("· all called anomalous", methods["radar"], trivial))
    return _table(("F1", "false positive rate"), rows)


def cost_table(methods: Mapping[str, BySet]) -> str:
    """A row per method: means over the seeds on one set of 100 px, cheapest image first."""
    rows = []
    for name, by_set in methods.items():
        metrics = [run.metrics for run in by_set.get(COST_OF, [])]
        if not metrics:
            continue
        cost = {key: statistics.fmean(each["cost"][key] for each in metrics) for key in metrics[0]["cost"]}
        training = [each["seconds"].get("training", 0.0) for each in metrics]
        parameters = metrics[0]["parameters"]
        passes = f"{cost['network_passes_per_image']:.0f}"
        milliseconds = cost["milliseconds_per_image"]
        cells = (
            f"`{name}`",
            f"{statistics.fmean(training):.0f}",
            f"{cost['fit_seconds']:.1f}",
            f"{milliseconds:.1f}",
            f"{parameters:,}",
            passes,
        )
        rows.append((milliseconds, f"| {' | '.join(cells)} |"))
    head = ("method", "training, s", "fitting, s", "ms per image", "parameters", "network passes per image")
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(row for _, row in sorted(rows))])


def timestep_table(results: Sequence[Result]) -> str:
    """The same seeds with timesteps drawn log-uniformly → uniformly in training."""
    uniform = [each for each in results if each.config["tags"] == [UNIFORM]]
    return _change_table([each for each in results if each.config["tags"] == ["fast"]], uniform)


def fine_tuning_table(results: Sequence[Result]) -> str:
    """DDAD without → with fine-tuned features."""
    by_steps: dict[bool, list[Result]] = defaultdict(list)
    for result in results:
        if result.config["tags"] == [FINE_TUNED]:
            adaptation = result.config["method"]["reconstruction"]["adaptation"]
            by_steps[adaptation["max_steps"] > 0].append(result)
    return _change_table(by_steps[False], by_steps[True])


def _change_table(before: Iterable[Result], after: Iterable[Result]) -> str:
    """A row per method: image AUROC and pixel AUROC of each set, `before` → `after`; means over the seeds that both have."""
    known = {_identity(each): each for each in before}
    pairs: dict[str, BySet] = defaultdict(lambda: defaultdict(list))
    others: dict[str, BySet] = defaultdict(lambda: defaultdict(list))
    for each in after:
        if _identity(each) in known:
            label = method_label(each.config["method"])
            pairs[label][each.dataset].append(known[_identity(each)])
            others[label][each.dataset].append(each)
    rows = []
    for label in sorted(pairs):
        cells = [f"`{label}`"]
        for figure in (_image_auroc, _pixel_auroc):
            for dataset in SHORT:
                first, second = pairs[label].get(dataset, []), others[label].get(dataset, [])
                cells.append(f"{_mean(first, figure):.3f} → {_mean(second, figure):.3f}" if first else "–")
        rows.append(f"| {' | '.join(cells)} |")
    return _table(("image AUROC", "pixel AUROC"), rows)


def _identity(result: Result) -> tuple[str, str, int]:
    return method_label(result.config["method"]), result.dataset, result.seed


def ranked(methods: Mapping[str, BySet], figure: Figure) -> list[tuple[str, BySet]]:
    """Methods by their mean rank over the sets on which all of them ran; by name where there is none."""
    shared = [name for name in SHORT if all(by_set.get(name) for by_set in methods.values())]
    ranks: dict[str, list[int]] = defaultdict(list)
    for dataset in shared:
        means = {name: _mean(by_set[dataset], figure) for name, by_set in methods.items()}
        for name, mean in means.items():
            ranks[name].append(sum(other > mean for other in means.values()))
    return sorted(methods.items(), key=lambda item: (statistics.fmean(ranks[item[0]] or [0]), item[0]))


def _mean(runs: Sequence[Result], figure: Figure) -> float:
    return statistics.fmean(figure(run.metrics) for run in runs)


def _image_auroc(metrics: Mapping[str, Any]) -> float:
    return float(metrics["image"]["auroc"])


def _pixel_auroc(metrics: Mapping[str, Any]) -> float:
    return float(metrics["pixel"]["auroc"])


def _controls(by_set: BySet) -> list[str]:
    return list(next(iter(by_set.values()))[0].metrics["controls"])


def _row(label: str, by_set: BySet, figures: Iterable[Figure], control: str | None = None) -> str:
    """Mean ± standard deviation over the seeds for every figure and set; of a control in the same runs where one is named."""
    cells = [label]
    for figure in figures:
        for dataset in SHORT:
            metrics = [run.metrics for run in by_set.get(dataset, [])]
            told = [each["controls"][control] for each in metrics] if control else metrics
            cells.append(mean_and_deviation([figure(each) for each in told]))
    return f"| {' | '.join(cells)} |"


def mean_and_deviation(values: Sequence[float]) -> str:
    """Three digits; the standard deviation (n − 1) where there are several values and it is seen, a dash where there is none."""
    if not values:
        return "–"
    deviation = f"{statistics.stdev(values):.3f}" if len(values) > 1 else "0.000"
    mean = f"{statistics.fmean(values):.3f}"
    return mean if deviation == "0.000" else f"{mean} ± {deviation}"


def _table(figures: Sequence[str], rows: Iterable[str]) -> str:
    columns = [f"{name}: {figure}" for figure in figures for name in SHORT.values()]
    return "\n".join([f"| method | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|", *rows])


def sections() -> dict[str, str]:
    """The tables from what is stored, by the name of their place in the page."""
    recommended = [each for each in read_results([STUDY]) if each.config["method"]["name"] == RECOMMENDED]
    results = read_results([METHODS])
    methods = by_method([*results, *recommended])
    return {
        "quality": quality_table(methods),
        "decisions": decision_table(methods),
        "cost": cost_table(methods),
        "timesteps": timestep_table(results),
        "fine-tuning": fine_tuning_table(results),
    }


def main() -> int:
    """Write the page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    write_text(PAGE, page_with(PAGE.read_text(), WRITER, sections()))
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
