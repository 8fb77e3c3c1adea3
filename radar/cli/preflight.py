"""What a person reads of a data set before anything is learnt from it: counts, sizes, what is odd, what crosses the split."""

from __future__ import annotations

from rich.table import Table

from radar.cli.printing import PlainConsole
from radar.data.dataset import Dataset
from radar.data.inspection import Finding, inspect
from radar.data.summary import count_rows, size_rows
from radar.progress import Report
from radar.runtime.terminal import tell

_NAMED = 3  # files of each kind of finding


def print_preflight(dataset: Dataset, console: PlainConsole, report: Report) -> None:
    """Decode everything, and tell what there is and what is odd. Raises `DataError` for what is broken."""
    findings = inspect(dataset, report)
    console.print_table(_counts(dataset))
    sizes = size_rows(dataset)
    console.print(
        f"{len(dataset.samples)} images decode; "
        f"{'one size,' if len(sizes) == 1 else f'{len(sizes)} sizes, most often'} {sizes[0][1]} × {sizes[0][0]} px",
        highlight=False,
    )
    if dataset.leaks.clean:
        console.print("Nothing that was looked for crosses the splits", highlight=False)
    for line in (*map(_told, findings), *dataset.notes, *dataset.read_notes()):
        tell(f"note: {line}")


def _counts(dataset: Dataset) -> Table:
    headings = ("split", "label", "defect", "images", "groups", "masks", "empty masks")
    table = Table(*headings, title=dataset.name, title_justify="left")
    for row in count_rows(dataset):
        counts = map(str, (row.images, row.groups, row.masks, row.empty_masks))
        table.add_row(row.split, "anomalous" if row.label else "normal", row.defect, *counts)
    return table


def _told(finding: Finding) -> str:
    shown = ", ".join(finding.paths[:_NAMED])
    return f"{len(finding.paths)} {finding.what}: {shown}{', …' if len(finding.paths) > _NAMED else ''}"
