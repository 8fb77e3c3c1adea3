"""A whole report: every table and figure that the results at hand allow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from matplotlib.figure import Figure

from radar.config.verbs import ReportConfig
from radar.files import make_folder, write_text
from radar.report.cells import Cell, by_dataset, cells, dataset_name, main_cells, pooled_name
from radar.report.figures import save_figure
from radar.report.figures_curves import precision_recall_figure, roc_figure
from radar.report.figures_features import feature_histograms, feature_label, feature_scatter
from radar.report.figures_study import cost_figure, critical_difference_figure, regime_figure, sensitivity_figure
from radar.report.figures_transfer import transfer_figure
from radar.report.gallery import qualitative_figure
from radar.report.result import Result
from radar.report.tables import Table, csv_text, latex, latex_document, markdown, marked
from radar.report.tables_ablation import Ablation, ablation_tables, ablations
from radar.report.tables_border import border_cells, border_table
from radar.report.tables_comparisons import pair_table, pairs
from radar.report.tables_false_alarms import false_alarm_table
from radar.report.tables_ranks import rank_table, rankings
from radar.report.tables_regime import regime_table, regimes
from radar.report.tables_results import cost_table, defect_table, main_table, provenance_table, published_table
from radar.report.tables_statistics import moments_table, noise_table, separation_table
from radar.report.tables_transfer import Transfers, transfer_tables
from radar.runtime.file_names import file_name

TABLES_PAGE = "tables.md"


@dataclass(frozen=True, eq=False)
class Report:
    """What `results` say. Methods are compared by one setting each; the other settings are points of ablations."""

    results: Sequence[Result]
    settings: ReportConfig
    transfers: Transfers

    @cached_property
    def all_cells(self) -> list[Cell]:
        """Every method and setting on every data set."""
        return cells(self.results, self.settings.seeds)

    @cached_property
    def cells(self) -> list[Cell]:
        """One setting of each method."""
        return main_cells(self.all_cells)

    def named(self, dataset: str) -> str:
        """The name of a data set as it is shown."""
        return dataset_name(dataset, self.settings.development)

    @property
    def _predicts_noise(self) -> bool:
        return any(cell.one.metrics.noise is not None for cell in self.all_cells)

    @cached_property
    def tables(self) -> list[Table]:
        """All tables, in the order of the page."""
        return [marked(each, self.settings.development) for each in self._unmarked()]

    def _unmarked(self) -> list[Table]:
        chosen, settings = self.cells, self.settings
        compared, ranked = pairs(chosen, settings), rankings(chosen, settings.alpha)
        return [
            main_table(chosen),
            published_table(),
            *([pair_table(compared, settings)] if compared else []),
            *([rank_table(ranked, chosen, settings.alpha)] if ranked else []),
            *ablation_tables(self.results, settings.seeds),
            *([alarms] if (alarms := false_alarm_table(chosen, settings)) else []),
            defect_table(chosen),
            regime_table(regimes(chosen)),
            *transfer_tables(chosen, self.transfers),
            separation_table(self.all_cells, settings.alpha),
            *(
                [noise_table(self.all_cells, settings.alpha), moments_table(self.all_cells)]
                if self._predicts_noise
                else []
            ),
            *([border_table(told)] if (told := border_cells(self.results, settings.seeds)) else []),
            cost_table(self.all_cells),
            provenance_table(self.all_cells),
        ]

    def figures(self) -> Iterator[tuple[str, str, Figure]]:
        """Name, title and figure, made one by one."""
        settings = self.settings
        yield "cost", "Cost against quality", cost_figure(self.cells, settings.development)
        for ranking in rankings(self.cells, settings.alpha):
            title = pooled_name(f"Ranks by {ranking.measure}", ranking.datasets, settings.development)
            drawn = critical_difference_figure(ranking, settings.alpha, settings.development)
            yield f"ranks_{ranking.measure.lower()}", title, drawn
        by_key: dict[str, list[Ablation]] = defaultdict(list)
        for each in ablations(self.results, settings.seeds):
            by_key[each.key].append(each)
        for key, series in by_key.items():
            drawn = sensitivity_figure(key, series, settings.development)
            yield f"sensitivity_{key.replace('.', '_')}", f"Sensitivity to {key}", drawn
        yield "regime", "Regime map", regime_figure(regimes(self.cells), settings.development)
        for content in transfer_tables(self.cells, self.transfers)[:1]:
            yield "transfer", "Models on other data sets", transfer_figure(marked(content, settings.development))
        for dataset, members in by_dataset(self.cells).items():
            yield from self._of_dataset(dataset, members)

    def _of_dataset(self, dataset: str, members: Sequence[Cell]) -> Iterator[tuple[str, str, Figure]]:
        shown = self.named(dataset)
        if both := [cell for cell in members if len(set(cell.one.labels.tolist())) > 1]:
            yield f"roc_{dataset}", f"{shown}: ROC", roc_figure(both, self.settings)
            precision = precision_recall_figure(both, self.settings)
            yield f"precision_recall_{dataset}", f"{shown}: precision and recall", precision
        for number, cell in enumerate(members):
            one, name = cell.one, f"{dataset}_{number}"
            title = f"{shown}, {cell.name}, seed {one.seed}"
            labels = [feature_label(feature) for feature in one.feature_names]
            histograms = feature_histograms(one.features, one.labels, labels)
            yield f"histograms_{name}", f"{title}: histograms", histograms
            if len(labels) != 2:
                continue
            scatter = feature_scatter(
                one.features,
                labels=one.labels,
                defects=[image.defect for image in one.images],
                splits=["test"] * len(one.images),
                axis_labels=(labels[0], labels[1]),
                boundary=None,
            )
            yield f"scatter_{name}", f"{title}: features", scatter
        grid = qualitative_figure(members)
        if grid is not None:
            yield f"qualitative_{dataset}", f"{shown}: the same images under every method", grid


def tables_page(tables: Sequence[Table]) -> str:
    """All tables one below the other, each behind an anchor of its name."""
    return "\n\n".join(f'<a id="{each.name}"></a>\n\n{markdown(each).rstrip()}' for each in tables) + "\n"


def table_files(report: Report) -> dict[str, str]:
    """Texts by file name: each table as Markdown, LaTeX and CSV, and all of them in one page and one document."""
    files = {TABLES_PAGE: tables_page(report.tables)}
    files["tables.tex"] = latex_document(report.tables)
    for each in report.tables:
        stem = file_name(each.name)
        files |= {f"{stem}.md": markdown(each), f"{stem}.tex": latex(each), f"{stem}.csv": csv_text(each)}
    return files


def write_tables(files: Mapping[str, str], folder: Path) -> list[Path]:
    """Write table files, texts by name, into `folder`."""
    make_folder(folder)
    for name, text in files.items():
        write_text(folder / name, text)
    return [folder / name for name in files]


def write_figures(report: Report, folder: Path, announce: Callable[[Sequence[str]], object]) -> list[tuple[str, Path]]:
    """Draw every figure into `folder`, as PNG and in the vector format; returns titles and PNG files. `announce` is given the names
    of the files of each before they are written.
    """
    drawn = []
    for name, title, figure in report.figures():
        names = [f"{file_name(name)}.{ending}" for ending in (report.settings.vector, "png")]
        announce(names)
        for each in names:
            save_figure(figure, folder / each)
        drawn.append((title, folder / names[-1]))
    return drawn
