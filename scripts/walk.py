"""README's walk, timed on a folder of photos: learn, score, recalibrate, export, and ask the export without torch.

    python -m scripts.walk --good photos/NoDefects --bad photos/Defects --name NAME --to docs/results/walk.json
    python -m scripts.walk --drawn --name printed_layers --pictures docs/images    the pictures in README

Three quarters of the good photos and a quarter of the defective ones are learnt from and tested on; the command is then asked about
the others. Photos are taken in the order of their names, so sheets that names number stay together.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from radar.data.layouts.files import image_files
from radar.errors import DataError
from radar.files import write_json
from scripts.command_line import guarded
from scripts.page_server import started

_RUN = "outputs/RUN"  # as README writes it


@dataclass(frozen=True)
class Step:
    """A command of the walk, as README prints it, and what it is for."""

    command: str
    purpose: str
    accepted: tuple[int, ...] = (0,)  # exit codes


STEPS = (
    Step("radar train parts", "learn, test, and say what was found"),
    Step(f"radar predict {_RUN} new --out results --overlays", "a line and a picture per photo", (0, 1)),
    Step(f"radar inspect {_RUN}", "until the page answers; photos, threshold, review"),
    Step(f"radar calibrate {_RUN} --normals good_today --false-alarms 0.25", "another threshold, no training"),
    Step(f"radar export {_RUN} --to onnx --out line", "for a PC without torch"),
    Step("radar-runtime line new", "and what that PC says", (0, 1)),
)


def main() -> int:
    """Walk, and write what was asked for; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--good", type=Path, help="folder of photos of good parts")
    parser.add_argument("--bad", type=Path, help="folder of photos of defective parts")
    parser.add_argument("--drawn", action="store_true", help="draw the photos instead")
    parser.add_argument("--name", required=True, help="what to call the photos")
    parser.add_argument("--to", type=Path, help="JSON file for the seconds")
    parser.add_argument("--pictures", type=Path, help="folder for pictures; of drawn photos alone")
    parser.add_argument("--overrides", nargs="*", default=[], help="keys for radar train, for a try")
    parsed = parser.parse_args()
    if parsed.pictures and not parsed.drawn:
        parser.error("--pictures goes with --drawn: pictures of photos stay where the photos are")
    if not parsed.drawn and not (parsed.good and parsed.bad):
        parser.error("give --good and --bad, or --drawn")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        good, bad = drawn_photos(work) if parsed.drawn else (_photos(parsed.good), _photos(parsed.bad))
        lay_out(work, good, bad)
        steps = walk(work, parsed.overrides)
        if parsed.to:
            write_json(parsed.to, {"photos": parsed.name, **_counts(work), **_machine(), "steps": steps})
        if parsed.pictures:
            _picture(work, parsed.pictures / "walk_overlays.png")
    return 0


def walk(work: Path, overrides: Sequence[str] = ()) -> list[dict[str, object]]:
    """Every step in the folder `work`, with its seconds. Raises `DataError` where a command does not end as it should."""
    done: list[dict[str, object]] = []
    run = _RUN
    for step in STEPS:
        extra = list(overrides) if step is STEPS[0] else []
        arguments = [*_arguments(step.command.replace(_RUN, run)), *extra]
        began = time.perf_counter()
        if arguments[3] == "inspect":
            _page(arguments, work)
        else:
            printed = _ended(step, arguments, work)
        seconds = time.perf_counter() - began
        if step is STEPS[0]:
            run = next(line.split(": ", 1)[1] for line in printed.splitlines() if line.startswith("Results: "))
        print(f"{seconds:6.1f} s  {step.command}")
        done.append({**asdict(step), "seconds": round(seconds, 1)})
    return done


def _ended(step: Step, arguments: Sequence[str], work: Path) -> str:
    """What the command printed."""
    ended = subprocess.run(arguments, cwd=work, text=True, capture_output=True, check=False)
    if ended.returncode not in step.accepted:
        raise DataError(f"{step.command}: exit code {ended.returncode}: {ended.stderr.strip()[-300:]}")
    return ended.stdout


def _page(arguments: Sequence[str], work: Path) -> None:
    """Start the server, wait until the page is there, and stop it."""
    server, _ = started(arguments, work)
    server.terminate()
    server.wait()


def _arguments(command: str) -> list[str]:
    """As a shell would call it, by this interpreter."""
    program, *words = command.split()
    return [sys.executable, "-m", program.replace("-", "."), *words]


def _photos(folder: Path) -> list[Path]:
    found = list(image_files(folder))
    if len(found) < 8:
        raise DataError(f"{folder}: {len(found)} photos; the walk needs 8 of a kind")
    return found


def drawn_photos(work: Path) -> tuple[list[Path], list[Path]]:
    """Printed layers, good and defective, drawn into a folder of `work`."""
    folder = work / "drawn"
    subprocess.run(
        [sys.executable, "-m", "radar", "data", "write", str(folder), "dataset=printed_layers"],
        check=True,
        capture_output=True,
    )
    defects = [path for path in (folder / "test").rglob("*.png") if path.parent.name != "good"]
    return list(image_files(folder / "train" / "good")), sorted(defects, key=lambda path: (path.name, path.parent))


def lay_out(work: Path, good: Sequence[Path], bad: Sequence[Path]) -> None:
    """`parts/good`, `parts/bad`, `new` and `good_today`, copies."""
    kept, known = 3 * len(good) // 4, len(bad) // 4
    places = {
        "parts/good": good[:kept],
        "parts/bad": bad[:known],
        "new": [*good[kept:], *bad[known:]],
        "good_today": good[kept:],
    }
    for place, photos in places.items():
        (work / place).mkdir(parents=True)
        for photo in photos:
            shutil.copy(photo, work / place / f"{photo.parent.name}_{photo.name}")


def _counts(work: Path) -> dict[str, int]:
    return {
        f"{place.name}_photos": len(list(place.iterdir()))
        for place in (work / "parts/good", work / "parts/bad", work / "new", work / "good_today")
    }


def _machine() -> dict[str, object]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def _picture(work: Path, path: Path) -> None:
    """Six overlays of photos that were called defective, in a row."""
    found = sorted((work / "results" / "overlays" / "defective").iterdir())
    overlays = found[:: max(1, len(found) // 6)][:6]
    pictures = [Image.open(each).convert("RGB") for each in overlays]
    width = sum(each.width for each in pictures) + 4 * (len(pictures) - 1)
    row = Image.new("RGB", (width, pictures[0].height), "white")
    left = 0
    for each in pictures:
        row.paste(each, (left, 0))
        left += each.width + 4
    path.parent.mkdir(parents=True, exist_ok=True)
    row.save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(guarded(main))
