"""`python -m radar_runtime FOLDER IMAGES…`: an exported model asked about photos, a CSV line for each.

Exit code: 0 all are good, 1 some are defective, 2 some are unreadable, 3 the command is refused, 4 the runtime failed.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .errors import ImageError, RuntimeFolderError
from .exported import ExportedModel, load

_GOOD, _DEFECTIVE, _UNREADABLE, _REFUSED, _FAILED = range(5)
_DECISIONS = ("good", "defective", "unreadable")
_COLUMNS = ("path", "decision", "score", "threshold", "threshold_name", "milliseconds", "error")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser("radar_runtime", description=__doc__)
    parser.add_argument("folder", type=Path, help="what `radar export` has written")
    parser.add_argument("images", nargs="+", type=Path, help="PNG, JPEG, BMP or TIFF files")
    parser.add_argument("--maps", type=Path, metavar="FOLDER", help="write each anomaly map there, as NumPy reads it")
    parser.add_argument("--threads", type=int, help="of the graph; without it, one for each core")
    try:
        parsed = parser.parse_args(arguments)
    except SystemExit as asked:
        return _REFUSED if asked.code else _GOOD
    try:
        return _run(load(parsed.folder, parsed.threads), parsed.images, parsed.maps)
    except RuntimeFolderError as error:
        print(f"radar_runtime: {error}", file=sys.stderr)
        return _REFUSED
    except Exception:
        traceback.print_exc()
        return _FAILED


def _run(model: ExportedModel, images: Sequence[Path], maps: Path | None) -> int:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    if maps is not None:
        maps.mkdir(parents=True, exist_ok=True)
    worst = _GOOD
    for path in images:
        began, score, error = time.perf_counter(), "", ""
        try:
            picture = model.read(path)
            said = model.score([picture])
            if not np.isfinite(said.scores[0]):  # compared with the threshold it would read as good
                raise ImageError(f"its score is {said.scores[0]}")
            code, score = int(said.decisions[0]), repr(float(said.scores[0]))
            if maps is not None:
                np.save(maps / f"{path.stem}_{picture.identity[:8]}.npy", said.maps[0])
        except ImageError as failure:
            code, error = _UNREADABLE, " ".join(str(failure).split())
        worst, milliseconds = max(worst, code), round(1000 * (time.perf_counter() - began), 3)
        threshold, name = model.manifest.threshold, model.manifest.threshold_name
        writer.writerow((path, _DECISIONS[code], score, threshold, name, milliseconds, error))
        sys.stdout.flush()
    return worst


if __name__ == "__main__":
    sys.exit(main())
