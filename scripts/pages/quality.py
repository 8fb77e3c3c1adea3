"""The blocks of docs/quality.md: the recommended recipe on every set, its false alarms, and what its parts are worth."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from radar.cli.report import report_settings
from radar.report.cells import Cell
from radar.report.cells import cells as cells_of
from radar.report.pixels import field_of
from radar.report.result import Result
from radar.report.settings import changes, family, key_of
from radar.report.tables import (
    NOTHING,
    Entry,
    Table,
    count,
    markdown,
    marked,
    measured,
    number,
    seeds_of,
    table,
    untitled,
)
from radar.report.tables_border import border_table
from radar.report.tables_false_alarms import false_alarm_table
from scripts.pages import area, committed, contaminated, left_out
from scripts.pages.choices import PRETRAINED, RECOMMENDED, chosen, differs_as_typed, mean_of, records
from scripts.pages.committed import BORDER, PARTS_CHANGED, TRIED, recorded, when_and_where
from scripts.pages.sections import Sections
from scripts.pages.sets import DEVELOPMENT, SETS_NOTE, SHORT, in_order, named, sharing_notes

MEASURES = {
    "image AUROC": ("image", "auroc"),
    "pixel AUROC": ("pixel", "auroc"),
    "AUPRO": ("pixel", "aupro"),
}
WHOLE = "(the recipe)"
_LIGHT = (
    "method.fused_densities.relative", "method.fused_densities.appearance.relative", "method.fused_densities.context.contrast",
    "scoring.border",
)  # fmt: skip
"""Keys that say what is made of light, and of borders."""
PARTS = ("energy", "detail", "context", "appearance", "colour")
_OF_PARTS = {
    *(f"method.fused_densities.{each}" for each in (*PARTS, "power", "relative", "smoothing")),
    "method.reduction.statistic", "detector", "unet", "patch", "training.ema_decay", "diffusion.timestep_sampling",
}  # fmt: skip
"""Keys of the parts, of how they are fused and decided, and of the network."""


def results_table(cells: Mapping[str, Cell]) -> Table:
    """A row per set: means over the seeds, the best control of each measure, the trivial F1 and the cost beside them."""
    rows: list[list[Entry | str]] = []
    for name in in_order(cells):
        cell = cells[name]
        row: list[Entry | str] = [named(name), seeds_of(cell)]
        for path in MEASURES.values():
            best = cell.best_control(*path)
            row += [
                measured(cell, *path),
                NOTHING if best is None else Entry(f"{best.value:.3f} `{best.name}`", best.value),
            ]
        decisions = [measured(cell, "image", key) for key in ("f1", "false_positive_rate")]
        trivial, cost = number(cell.one.metrics.image.f1_all_anomalous), mean_of(cell, "cost", "milliseconds_per_image")
        rows.append([*row, *decisions, trivial, number(cost, 0)])
    headings = ["data set", "seeds", *(text for name in MEASURES for text in (name, "best control")), "F1", "false positive rate",
                "F1 of calling all anomalous", "ms per image"]  # fmt: skip
    return table("", "The recommended recipe on test images", headings, rows, SETS_NOTE, *sharing_notes(records()))


def features_table(plain: Mapping[str, Cell], pretrained: Mapping[str, Cell]) -> Table:
    """A row per set: means of each measure of the recipe, and of the one with pretrained features, over the seeds of both."""
    rows: list[list[Entry | str]] = []
    for name in in_order(pretrained):
        results = [each.results for each in (plain.get(name), pretrained[name]) if each is not None]
        seeds = set.intersection(*({each.seed for each in some} for some in results)) if len(results) > 1 else set()
        if not seeds:
            continue
        both = [[each for each in some if each.seed in seeds] for some in results]
        paths = (*MEASURES.values(), ("image", "false_positive_rate"))
        shown = [" / ".join(_mean(some, path, 3) for some in both) for path in paths]
        costs = " / ".join(_mean(some, ("cost", "milliseconds_per_image"), 0) for some in both)
        marks = "".join(dict.fromkeys("".join(each.marks for each in (plain[name], pretrained[name]))))
        rows.append([f"{named(name)}{marks}", str(len(seeds)), *shown, costs])
    headings = ("data set", "seeds", *MEASURES, "false positive rate", "ms per image")
    return table("", "The recipe / with pretrained features", headings, rows, SETS_NOTE)


def about(result: Result) -> str:
    """The section that a run of a preset with keys typed beside it belongs to."""
    keys = [key_of(each) for each in changes(result)]
    if "dataset.image.size" in keys:
        return "resolutions"
    if result.dataset == "magnetic_tile" and keys and all(key.startswith(_LIGHT) for key in keys):
        return "light"
    return "parts" if of_parts(result) else "tried"


def tried_table(presets: Mapping[str, Mapping[str, Cell]], tried: Sequence[Result], section: str) -> Table:
    """A row per run of a preset with keys typed beside it that belongs to the section: its measures behind those of the preset as it
    stands, of the same seed. Left out where the preset is another one today in more than was typed."""
    own = {
        (preset, name, result.seed): result
        for preset, cells in presets.items()
        for name, cell in cells.items()
        for result in cell.results
    }
    rows: list[tuple[str, list[str]]] = []
    for result in tried:
        typed, preset = changes(result), result.command.preset or ""
        if about(result) != section or preset not in presets or not differs_as_typed(result, preset):
            continue
        paths = (*MEASURES.values(), ("image", "false_positive_rate"))
        known = own.get((preset, result.dataset, result.seed))
        shown = [" / ".join(_value(each, path) for each in (known, result)) for path in paths]
        told = ", ".join(f"`{each}`" for each in (preset, *typed) if each != RECOMMENDED)
        rows.append((result.dataset, [named(result.dataset), told, str(result.seed), *shown]))
    order = list(in_order({name: None for name, _ in rows}))
    rows.sort(key=lambda row: (order.index(row[0]), row[1][1:3]))
    return untitled(("data set", "changed", "seed", *MEASURES, "false positive rate"), [row for _, row in rows])


def _mean(results: Sequence[Result], path: tuple[str, ...], digits: int) -> str:
    return number(_average(results, path), digits).text


def _average(results: Sequence[Result], path: tuple[str, ...]) -> float | None:
    known = [value for each in results if (value := each.metrics.value(*path)) is not None]
    return statistics.fmean(known) if known else None


def _value(result: Result | None, path: tuple[str, ...]) -> str:
    return number(None if result is None else result.metrics.value(*path)).text


def controls_said(cells: Mapping[str, Cell]) -> Iterator[str]:
    """A sentence for each measure: where the recipe lies below its best control, as far as three digits show it."""
    for measure, path in MEASURES.items():
        below = []
        for name in in_order(cells):
            own, best = mean_of(cells[name], *path), cells[name].best_control(*path)
            if own is not None and best is not None and round(own, 3) < round(best.value, 3):
                below.append(f"{named(name)} ({own:.3f} against {best.value:.3f} of `{best.name}`)")
        where = (
            f"on {len(below)} of {len(cells)} sets: {', '.join(below)}" if below else f"on none of {len(cells)} sets"
        )
        yield f"By {measure} the recipe lies below its best control {where}."


def missed_table(cells: Mapping[str, Cell]) -> Table:
    """A row per defect class of which an image was called normal: means over the seeds, medians over the class's images."""
    rows: list[list[Entry | str]] = []
    for name in in_order(cells):
        cell = cells[name]
        for defect in sorted(cell.one.metrics.defects):
            recall = mean_of(cell, "defects", defect, "recall")
            if recall is None or recall >= 1:
                continue
            images = [image for image in cell.one.images if image.defect == defect]
            area = _median(image.defect_area for image in images)
            contrast = _median(image.defect_contrast for image in images)
            shown = [number(mean_of(cell, "defects", defect, "auroc")), number(recall)]
            shown += [number(area and 100 * area, 2), number(contrast, 2)]
            rows.append([named(name), defect, count(len(images)), *shown])
    headings = (
        "set",
        "defect",
        "images",
        "image AUROC",
        "recall",
        f"area, % of {field_of(cell.one for cell in cells.values())}",
        "contrast",
    )
    return untitled(headings, rows)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


