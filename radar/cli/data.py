"""`radar data`: list, check, write, split and download data sets."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from radar.cli.preflight import print_preflight
from radar.cli.printing import PlainConsole
from radar.compose import experiment
from radar.compose.config_tree import options, with_folder
from radar.config.schema import Config
from radar.data.dataset import Dataset, open_dataset
from radar.data.download import fetch_public
from radar.data.layouts import public_sources
from radar.data.manifest import write_manifest
from radar.data.mvtec_export import write_mvtec
from radar.data.sample import SPLITS
from radar.errors import DataError, RadarError
from radar.progress import ProgressBar
from radar.runtime.options import Parser
from radar.runtime.paths import named_path


def _parser() -> argparse.ArgumentParser:
    parser = Parser("radar data", description="Data sets: what there is, whether it is sound, and where it comes from.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="all presets, and whether their files are here").add_argument(
        "overrides", nargs="*", help="data_root=FOLDER"
    )
    check = verbs.add_parser("check", help="count, decode and look for leaks: radar data check dataset=grid")
    check.add_argument("overrides", nargs="*", help="dataset=NAME and any key, as for an experiment")
    for verb, what in (("write", "export in the MVTec layout, as PNG"), ("split", "write the split manifest as CSV")):
        command = verbs.add_parser(verb, help=f"{what}: radar data {verb} PATH dataset=grid")
        command.add_argument("path", type=named_path)
        command.add_argument("overrides", nargs="*", help="dataset=NAME and any key, as for an experiment")
    download = verbs.add_parser("download", help="fetch a public set into data_root, with resume and checksum")
    download.add_argument("name", choices=sorted(public_sources()))
    download.add_argument("--sha256", help="checksum that the archive must have")
    download.add_argument(
        "--unchecked", action="store_true", help="accept an archive whose publisher states no checksum"
    )
    download.add_argument("overrides", nargs="*", help="data_root=FOLDER")
    for each in verbs.choices.values():
        each.add_argument("--config-dir", help="folder with configs of your own")
    return parser


def data(arguments: Sequence[str]) -> int:
    """Run one `radar data` command; returns the exit code."""
    parsed = _parsed(arguments)
    console = PlainConsole()
    if parsed.verb == "list":
        console.print_table(_presets(parsed))
        return 0
    if parsed.verb == "download":
        return _download(parsed, console)
    with ProgressBar() as report:
        dataset = open_dataset(_config(parsed, parsed.overrides).dataset, report)
        if parsed.verb == "check":
            return _check(dataset, console, report)
        if parsed.verb == "split":
            if parsed.path.exists():
                raise DataError(f"{parsed.path}: is there already, and may be edited; remove it or name another file")
            write_manifest(dataset.samples, parsed.path)
            count = len(dataset.samples)
        else:
            count = write_mvtec(dataset, parsed.path, report)
    console.print(f"{parsed.path}: {count} images", highlight=False, soft_wrap=True)
    return 0


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Overrides may stand before and after options."""
    parser = _parser()
    parsed, rest = parser.parse_known_args(arguments)
    if unknown := [word for word in rest if word.startswith("-") or "=" not in word]:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    parsed.overrides += rest
    return parsed


def _config(parsed: argparse.Namespace, overrides: Sequence[str]) -> Config:
    return experiment(overrides, config_dir=parsed.config_dir)


def _presets(parsed: argparse.Namespace) -> Table:
    table = Table("preset", "images", "state", title="radar dataset=PRESET", title_justify="left")
    with with_folder(parsed.config_dir):
        presets = options("dataset")
    for preset in presets:
        own = [f"dataset={preset}", "dataset.near_duplicates=ignore"]
        try:
            dataset = open_dataset(_config(parsed, [*parsed.overrides, *own]).dataset)
        except RadarError as error:
            table.add_row(preset, "", str(error))
            continue
        table.add_row(preset, _counts(dataset), "ready")
    return table


def _counts(dataset: Dataset) -> str:
    return ", ".join(f"{len(dataset.split(name))} {name}" for name in SPLITS)


def _check(dataset: Dataset, console: PlainConsole, report: ProgressBar) -> int:
    print_preflight(dataset, console, report)
    console.print(f"manifest {dataset.manifest_hash}", highlight=False, soft_wrap=True)
    return 0


def _download(parsed: argparse.Namespace, console: PlainConsole) -> int:
    root = Path(_config(parsed, parsed.overrides).data_root)
    with ProgressBar() as report:
        folder = fetch_public(
            parsed.name,
            root,
            sha256=parsed.sha256,
            unchecked=parsed.unchecked,
            received=lambda done, total: report(done, total or done + 1, "Downloading (bytes)"),
        )
    console.print(f"{folder}: ready", highlight=False, soft_wrap=True)
    return 0
