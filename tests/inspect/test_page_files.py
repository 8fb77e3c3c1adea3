"""What the page takes of what was dropped or chosen, where there is something to run its script."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from radar.report.figures import save_figure
from radar.runtime.own_pictures import software

NODE = shutil.which("node")
_ASKED = """
import { readFileSync } from "node:fs";
import { chosen, dropped } from "./files.mjs";
const given = JSON.parse(readFileSync(0, "utf8")).map(([name, path]) => {
  const file = new Blob([readFileSync(path)]);
  return Object.assign(file, { name: name.split("/").pop(), webkitRelativePath: name.includes("/") ? name : "" });
});
const names = ({ photos, others }) => [photos.map((each) => each.name), others];
const entry = (file) => ({ isFile: true, fullPath: `/${file.webkitRelativePath || file.name}`, file: (done) => done(file) });
const items = given.map((file) => ({ webkitGetAsEntry: () => entry(file) }));
console.log(JSON.stringify([names(await chosen(given)), names(await dropped({ items, files: given }))]));
"""


@pytest.mark.skipif(NODE is None, reason="nothing runs JavaScript here")
def test_pictures_that_radar_drew_are_taken_only_by_themselves(tmp_path: Path) -> None:
    source = files("radar.inspect").joinpath("page", "files.js").read_text(encoding="utf-8")
    (tmp_path / "files.mjs").write_text(source)
    (tmp_path / "asked.mjs").write_text(_ASKED)
    save_figure(Figure((1, 1)), tmp_path / "drawn.png")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "photo.png")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "drawn.jpg", comment=software("map"))
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "photo.jpg", comment="a camera of radar make")
    drawn, photo, layer, taken = (str(tmp_path / name) for name in ("drawn.png", "photo.png", "drawn.jpg", "photo.jpg"))
    given = [
        ("lot/a.png", photo), ("lot/report/figures/loss.png", drawn), ("lot/charts.PNG", drawn), ("alone.png", drawn),
        ("lot/b.jpg", photo), ("notes.txt", photo), ("lot/.c.png", photo),
        ("lot/map.jpg", layer), ("lot/map.png", layer), ("lot/d.jpg", taken),
    ]  # fmt: skip
    command = [str(NODE), str(tmp_path / "asked.mjs")]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[["alone.png", "lot/a.png", "lot/b.jpg", "lot/d.jpg"], 6]] * 2