Cells = dict[str, dict[str, list[Result]]]
"""Runs by what they change in the recipe, then by set."""


def variants(tried: Sequence[Result]) -> Cells:
    """The recipe with one of its parts changed, on the development sets that every method ran on, and before them the recipe as it
    stood beside them: other machines round otherwise."""
    found: Cells = defaultdict(lambda: defaultdict(list))
    for result in tried:
        if of_parts(result) and differs_as_typed(result, RECOMMENDED):
            found[variant(changes(result))][result.dataset].append(result)
    return {name: dict(found[name]) for name in sorted(found, key=lambda name: (name != WHOLE, name))}


def of_parts(result: Result) -> bool:
    """Whether a run is of the recipe, or changes what it is made of, on a set that the table of its parts shows."""
    keys = [key_of(each) for each in changes(result)]
    return _OF_PARTS.issuperset(keys) and result.command.preset == RECOMMENDED and result.dataset in SHORT


def ablation_table(found: Cells) -> Table:
    """A row per variant, two columns per development set: image AUROC and F1, pixel AUROC and AUPRO; means over the seeds, and their
    number where it is another than the recipe's."""
    paths = ((("image", "auroc"), ("image", "f1")), (("pixel", "auroc"), ("pixel", "aupro")))
    rows: list[list[Entry | str]] = [
        [
            name,
            *(_pair(by_set.get(each, []), pair, len(found[WHOLE].get(each, []))) for each in SHORT for pair in paths),
        ]
        for name, by_set in found.items()
    ]
    headings = [text for name in SHORT.values() for text in (f"{name}: AUROC / F1", "pixel / AUPRO")]
    return untitled(["changed", *headings], rows)


