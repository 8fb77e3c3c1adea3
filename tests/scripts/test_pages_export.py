"""What docs/export.md says of speed: the ratio to an older revision, of the faster runtime."""

from __future__ import annotations

from scripts.pages.export import since_said


def row(side: int, **milliseconds: float) -> dict:
    return {
        "side": side,
        "images": 1,
        "milliseconds_per_image": {name: {"median": value} for name, value in milliseconds.items()},
    }


def test_an_older_revision_is_compared_with_the_faster_runtime_of_each_call():
    rows = [row(100, torch=50, onnx=20, openvino=30, since=60), row(256, torch=90, onnx=80, openvino=40, since=120)]
    told = since_said({"since": "0123456789abcdef", "rows": rows})
    assert "revision 0123456789," in told
    assert "3.0 at 100 px and 1 a call (60 ms, ONNX Runtime), 3.0 at 256 px and 1 a call (120 ms, OpenVINO)" in told


def test_nothing_is_said_where_no_older_revision_took_part():
    assert since_said({"since": None, "rows": []}) == since_said({"rows": []}) == ""
