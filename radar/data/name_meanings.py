"""What the name of a folder says of the images in it, whatever its case, spaces, '-' and '_'."""

from __future__ import annotations

from radar.runtime.mask_names import plain_name

_GOOD = {"good", "normal", "normals", "ok", "okay", "io", "pass", "passed"}
_GOOD |= {"nodefect", "nodefects", "defectfree", "nondefective"}
_DEFECTIVE = {
    "bad", "defect", "defects", "defective", "anomalous", "anomaly", "anomalies", "abnormal", "ng", "nok", "nio", "notok",
    "notgood", "fail", "failed", "faulty", "reject", "rejects", "rejected",
}  # fmt: skip


def names_good(name: str) -> bool:
    """Whether a folder is called as one of good parts is, which is never a class of defects."""
    return plain_name(name) in _GOOD


def names_defective(name: str) -> bool:
    """Whether a folder is called as one of defective parts of all kinds is."""
    return plain_name(name) in _DEFECTIVE
