"""What photos far larger than those that were learnt from cost: a strip, a photo of 12 megapixels, a line scan.

    python -m scripts.large_photos --to docs/results/large_photos.json

Windows of a drawn texture are learnt from twice: as they are, so that a photo is scored pixel by pixel, and with the shorter side of
the recipe's own size, to which a photo of any size is brought. The training is cut short, as no cost depends on it. Each photo is
given to a `radar predict` of its own, in one thread and in two.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

from radar.files import write_json
from radar.runtime.entries import SIDE
from scripts.command_line import circumstances, guarded, positive
from scripts.long_work import called
from scripts.training_on_photos import trained_on

_PHOTOS = {"strip": (256, 4096), "photo": (3000, 4000), "line scan": (9000, 20_000)}  # height, width in px
_SHORT_TRAINING = ("training.max_steps=20", "training.warmup_steps=2", "trainer.threads=1")
_THREADS = (1, 2)  # of the pass of the network
_GREY = ("dataset.image.channels=grey", "method.fused_densities.colour=null")


class Way(NamedTuple):
    """How photos are read, and what is learnt from for it."""

    words: tuple[str, ...]
    side: int  # px, of square windows
    windows: int
    longest: int  # px: photos with a longer side are not scored whole


_WAYS = {
    "as it is": Way(("dataset.image.size=null",), 100, 60, SIDE),
    "100 px on the short side": Way(("dataset.image.aspect=short",), 100, 60, 10**6),
}


def texture(height: int, width: int, seed: int) -> Image.Image:
    """A grey photo of smooth noise, drawn in bands so that it takes little memory."""
    random, bands = np.random.default_rng(seed), []
    for top in range(0, height, 1000):
        rows = min(1000, height - top)
        noise = ndimage.gaussian_filter(random.standard_normal((rows, width), dtype=np.float32), 1.2)
        bands.append(np.clip(120 + 60 * noise, 0, 255).astype(np.uint8))
    return Image.fromarray(np.concatenate(bands))


def asked(work: Path, run: Path, photo: Path, out: Path, threads: int) -> dict[str, float]:
    """Seconds and peak memory of one `radar predict`, and the milliseconds that it tells of the photo itself."""
    found = called(work, "predict", str(run), str(photo), "--out", str(out), f"threads={threads}")
    with (out / "predictions.csv").open() as file:
        (row,) = csv.DictReader(file)
    return {**found, "photo_seconds": round(float(row["milliseconds"]) / 1000, 2)}


def learnt(work: Path, way: Way, experiment: str) -> Path:
    """The run of an experiment on windows of the texture. Raises `RunError`."""
    good = work / "parts" / "good"
    good.mkdir(parents=True)
    for number in range(way.windows):
        texture(way.side, way.side, seed=100 + number).save(good / f"{number:02}.png")
    trained_on(work / "parts", work / "out", f"experiment={experiment}", *way.words, *_GREY, *_SHORT_TRAINING)
    (facts,) = (work / "out").glob("*/model/model.json")
    return facts.parent.parent


def rows(work: Path, experiment: str, repeats: int) -> list[dict[str, object]]:
    """A row per photo, way of reading and number of threads: the quickest of some repeats, and the most memory."""
    found = list[dict[str, object]]()
    for number, (name, size) in enumerate(_PHOTOS.items()):
        texture(*size, seed=number).save(work / f"{name}.png")
    for index, (told, way) in enumerate(_WAYS.items()):
        run = learnt(work / str(index), way, experiment)
        for name, (height, width) in _PHOTOS.items():
            if max(height, width) > way.longest:
                continue
            photo, out = work / f"{name}.png", work / str(index) / name
            for threads in _THREADS:
                each = [asked(work, run, photo, out / f"{threads}-{repeat}", threads) for repeat in range(repeats)]
                quickest, peak = (
                    min(each, key=lambda one: one["photo_seconds"]),
                    max(one["peak_memory_mib"] for one in each),
                )
                how = {"photo": name, "height": height, "width": width, "read": told, "threads": threads}
                row = {**how, **quickest, "peak_memory_mib": peak}
                print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
                found.append(row)
    return found


def main() -> int:
    """Draw, learn, ask and record; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="recommended", help="of conf/experiment, that learns")
    parser.add_argument("--repeats", type=positive, default=3, help="of which the quickest counts")
    parser.add_argument("--to", type=Path, help="JSON file for the record")
    parsed = parser.parse_args()
    with TemporaryDirectory(prefix="radar-large-photos-") as folder:
        found = rows(Path(folder), parsed.experiment, parsed.repeats)
    if parsed.to:
        command = f"python -m scripts.large_photos --experiment {parsed.experiment} --repeats {parsed.repeats}"
        write_json(parsed.to, {**circumstances(command), "rows": found})
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
