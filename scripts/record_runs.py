"""Append finished runs to docs/results/runs.jsonl, and write the table of docs/results.md anew from that file.

    python -m scripts.record_runs outputs/grid-0123456789ab …
    python -m scripts.record_runs --study docs/results/study outputs/grid-0123456789ab …

Records are only ever added: a run that is recorded already, by fingerprint and git revision, is left as it is.

With --study, each run becomes a compact record of its own in that folder instead, with the scores of every test image:
what `radar report` and `make tables` read where the run directories are not at hand. It may be a sweep's: the folders of all
run directories below a path are found.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from radar.errors import RadarError
from radar.experiment.run_directory import RunDirectory
from radar.files import write_text
from radar.report.stored import read_results, write_records
from scripts.command_line import guarded
from scripts.page_sections import page_with

DOCS = Path(__file__).resolve().parent.parent / "docs"
RECORDS = DOCS / "results" / "runs.jsonl"
PAGE = DOCS / "results.md"
WRITER = "scripts/record_runs.py"

Record = dict[str, Any]


def record(run: RunDirectory) -> Record:
    """What is kept of one run. Raises `RunError` where it is not done."""
    metrics = run.read_metrics()
    config = OmegaConf.to_container(OmegaConf.load(run.config))
    assert isinstance(config, dict)
    for place in ("data_root", "output_root"):  # where things lay is nobody's business
        del config[place]
    for place in ("root", "manifest"):
        del config["dataset"][place]
    return {
        "fingerprint": run.read_status()["fingerprint"],
        "ended": run.read_status()["ended"],
        "environment": json.loads(run.environment.read_text()),
        "config": config,
        "metrics": metrics,
    }


def read_records() -> list[Record]:
    """All records, oldest first."""
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _row(name: str, metrics: dict[str, Any], *rest: str) -> str:
    image, pixel = metrics["image"], metrics["pixel"] or {}
    values = [image["auroc"], image["f1"], image["precision"], image["recall"], image["false_positive_rate"]]
    values += [metrics["features"]["local_norm"]["auroc"], pixel.get("auroc"), pixel.get("aupro")]
    return "| " + " | ".join([name, *map(_cell, values), *rest]) + " |"


def table(records: list[Record]) -> str:
    """The records as Markdown: one block per run, its controls and the trivial decision below it."""
    lines = [
        "| run | AUROC | F1 | precision | recall | false positive rate | AUROC of local norm | pixel AUROC | AUPRO | training, s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for each in records:
        config, metrics = each["config"], each["metrics"]
        tags = ", ".join(config["tags"])
        steps = f"{config['training']['max_steps']:,} steps"
        name = f"**{config['dataset']['name']}, {tags}, {steps}, t = {config['timestep']['value']}, seed {config['seed']}**"
        lines.append(_row(name, metrics, f"{metrics['seconds'].get('training', 0):.0f}"))
        lines += [_row(f"· {control}", values, "") for control, values in metrics["controls"].items()]
        lines.append(
            f"| · all called anomalous | – | {_cell(metrics['image']['f1_all_anomalous'])} |" + " – |" * 6 + " |"
        )
    return "\n".join(lines)


def page_with_table(page: str, records: list[Record]) -> str:
    """`page` with the part between the markers written anew."""
    return page_with(page, WRITER, {"table": table(records)})


def _study(folder: Path, runs: list[Path]) -> int:
    written = write_records(folder, read_results(runs))
    print(f"{len(written)} records in {folder}: {sum(path.stat().st_size for path in written) / 1e3:.0f} kB")
    return 0


def main() -> int:
    """Record the runs named on the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, help="run directories; none: only write the table")
    parser.add_argument(
        "--study", type=Path, metavar="FOLDER", help="write compact records with scores into this folder"
    )
    parsed = parser.parse_args()
    if parsed.study is not None:
        return guarded(lambda: _study(parsed.study, parsed.runs))
    records = read_records()
    known = {(each["fingerprint"], each["environment"]["git_revision"]) for each in records}
    try:
        for path in parsed.runs:
            new = record(RunDirectory(path))
            identity = (new["fingerprint"], new["environment"]["git_revision"])
            if identity not in known:
                known.add(identity)
                records.append(new)
    except RadarError as error:
        print(f"record_runs: {error}", file=sys.stderr)
        return 2
    RECORDS.parent.mkdir(parents=True, exist_ok=True)
    write_text(RECORDS, "".join(json.dumps(each, sort_keys=True) + "\n" for each in records))
    write_text(PAGE, page_with_table(PAGE.read_text(), records))
    return 0


if __name__ == "__main__":
    sys.exit(main())
