"""How many drawn good images are called defective at the area that was learnt, and at others.

    python -m scripts.area_false_alarms --to docs/results/area_false_alarms.json

Of each texture, windows of one size are learnt from, one of every drawn photo; then windows of others are asked about: a strip or a
whole part is many times as large as what was learnt. Thresholds are the conformal quantiles of
the normals' scores. Beside the rates are those of the statistic itself, from which nothing is taken off for the area.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from radar.data.synthetic.drawing import Part, SyntheticSettings, draw_image
from radar.errors import RunError
from radar.files import write_json
from radar.model import Model
from radar.scoring.forest import Floats
from radar.scoring.reading import MapReading
from radar.scoring.threshold import conformal_quantile
from scripts.command_line import circumstances, guarded, positive
from scripts.training_on_photos import trained_on

_TEXTURES = ("stochastic_tile", "printed_layers")
_SIDE = 400  # px of a drawn photo, whose texture has lengths of a few px
_LEARNT = 100  # px, of the windows that are learnt from
_SIDES = (100, 200, 400)  # px, of those that are asked about
_RATES = (0.01, 0.05, 0.1)
_BATCH = 64  # photos that are drawn together
Row = dict[str, object]


def window(photo: NDArray[np.uint8], side: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """A window `(side, side)` at a random place of a photo `(H, W)`."""
    top, left = random.integers(0, _SIDE - side + 1, 2)
    return photo[top : top + side, left : left + side]


def drawn(texture: str, part: Part, numbers: range) -> Iterator[NDArray[np.uint8]]:
    """Photos `(_SIDE, _SIDE)` of one part of a drawn set."""
    settings = SyntheticSettings(texture, seed=0, side=_SIDE, train=2, test_normal=1, test_defective=1, contrast=1.0)
    return (draw_image(settings, part, number).image for number in numbers)


def learnt(texture: str, count: int, experiment: str, work: Path) -> Model:
    """The model of an experiment on windows of that many drawn photos. Raises `RunError`."""
    good, random = work / "parts" / "good", np.random.default_rng(0)
    good.mkdir(parents=True)
    for number, photo in enumerate(drawn(texture, "train", range(count))):
        Image.fromarray(window(photo, _LEARNT, random)).save(good / f"{number:04}.png")
    words = (
        f"experiment={experiment}",
        "dataset.image.size=null",
        "dataset.image.channels=grey",
        "method.fused_densities.colour=null",
    )
    return trained_on(work / "parts", work / "out", *words)


def statistics_of(model: Model, texture: str, count: int) -> dict[int, Floats]:
    """By side, levelled statistics `(count,)` of a window of each of as many drawn good photos."""
    random, found = np.random.default_rng(1), dict[int, list[Floats]]((side, []) for side in _SIDES)
    for first in range(0, count, _BATCH):
        photos = list(drawn(texture, "normal", range(first, min(first + _BATCH, count))))
        for side, parts in found.items():
            pixels = np.stack([window(photo, side, random) for photo in photos]).astype(np.float32)
            parts.append(model.score(torch.from_numpy(pixels / 127.5 - 1)[:, None]).points[:, 0])
    return {side: np.concatenate(parts) for side, parts in found.items()}


def rows_of(model: Model, texture: str, count: int) -> list[Row]:
    """A row per side and rate."""
    reading = model.method.reading
    if not isinstance(reading, MapReading):
        raise RunError(f"{model.config.method.name}: its score is no statistic of a map; name another experiment")
    centre, spread = (model.detector.arrays()[name].item() for name in ("centre", "spread"))
    normals = np.exp(model.calibration.scores * spread + centre)
    rows = list[Row]()
    for side, levelled in statistics_of(model, texture, count).items():
        itself = levelled + float(reading.growth) * math.log(side**2 / float(reading.area))
        for rate in _RATES:
            threshold = conformal_quantile(normals, rate)
            above = {"levelled": float(np.mean(levelled > threshold)), "itself": float(np.mean(itself > threshold))}
            rows.append(
                {"texture": texture, "normals": len(normals), "side": side, "images": count, "rate": rate, **above}
            )
    return rows


def main() -> int:
    """Learn, ask and record; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="recommended", help="of conf/experiment, that learns")
    parser.add_argument("--learnt", type=positive, default=200, help="windows that are learnt from")
    parser.add_argument("--images", type=positive, default=2000, help="good images of each side")
    parser.add_argument("--to", type=Path, help="JSON file for the record")
    parsed = parser.parse_args()
    rows = list[Row]()
    for texture in _TEXTURES:
        with TemporaryDirectory() as folder:
            model = learnt(texture, parsed.learnt, parsed.experiment, Path(folder))
            rows += rows_of(model, texture, parsed.images)
        for row in rows[-len(_SIDES) * len(_RATES) :]:
            print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    if parsed.to:
        options = f"--experiment {parsed.experiment} --learnt {parsed.learnt} --images {parsed.images}"
        write_json(parsed.to, {**circumstances(f"python -m scripts.area_false_alarms {options}"), "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
