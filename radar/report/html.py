"""The report as one page that opens from disk, without a network: summary, tables, figures, gallery, configs."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from radar.report.build import Report
from radar.report.cells import DEVELOPMENT_NOTE, Cell, mean
from radar.report.gallery import data_uri, highest_of, panels_of, shown_image, shown_map
from radar.report.region_names import command_told
from radar.report.result import Result
from radar.report.settings import flat
from radar.report.tables import NOTHING, Table, exact_text

_OPEN = ("results", "comparisons")  # tables that are shown at once; the others unfold


def page(report: Report, figures: Sequence[tuple[str, Path]]) -> str:
    """The whole page. `figures` are titles and PNG files, which become part of it."""
    asset = files("radar.report").joinpath("page")
    texts = {name: asset.joinpath(name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")}
    gallery = json.dumps(_gallery(report), separators=(",", ":")).replace("<", "\\u003c")
    return Template(texts["page.html"]).substitute(
        style=texts["page.css"],
        script=texts["page.js"],
        summary=_summary(report),
        tables="\n".join(_table(each) for each in report.tables),
        figures="\n".join(_figure(title, path) for title, path in figures),
        runs=_runs(report.results),
        gallery=gallery,
    )


def _summary(report: Report) -> str:
    datasets = sorted({result.dataset for result in report.results})
    devices = sorted({result.environment["device"] for result in report.results})
    revisions = sorted({(result.environment["git_revision"] or "installed")[:10] for result in report.results})
    facts = {
        "runs": str(len(report.results)),
        "data sets": f"{len(datasets)}: {', '.join(map(report.named, datasets))}",
        "methods and settings": str(len({cell.method for cell in report.all_cells})),
        "seeds per cell": ", ".join(str(each) for each in sorted({len(cell.results) for cell in report.all_cells})),
        "devices": "; ".join(devices),
        "revisions": ", ".join(revisions),
        "last run ended": max(result.ended for result in report.results),
    }
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    findings = "".join(f"<li>{escape(_finding(cell, report.named(cell.dataset)))}</li>" for cell in report.cells)
    note = f"<p class=note>{escape(DEVELOPMENT_NOTE)}</p>" if report.settings.development else ""
    return f"<dl>{rows}</dl><ul>{findings}</ul>{note}"


def _finding(cell: Cell, dataset: str) -> str:
    image, best = cell.one.metrics.image, cell.best_control("image", "auroc")
    if image.auroc is None or image.f1_all_anomalous is None:
        return f"{dataset}, {cell.name}: test images of one kind only"
    above = "" if best is None else f", {best.gain:+z.3f} over its best control ({best.name})"
    f1, trivial = mean(cell.values("image", "f1")), image.f1_all_anomalous
    return (
        f"{dataset}, {cell.label}: AUROC {mean(cell.values('image', 'auroc')):.3f}{above}; "
        f"F1 {f1:.3f}, where calling everything anomalous has {trivial:.3f}{' ' + cell.marks if cell.marks else ''}"
    )


def _table(content: Table) -> str:
    heads = "".join(
        f'<th scope="col"{_class(content, column)}><button type="button">{escape(heading)}</button></th>'
        for column, heading in enumerate(content.headings)
    )
    rows = "".join(
        "<tr>" + "".join(_entry(content, column, entry) for column, entry in enumerate(row)) + "</tr>"
        for row in content.rows
    )
    notes = "".join(f"<p class=note>{escape(note)}</p>" for note in content.notes)
    opened = " open" if content.name in _OPEN else ""
    return (
        f'<details id="{escape(content.name)}"{opened}>'
        f"<summary>{escape(content.title)} <span>{len(content.rows)} rows</span></summary>"
        f"<div class=scroll><table class=sortable><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{notes}</details>"
    )


def _class(content: Table, column: int) -> str:
    return " class=number" if column in content.numeric else ""


def _entry(content: Table, column: int, entry: Any) -> str:
    value = "" if entry.value is None else f' data-value="{exact_text(entry.value)}"'
    title = f' title="{escape(" ".join(entry.runs))}"' if entry.runs else ""
    return f"<td{_class(content, column)}{value}{title}>{escape(entry.text)}</td>"


def _figure(title: str, path: Path) -> str:
    encoded = b64encode(path.read_bytes()).decode()
    return (
        f'<figure><img loading=lazy alt="{escape(title)}" src="data:image/png;base64,{encoded}">'
        f"<figcaption>{escape(title)} <span>{escape(path.stem)}</span></figcaption></figure>"
    )


def _runs(results: Sequence[Result]) -> str:
    """Every run with the keys in which it differs from what most runs have."""
    configs = [flat(result.config) for result in results]
    keys = sorted({key for config in configs for key in config})
    usual = {key: Counter(repr(config.get(key)) for config in configs).most_common(1)[0][0] for key in keys}
    rows = []
    for result, config in zip(results, configs, strict=True):
        differing = [key for key in keys if repr(config.get(key)) != usual[key]]
        shown = "<br>".join(escape(f"{key} = {config.get(key, NOTHING)}") for key in differing) or "–"
        revision = (result.environment["git_revision"] or "installed")[:10]
        command = escape(command_told(result.command.words, result.config)) or "–"
        rows.append(
            f"<tr><td>{escape(result.name)}</td><td>{command}</td><td>{shown}</td><td>{escape(revision)}</td><td>{escape(result.data[:12])}</td>"
            f"<td>{escape(result.environment['device'])}</td><td>{escape(result.ended)}</td></tr>"
        )
    heads = "".join(
        f'<th scope="col"><button type="button">{name}</button></th>'
        for name in ("run", "command", "config, where it differs from most runs", "revision", "data", "device", "ended")
    )
    return f"<div class=scroll><table class=sortable><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"


def _gallery(report: Report) -> list[dict[str, Any]]:
    """For each method and data set its first seed's test images: path, defect, label, score, decision, borderline, pictures."""
    return [_shown(cell, report.named(cell.dataset), report.settings.borderline) for cell in report.cells]


def _shown(cell: Cell, dataset: str, share: float) -> dict[str, Any]:
    one = cell.one
    threshold = one.metrics.threshold
    distance = np.abs(one.scores - threshold)
    near = set(np.argsort(distance, kind="stable")[: int(np.ceil(share * distance.size))].tolist())
    panels = panels_of(one)
    highest = highest_of(list(panels.values())) if panels else 1.0
    images = []
    for index, image in enumerate(one.images):
        panel = panels.get(image.path)
        pictures = [data_uri(shown_image(panel)), data_uri(shown_map(panel, highest))] if panel else []
        score, called = float(f"{one.scores[index]:.5g}"), int(one.decisions[index])
        images.append([image.path, image.defect, image.label, score, called, int(index in near), pictures])
    return {
        "name": f"{dataset}, {cell.name}, seed {one.seed}",
        "threshold": float(f"{threshold:.5g}"),
        "images": images,
    }
