"""Build the workspace of docs/wandb.md in a W&B project: seeds together, sweeps, cost, noise hypothesis, gain over the controls.

    pip install '.[workspace]' && wandb login
    python -m scripts.wandb_workspace --entity ENTITY --project PROJECT [--axes patch.size timestep.value …]
    python -m scripts.wandb_workspace --entity ENTITY --project PROJECT --print     # what would be sent, without a network

Saves a new view each time; views that are there stay as they are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import wandb_workspaces.reports.v2 as panels
from wandb.errors import Error as WandbError
from wandb_workspaces.workspaces import Config as GroupKey
from wandb_workspaces.workspaces import RunsetSettings, Section, Workspace

from radar.errors import RunError
from radar.methods.controls import CONTROLS
from scripts.command_line import guarded

NAME = "radar"
AXES = ("patch.size", "timestep.value", "contamination.value", "seed")
QUALITY = ("image/auroc", "image/f1", "pixel/auroc", "pixel/aupro")
LOSSES = ("train_loss", "validation_loss")
GAIN = ("image/auroc", *(f"controls/{name}/image/auroc" for name in CONTROLS))
NOISE = ("noise/l2_norm/difference", "noise/image_correlation/normal", "noise/pixels/ks")


def workspace(entity: str, project: str, axes: Sequence[str]) -> Workspace:
    """The view, not yet saved. Bars average over seeds, because runs are grouped by data set and first axis."""
    first = axes[0]
    return Workspace(
        entity=entity,
        project=project,
        name=NAME,
        sections=[
            Section(name="Quality by data set", panels=[_bar(key, "dataset.name") for key in QUALITY], is_open=True),
            Section(
                name="Sweep",
                panels=[
                    _parallel(axes),
                    *(_bar(key, first) for key in QUALITY[:2]),
                    panels.RunComparer(diff_only="split"),
                ],
                is_open=True,
            ),
            Section(name="Cost", panels=[_scatter("seconds/training", "image/auroc", "parameters")]),
            Section(
                name="Noise hypothesis",
                panels=[panels.ScatterPlot(x=panels.Config("timestep.value"), y=_summary(key)) for key in NOISE],
            ),
            Section(name="Gain over the controls", panels=[panels.BarPlot(metrics=[_summary(key) for key in GAIN])]),
            Section(name="Training", panels=[panels.LinePlot(x="step", y=[key]) for key in LOSSES]),
        ],
        runset_settings=RunsetSettings(groupby=[GroupKey("dataset.name"), GroupKey(first)]),
    )


def _summary(key: str) -> panels.SummaryMetric:
    return panels.SummaryMetric(key)


def _bar(key: str, group: str) -> panels.BarPlot:
    return panels.BarPlot(metrics=[_summary(key)], groupby=panels.Config(group), groupby_rangefunc="stddev")


def _scatter(horizontal: str, vertical: str, size: str) -> panels.ScatterPlot:
    return panels.ScatterPlot(x=_summary(horizontal), y=_summary(vertical), z=_summary(size))


def _parallel(axes: Sequence[str]) -> panels.ParallelCoordinatesPlot:
    shown = [*(panels.Config(key) for key in axes), *(_summary(key) for key in ("image/f1", "image/auroc"))]
    return panels.ParallelCoordinatesPlot(columns=[panels.ParallelCoordinatesPlotColumn(metric=each) for each in shown])


def main() -> int:
    """Save the workspace, or print it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entity", required=True)
    parser.add_argument("--project", required=True)
    parser.add_argument(
        "--axes", nargs="+", default=AXES, metavar="KEY", help=f"config keys that were swept: {' '.join(AXES)}"
    )
    parser.add_argument("--print", action="store_true", help="print what would be sent as JSON")
    parsed = parser.parse_args()
    built = workspace(parsed.entity, parsed.project, parsed.axes)
    if parsed.print:
        print(built._to_model().model_dump_json(by_alias=True, indent=2))
        return 0
    try:
        print(built.save_as_new_view().url)
    except (WandbError, OSError) as error:
        raise RunError(
            f"W&B did not take the workspace ({str(error).splitlines()[0]}); try wandb login, or --print"
        ) from None
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
