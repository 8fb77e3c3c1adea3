"""What tells runs apart, and what that did to the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from radar.config.verbs import ReportConfig
from radar.evaluation.statistics_paired import two_of_each
from radar.report.region_names import command_told
from radar.report.result import Result
from radar.report.settings import flat
from radar.report.tables import NOTHING, Entry, Table, number, table
from radar.report.tables_comparisons import TEST_HEADINGS, Comparer, notes_on_tests, tests_shown

_LONGEST, _BEFORE, _SHOWN = 40, 8, 24  # characters of a cell: in whole, before what differs, with what differs
_MEASURES = {
    "AUROC": ("image", "auroc"),
    "average precision": ("image", "average_precision"),
    "accuracy": ("image", "accuracy"),
    "F1": ("image", "f1"),
    "precision": ("image", "precision"),
    "recall": ("image", "recall"),
    "false positive rate": ("image", "false_positive_rate"),
    "AUROC of global norm": ("features", "global_norm", "auroc"),
    "AUROC of local norm": ("features", "local_norm", "auroc"),
    "pixel AUROC": ("pixel", "auroc"),
    "AUPRO": ("pixel", "aupro"),
    "KS of the noise's pixels": ("noise", "pixels", "ks"),
    "Δ L2 norm of the noise": ("noise", "l2_norm", "difference"),
    "training, s": ("seconds", "training"),
    "own fitting, s": ("cost", "fit_seconds"),
    "peak memory of training, MiB": ("memory", "training", "host"),
    "peak memory of scoring, MiB": ("memory", "scoring", "host"),
    "peak GPU memory of training, MiB": ("memory", "training", "device"),
}


def comparison_tables(results: Sequence[Result], settings: ReportConfig) -> list[Table]:
    """Config, data and versions where they differ, and the numbers beside those of the first run."""
    first = results[0]
    tables = [
        _differences("config", "Config", [flat(result.config) for result in results], results),
        _differences("origin", "Data and versions", [_origin(result) for result in results], results),
        _numbers(results),
    ]
    others = [result for result in results[1:] if result.test_data == first.test_data]
    if others and two_of_each(first.labels):
        tables.append(_paired(first, others, settings))
    return tables


def _origin(result: Result) -> dict[str, object]:
    return {
        "command": command_told(result.command.words, result.config),
        **flat(result.environment),
        "test images": result.test_data,
        "fingerprint": result.fingerprint,
    }


def _differences(name: str, title: str, trees: Sequence[dict[str, object]], results: Sequence[Result]) -> Table:
    keys = list(dict.fromkeys(key for tree in trees for key in tree))
    differing = [key for key in keys if len({repr(tree.get(key)) for tree in trees}) > 1]
    rows = [[key, *_shortened([str(tree[key]) if key in tree else NOTHING for tree in trees])] for key in differing]
    notes = () if rows else ("no difference",)
    return table(name, title, ["key", *(result.name for result in results)], rows, *notes)


def _shortened(texts: Sequence[str]) -> list[str]:
    """The cells of one row; where one is long, all from shortly before the place where they part."""
    told = [text for text in texts if text != NOTHING]
    if max(map(len, told)) <= _LONGEST:
        return list(texts)
    alike = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*told, strict=False)))
    begin = max(0, alike - _BEFORE)

    def shown(text: str) -> str:
        behind = "…" if len(text) > begin + _SHOWN else ""
        return f"{'…' if begin else ''}{text[begin : begin + _SHOWN]}{behind}"

    if len(set(map(shown, told))) < len(set(told)):  # some part further on
        return list(texts)
    return [text if text == NOTHING else shown(text) for text in texts]


def _numbers(results: Sequence[Result]) -> Table:
    rows: list[Sequence[Entry | str]] = []
    for name, path in _MEASURES.items():
        values = [result.metrics.value(*path) for result in results]
        if any(value is not None for value in values):
            rows.append([name, *(_beside(value, values[0]) for value in values)])
    return table(
        "numbers", "Numbers, with what differs from the first run", ["measure", *(each.name for each in results)], rows
    )


def _beside(value: float | None, first: float | None) -> Entry:
    shown = number(value)
    if value is None or first is None or value == first:
        return shown
    return Entry(f"{shown.text} ({value - first:+z.3f})", value)


def _paired(first: Result, others: Sequence[Result], settings: ReportConfig) -> Table:
    comparer = Comparer(settings)
    rows: list[Sequence[Entry | str]] = []
    for other in others:
        compared = comparer.compare([first], [other])
        found = (compared.tests.auroc.p_value, compared.tests.decisions.p_value)
        rows.append([other.name, *tests_shown(compared, found, settings.alpha)])
    notes = (
        f"Second minus first, which is {first.name}, on the same test images; p values uncorrected. One seed each: what another seed "
        "would have changed is not in them.",
        *notes_on_tests(settings),
    )
    return table("paired", "On the same images", ("second", *TEST_HEADINGS), rows, *notes)
