"""The gallery's script, where there is something to run it."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files

import pytest

NODE = shutil.which("node")
_PAGE = """
const element = () => ({ value: "", children: [], append() {}, addEventListener() {},
  replaceChildren(...all) { this.children = all; if (all.length) this.value = all[0].value ?? ""; } });
const parts = {};
globalThis.document = { querySelectorAll: () => [], createElement: element,
  getElementById: (id) => id === "gallery-data" ? { textContent: DATA } : (parts[id] ??= element()) };
Object.assign(document.getElementById("gallery-run"), { value: 0 });
document.getElementById("gallery-outcome").value = "all";
"""
_ASKED = """
const found = {};
for (const { value, textContent } of parts["gallery-defect"].children) {
  parts["gallery-defect"].value = value;
  draw();
  (found[textContent] ??= []).push(parts["gallery-cards"].children.length);
}
console.log(JSON.stringify(found));
"""


@pytest.mark.skipif(NODE is None, reason="nothing runs JavaScript here")
@pytest.mark.parametrize(
    ("defects", "found"),
    [
        (["all", "crack", "crack"], {"all": [3, 1], "crack": [2]}),
        (["hole", "crack", "crack"], {"all": [3], "crack": [2], "hole": [1]}),
    ],
    ids=["a class called all", "others"],
)
def test_each_class_of_defects_can_be_filtered_for(defects: list[str], found: dict[str, list[int]]) -> None:
    images = [[f"{number}.png", defect, 1, 0.5, 1, 0, []] for number, defect in enumerate(defects)]
    runs = json.dumps([{"name": "a run", "threshold": 0.4, "images": images}])
    script = files("radar.report").joinpath("page", "page.js").read_text(encoding="utf-8").replace('"use strict";', "")
    whole = _PAGE.replace("DATA", json.dumps(runs)) + script + _ASKED
    done = subprocess.run([str(NODE), "-"], input=whole, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == found
