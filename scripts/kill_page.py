"""Kill the page's server at random moments while photos are dropped, reviewed and given other thresholds, and look at what is left.

    python -m scripts.kill_page --kills 40 --to docs/results/kill_page.json

A verdict or a threshold that the server has answered for must be there after the kill, and nothing else but the one that was asked for
last; the same command then goes on with it. Exit code 0 where that holds for every kill; the seed of the moments is printed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any
from urllib.error import HTTPError

import numpy as np

import radar
from radar.files import read_csv, write_json
from radar.runtime.prediction import DEFECTIVE, GOOD
from scripts.command_line import circumstances, guarded, positive
from scripts.kill_watch import draw, fitted
from scripts.page_server import started

_PHOTOS = 8
_LIFE = 1.5  # seconds after the page is there, within which the server is killed


@dataclass
class Told:
    """What the server has answered for, and what it was asked for last."""

    verdicts: dict[str, str] = field(default_factory=dict)  # by the photo's name
    thresholds: list[float] = field(default_factory=list)
    asked: tuple[str, object] | None = None  # a photo and its verdict, or "" and a threshold


def work_until_killed(address: str, photos: list[Path], told: Told, moments: random.Random) -> int:
    """Drop, review and move the threshold until the server is gone; returns how many requests it answered. Raises `HTTPError`."""
    answered = 0
    try:
        while True:
            photo, verdict = moments.choice(photos), moments.choice((GOOD, DEFECTIVE))
            name = f"{photo.stem}-{answered}-{moments.random()}.png"
            kept = _asked(f"{address}/photos?name={name}", photo.read_bytes(), "image/png")
            answered, told.asked = answered + 1, (name, verdict)
            _asked(f"{address}/photos/{kept['key']}/verdict", json.dumps({"verdict": verdict}).encode())
            told.verdicts[name] = verdict
            value = moments.uniform(0, 10)
            answered, told.asked = answered + 1, ("", value)
            _asked(f"{address}/thresholds", json.dumps({"value": value, "reason": "a trial"}).encode())
            told.thresholds.append(value)
            answered, told.asked = answered + 1, None
    except HTTPError:  # it is there, and refuses
        raise
    except (OSError, HTTPException):
        return answered


def _asked(url: str, body: bytes, kind: str = "application/json") -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": kind}), timeout=30) as answer:
        return json.load(answer)


def wrong(run: Path, reviewed: Path, told: Told) -> Iterator[str]:
    """What is lost, half-written, or was never asked for; what was asked for last may be there, and is then answered for."""
    model = radar.load(run)
    rows = read_csv(reviewed, "see what is in it")[1] if reviewed.exists() else []
    found = {row["path"]: row["verdict"] for row in rows}
    stored = [version.value for version in model.thresholds.versions[1:]]
    if told.asked is not None:
        name, last = told.asked
        if name and found.get(name) == last:
            told.verdicts[name] = str(last)
        elif not name and stored[len(told.thresholds) :] == [last]:
            told.thresholds = stored
    if found != told.verdicts:
        yield f"{len(told.verdicts)} verdicts were answered for, and {len(found)} others are there"
    if stored != told.thresholds:
        yield f"{len(told.thresholds)} thresholds were answered for, and {len(stored)} others are there"
    card = (run / "model" / "README.md").read_text()
    if any(f"`{version.name}`" not in card for version in model.thresholds.versions[1:-1]):
        yield "a threshold is not in the model's card"


def killed(work: Path, kills: int, seed: int) -> dict[str, int]:
    """Kill the server so many times; what the record says. Raises `RunError` where it does not start again."""
    run = fitted(work, np.random.default_rng(seed))
    photos = [work / "photos" / f"{number}.png" for number in range(_PHOTOS)]
    for number, photo in enumerate(photos):
        draw(photo, np.random.default_rng([seed, number]))
    told, moments, counts = Told(), random.Random(seed), dict.fromkeys(("answered", "asked", "wrong"), 0)
    command = [sys.executable, "-m", "radar", "inspect", str(run)]
    for _ in range(kills):
        server, address = started(command, work)
        killer = Timer(moments.uniform(0, _LIFE), server.kill)
        killer.start()
        counts["answered"] += work_until_killed(address, photos, told, moments)
        killer.join()
        server.wait()
        counts["asked"] += told.asked is not None
        for complaint in wrong(run, run / "reviewed.csv", told):
            counts["wrong"] += 1
            print(f"kill_page: {complaint}", file=sys.stderr)
        told.asked = None
    return {"kills": kills, **counts, "verdicts": len(told.verdicts), "thresholds": len(told.thresholds)}


def main() -> int:
    """Kill, print and record; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=positive, default=40)
    parser.add_argument("--seed", type=int, default=None, help="of the moments; none: a new one")
    parser.add_argument("--to", type=Path, help="JSON file for the record")
    parsed = parser.parse_args()
    seed = parsed.seed if parsed.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}", flush=True)
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        found = killed(Path(folder), parsed.kills, seed)
    print(", ".join(f"{key} {value}" for key, value in found.items()))
    if parsed.to:
        command_line = f"python -m scripts.kill_page --kills {parsed.kills} --seed {seed}"
        seconds = round(time.monotonic() - began)
        write_json(parsed.to, {**circumstances(command_line), **found, "seconds": seconds})
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(guarded(main))