def parts_said(found: Cells) -> Iterator[str]:
    """Per set, the best part alone beside the recipe; per part, how much leaving it out changes image AUROC, of the same seeds."""

    def auroc(name: str, dataset: str) -> float | None:
        return _average(found.get(name, {}).get(dataset, []), ("image", "auroc"))

    def change(name: str, dataset: str) -> float | None:
        """Over the seeds of both."""
        variant = {each.seed: each for each in found.get(name, {}).get(dataset, [])}
        whole = [each for each in found[WHOLE].get(dataset, []) if each.seed in variant]
        own, other = (
            _average([variant[each.seed] for each in whole], ("image", "auroc")),
            _average(whole, ("image", "auroc")),
        )
        return None if own is None or other is None else own - other

    alone = [f"{part} alone" for part in PARTS]
    for dataset, short in SHORT.items():
        whole = auroc(WHOLE, dataset)
        known = {name: value for name in alone if (value := auroc(name, dataset)) is not None}
        if whole is not None and known:
            best, worst = max(known, key=lambda name: known[name]), min(known, key=lambda name: known[name])
            yield (
                f"On {short} the best part is {best.removesuffix(' alone')} ({known[best]:.3f} alone), the worst "
                f"{worst.removesuffix(' alone')} ({known[worst]:.3f}); all together have {whole:.3f}."
            )
    for part in PARTS:
        changes_by_set = {short: change(f"without {part}", dataset) for dataset, short in SHORT.items()}
        changed = {short: value for short, value in changes_by_set.items() if value is not None}
        if changed:
            told = ", ".join(f"{value:+.3f} on {short}" for short, value in changed.items())
            yield f"Without {part}, image AUROC changes by {told}."


def _pair(results: Sequence[Result], paths: Sequence[tuple[str, ...]], seeds: int) -> str:
    """Two means, with the number of runs where it is not that of `seeds`, or a dash where nothing ran."""
    count = f" ({len(results)})" if len(results) != seeds else ""
    return " / ".join(_mean(results, path, 3) for path in paths) + count if results else NOTHING


def variant(changed: Sequence[str]) -> str:
    """What a run changes in the recipe, in words where it leaves out a part or all but one."""
    left_out = [part for part in PARTS if f"method.fused_densities.{part}=null" in changed]
    kept = [part for part in PARTS if part not in left_out]
    others = [f"`{item.removeprefix('method.')}`" for item in sorted(changed) if not item.endswith("=null")]
    if len(left_out) == 1:
        others.insert(0, f"without {left_out[0]}")
    elif left_out:
        others.insert(0, f"{' and '.join(kept)} alone")
    return ", ".join(others) or WHOLE


def sections() -> Sections:
    """By their names."""
    cells = chosen()[RECOMMENDED]
    tried = (*recorded(TRIED), *recorded(PARTS_CHANGED))
    ablations = variants(tried)
    presets = {name: chosen()[name] for name in (RECOMMENDED, PRETRAINED)}
    shown = [each for cell in cells.values() for each in cell.results]
    told = [*controls_said(cells), f"The runs ended {when_and_where(shown)}."]
    alarms = false_alarm_table(list(cells.values()), report_settings([]))
    borders = [replace(cell, method=family(cell.one)) for cell in cells_of(recorded(BORDER), None)]
    return {
        "results": f"{markdown(results_table(cells))}" + "".join(f"- {sentence}\n" for sentence in told),
        **{name: tried_table(presets, tried, name) for name in ("resolutions", "light", "tried")},
        "pretrained": features_table(cells, chosen()[PRETRAINED]),
        "missed": missed_table(cells),
        "false alarms": replace(marked(alarms, DEVELOPMENT), title="") if alarms else "Not measured.",
        "other areas": area.section(committed.measured("area_false_alarms.json")),
        "bad among good": contaminated.section(committed.measured("contaminated_normals.json")),
        "network left out": left_out.section(committed.measured("network_left_out.json")),
        "ablation": f"{markdown(ablation_table(ablations))}\n"
        + "\n".join(f"- {each}" for each in parts_said(ablations)),
        "border": replace(marked(border_table(borders), DEVELOPMENT), title=""),
    }
