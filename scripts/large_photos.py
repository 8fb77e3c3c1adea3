"""What photos far larger than those that were learnt from cost: a strip, a photo of 12 megapixels, a line scan.

    python -m scripts.large_photos --to docs/results/large_photos.json

Windows of a drawn texture are learnt from twice: as they are, so that a photo is scored pixel by pixel, and with a shorter side of a
size, to which a photo of any size is brought. The training is cut short, as no cost depends on it. Each photo is given to a
`radar predict` of its own.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from scipy import ndimage

from radar.files import write_json
from scripts.command_line import circumstances, guarded, positive
from scripts.long_work import called
from scripts.training_on_photos import trained_on

_PHOTOS = {"strip": (256, 4096), "photo": (3000, 4000), "line scan": (9000, 20_000)}  # height, width in px
_TOO_LONG = ("line scan",)  # a side of more than 16,384 px is scored at a smaller size alone
_SHORT_TRAINING = ("training.max_steps=20", "training.warmup_steps=2", "trainer.threads=1")
_WAYS = {
    "as it is": ("dataset.image.size=null",),
    "shorter side 1,000 px": ("dataset.image.size=1000", "dataset.image.aspect=short"),
}
_LEARNT = {"as it is": (100, 100), "shorter side 1,000 px": (1000, 1000)}  # px of each window that is learnt from
_WINDOWS = {"as it is": 60, "shorter side 1,000 px": 20}


def texture(height: int, width: int, seed: int) -> Image.Image:
    """A grey photo of smooth noise, drawn in bands so that it takes little memory."""
    random, bands = np.random.default_rng(seed), []
    for top in range(0, height, 1000):
        rows = min(1000, height - top)
        noise = ndimage.gaussian_filter(random.standard_normal((rows, width), dtype=np.float32), 1.2)
        bands.append(np.clip(120 + 60 * noise, 0, 255).astype(np.uint8))
    return Image.fromarray(np.concatenate(bands))


def asked(work: Path, run: Path, photo: Path, out: Path) -> dict[str, float]:
    """Seconds and peak memory of one `radar predict`, and the milliseconds that it tells of the photo itself."""
    found = called(work, "predict", str(run), str(photo), "--out", str(out))
    with (out / "predictions.csv").open() as file:
        (row,) = csv.DictReader(file)
    return {**found, "photo_seconds": round(float(row["milliseconds"]) / 1000, 2)}


def rows(work: Path, experiment: str, repeats: int) -> list[dict[str, object]]:
    """A row per photo and way of reading, the quickest of some repeats."""
    found = list[dict[str, object]]()
    for number, (name, size) in enumerate(_PHOTOS.items()):
        texture(*size, seed=number).save(work / f"{name}.png")
    for way, words in _WAYS.items():
        folder = work / way.split()[0]
        (folder / "good").mkdir(parents=True)
        for number in range(_WINDOWS[way]):
            texture(*_LEARNT[way], seed=100 + number).save(folder / "good" / f"{number:02}.png")
        grey = ("dataset.image.channels=grey", "method.fused_densities.colour=null")
        model = trained_on(folder, folder / "out", f"experiment={experiment}", *words, *grey, *_SHORT_TRAINING)
        (run,) = {path.parent.parent for path in (folder / "out").glob("*/model/model.json")}
        del model
        for name, (height, width) in _PHOTOS.items():
            if name in _TOO_LONG and way == "as it is":
                continue
            each = [
                asked(work, run, work / f"{name}.png", work / f"{way.split()[0]}_{name}_{repeat}")
                for repeat in range(repeats)
            ]
            best = min(each, key=lambda one: one["photo_seconds"])
            shown = {"photo": name, "height": height, "width": width, "read": way, **best}
            shown["peak_memory_mib"] = max(one["peak_memory_mib"] for one in each)
            print(", ".join(f"{key} {value}" for key, value in shown.items()), flush=True)
            found.append(shown)
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
