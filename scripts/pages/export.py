"""The blocks of docs/export.md, from export_parity.jsonl and export_speed.json."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from radar.runtime.drawn_pictures import TOLERANCE
from scripts.pages.committed import Figures, measured, rows_of
from scripts.pages.performance import numbers
from scripts.pages.sections import Sections

_ENGINES = {"torch": "torch", "onnx": "ONNX Runtime", "openvino": "OpenVINO"}


def parity() -> str:
    """The largest error of each set, and how many decisions differ."""
    rows = rows_of("export_parity.jsonl")
    table = numbers(
        ["set", "preset", "runtime", "images", "map error, of its maximum", "score error", "decided otherwise"],
        (
            [
                row["set"], f"`{row['preset']}`", _ENGINES[row["target"]], str(row["images"]), f"{row['map_error']:.0e}",
                f"{row['score_error']:.0e}", str(len(row["disagreements"])),
            ]
            for row in rows
        ),
    )  # fmt: skip
    versions = rows[-1]["versions"]
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    days = sorted({row["made"] for row in rows})
    near = [f"`{each['path']}` of {row['set']}" for row in rows for each in row["disagreements"]]
    listed = f"\n- Decided otherwise, with a score at the threshold: {', '.join(near)}." if near else ""
    apart = list(dict.fromkeys(row["set"] for row in rows if not row["holds"]))
    failed = f"\n- Further apart than {TOLERANCE:.0e} of the maximum: {', '.join(apart)}." if apart else ""
    return f"{table}\n\n- {days[0]} to {days[-1]}; {told}. Command: `{rows[0]['command']}`, and so of every row.{failed}{listed}"


def speed() -> str:
    """Medians of calls that took turns, and how many times as fast as torch."""
    figures = measured("export_speed.json")
    spent = [f"{name}, ms/image" for name in _ENGINES.values()]
    head = ["px per side", "images of a call", *spent, "ONNX Runtime, times as fast", "OpenVINO, times as fast"]
    return f"{numbers(head, (_speeds(row) for row in figures['rows']))}\n\n{_how(figures)}{since_said(figures)}"


def since_said(figures: Figures) -> str:
    """How many times as fast as torch was at an older revision, where that took its turns."""
    if figures.get("since") is None:
        return ""
    told = []
    for row in figures["rows"]:
        spent = {name: each["median"] for name, each in row["milliseconds_per_image"].items()}
        best = min(("onnx", "openvino"), key=lambda name: spent[name])
        ratio = spent["since"] / spent[best]
        told.append(
            f"{ratio:.1f} at {row['side']} px and {row['images']} a call ({spent['since']:.0f} ms, {_ENGINES[best]})"
        )
    return (
        f"\n- Beside eager torch and the recipe of revision {figures['since'][:10]}, which took turns in a process of its own, "
        f"the faster of the two is so many times as fast: {', '.join(told)}."
    )


def _speeds(row: Figures) -> Sequence[str]:
    spent = {name: row["milliseconds_per_image"][name]["median"] for name in _ENGINES}
    ratios = [f"{spent['torch'] / spent[name]:.1f}" for name in ("onnx", "openvino")]
    return [str(row["side"]), str(row["images"]), *(f"{value:.0f}" for value in spent.values()), *ratios]


def _how(figures: Figures) -> str:
    repeats, load, where = [row["repeats"] for row in figures["rows"]], figures["load_average"], figures["environment"]
    alike = "the same" if all(row["equal_decisions"] for row in figures["rows"]) else "NOT the same"
    return (
        f"- Medians of {min(repeats)} to {max(repeats)} calls that took turns; {figures['threads']} threads on {where['cpu_count']} "
        f"cores ({figures['processor']}); decisions were {alike}. Load {load['before']:.1f} before, {load['after']:.1f} after: "
        f"compare columns, not machines.\n"
        f"- On this processor OpenVINO can compute in {', '.join(figures['openvino_precisions'])}.\n"
        f"- Command: `{figures['command']}`."
    )


def starts() -> str:
    """Seconds of the whole command on one photo."""
    figures = measured("export_speed.json")["start_to_first_decision_seconds"]

    def rows() -> Iterator[list[str]]:
        for name, label in _ENGINES.items():
            command = "radar predict" if name == "torch" else "radar-runtime"
            yield [f"`{command}`, {label}", *(f"{figures[name][kind]['median']:.1f}" for kind in ("clock", "cpu"))]

    return numbers(["from the call to the end, one photo", "seconds", "seconds of CPU"], rows())


def sections() -> Sections:
    """Its blocks by name."""
    return {"parity": parity(), "speed": speed(), "start": starts()}
