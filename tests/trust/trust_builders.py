"""Small data sets, runs and reports with names and contents that nobody should meet."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from radar.data.sample import Sample

OUTSIDE = (
    "../../PWNED",
    "../../../../../PWNED",
    "/tmp/PWNED",
    "..\\..\\PWNED",
    "a/../../PWNED",
    "x/../..",
    "//host/share",
)


def listed_defect(defect: str) -> SimpleNamespace:
    """A data set as a layout of anyone's may list it: two images of a defect, one with a mask, and two normal ones."""
    pixels = SimpleNamespace(values=np.zeros((8, 8), dtype=np.uint8))
    layout = SimpleNamespace(pixels=lambda path: pixels, mask=lambda path, mask: np.ones((8, 8), dtype=np.bool_))
    samples = [
        Sample(path=f"bad/{name}", content_hash="", split="test", label=1, defect=defect, mask=mask, group=name)
        for name, mask in (("a.png", "a.png"), ("A.png", None))
    ]
    samples += [
        Sample(path=f"{n}/0.png", content_hash="", split="train", label=0, defect="good", mask=None, group=n)
        for n in "pq"
    ]
    return SimpleNamespace(samples=samples, layout=layout)
