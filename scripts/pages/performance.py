"""The blocks of docs/performance.md, from benchmark.json, growth.json, overlap.jsonl and training_curves.jsonl."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence

from radar.report.cited import cited
from radar.report.tables import Entry, Table, markdown
from scripts.pages.committed import Figures, measured, rows_of
from scripts.pages.sections import Sections

GOAL = 0.99  # of image AUROC


def numbers(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers, as Markdown."""
    rows = tuple(tuple(map(Entry, row)) for row in body)
    return markdown(Table("", "", tuple(head), rows, frozenset(range(1, len(head))))).strip()


def _spread(figure: dict[str, float], form: str) -> str:
    return f"{figure['median']:{form}} ({figure['min']:{form}}–{figure['max']:{form}})"


def _flops(figures: Figures) -> float:
    rates = figures["machine_rates"]
    return float(max(rates["matrix_product_flops"], rates["convolution_flops"]))


def machine() -> str:
    """Machine and versions in one line."""
    figures = measured("benchmark.json")
    rates, where = figures["machine_rates"], figures["environment"]
    packages = ", ".join(f"{name} {where['packages'][name]}" for name in ("torch", "pytorch-lightning", "kornia"))
    peers = ", ".join(f"{name} {version}" for name, version in figures["peers"].items())
    return (
        f"{where['threads']} threads on {where['cpu_count']} cores, Python {where['python']}, {packages}; {peers}. Measured rates: "
        f"matrix product {rates['matrix_product_flops'] / 1e9:.0f} GFLOP/s, 3 × 3 convolution of 64 channels "
        f"{rates['convolution_flops'] / 1e9:.0f} GFLOP/s, copy {rates['copy_bytes'] / 1e9:.0f} GB/s. "
        f"`radar --help`: {_spread(figures['start_up_seconds'], '.2f')} s."
    )


def training() -> str:
    """Patches per second of every network in both loops, with their floors."""
    figures = measured("benchmark.json")

    def row(label: str, figure: Figures) -> list[str]:
        # forward, gradient of the input and gradient of the weights cost about the same
        floor = _flops(figures) / (3 * figure["forward_flops"])
        copy = figures["machine_rates"]["copy_bytes"] / (3 * figure["forward_bytes"])
        return [
            label,
            f"{figure['parameters']:,}",
            f"{figure['forward_flops'] / 1e6:.1f}",
            _spread(figure["patches_per_second"], ",.0f"),
            *(["–", "–"] if label.endswith("bf16") else [f"{floor:,.0f}", f"{copy:,.0f}"]),  # floors of float32
        ]

    head = ["network, loop", "parameters", "MFLOP per patch, forward", "patches/s", "arithmetic alone", "copying alone"]
    rows = [row(label, figure) for label, figure in figures["training"].items() if label != "ratios"]
    ratios = [[label, f"{ratio:.2f}"] for label, ratio in figures["training"]["ratios"].items()]
    tables = [numbers(head, rows), numbers(["ratio of patches/s, median of the rounds", ""], ratios)]
    return "\n\n".join([*tables, "\n".join(_loops_said(figures["training"]))])


def _loops_said(training: Figures) -> Iterator[str]:
    """What our loop and bfloat16 are worth to our network."""
    for size in dict.fromkeys(name.partition(",")[0] for name in training if name.endswith("bf16")):
        plain, ours, casts = (
            training[f"{size}, radar, {name}"]["patches_per_second"]["median"]
            for name in ("plain loop", "our loop", "our loop, bf16")
        )
        gains = f"{ours / plain:.2f} × the patches/s of the plain one, bfloat16 {casts / ours:.2f} × those of float32"
        yield f"- {size}: our loop has {gains}."


def scoring() -> str:
    """Milliseconds per image of all ways to score."""
    figures = measured("benchmark.json")

    def row(label: str, figure: Figures) -> list[str]:
        times = [_spread(figure[name], ".2f") for name in ("ms_per_image", "ms_alone_p50", "ms_alone_p99")]
        floor = 1000 * figure["whole_image_flops"] / _flops(figures)
        return [label, f"{figure['parameters']:,}", *times, f"{floor:.2f}"]

    head = [
        "U-Net, field",
        "parameters",
        "ms/image in a batch of 32",
        "alone, p50",
        "alone, p99",
        "arithmetic of one pass alone",
    ]
    return numbers(head, (row(label, figure) for label, figure in figures["scoring"].items()))


def stages() -> str:
    """Milliseconds of each stage of one image."""
    ways = measured("benchmark.json")["scoring"]
    names = list(next(iter(ways.values()))["stages_ms"])
    rows = ([label, *(f"{figure['stages_ms'][name]:.3f}" for name in names)] for label, figure in ways.items())
    return numbers(["ms for one image", *(name.replace("_", " ") for name in names)], rows)


def memory() -> str:
    """Peak memory of fresh processes."""
    peaks = measured("benchmark.json")["peak_memory_mib"]
    return numbers(
        ["peak memory of a process that does", "MiB"], ([label, f"{peak:.0f}"] for label, peak in peaks.items())
    )


def overlap() -> str:
    """Quality against overlap, mean over the seeds."""
    rows = rows_of("overlap.jsonl")
    keys = dict.fromkeys((row["field"], row["stride"]) for row in rows)

    def line(field: str, stride: int | None) -> list[str]:
        chosen = [row for row in rows if (row["field"], row["stride"]) == (field, stride)]
        label = "whole image in one pass" if stride is None else f"windows every {stride} px"
        quality = [f"{row['image_auroc']:.4f}" for row in sorted(chosen, key=lambda row: row["seed"])]
        return [label, " · ".join(quality), f"{statistics.mean(row['ms_per_image'] for row in chosen):.1f}"]

    return numbers(["field", "image AUROC of each seed", "ms/image"], (line(*key) for key in keys))


def curves() -> str:
    """Quality after fixed numbers of steps: mean, and smallest and largest of the seeds."""
    records = rows_of("training_curves.jsonl")
    names = dict.fromkeys(record["training"] for record in records)
    lines = []
    for name in names:
        chosen = [record for record in records if record["training"] == name]
        for index, step in enumerate(chosen[0]["milestones"]):
            rows = [record["rows"][index] for record in chosen]
            quality = [row["image_auroc"] for row in rows]
            local = [row["local_auroc"] for row in rows]
            lines.append(
                [
                    f"{name} ({chosen[0]['network']})",
                    str(step),
                    f"{statistics.mean(row['seconds'] for row in rows):.0f}",
                    f"{statistics.mean(quality):.3f} ({min(quality):.3f}–{max(quality):.3f})",
                    f"{statistics.mean(local):.3f} ({min(local):.3f}–{max(local):.3f})",
                ]
            )
    head = ["training", "steps", "seconds", "image AUROC, mean (range) of 3 seeds", "AUROC of the local norm"]
    return "\n\n".join([numbers(head, lines), "\n".join(_reached(name, records) for name in names)])


def _reached(name: str, records: Iterable[Figures]) -> str:
    """When the mean over the seeds comes to the goal for the first time."""
    chosen = [record for record in records if record["training"] == name]
    for index, step in enumerate(chosen[0]["milestones"]):
        rows = [record["rows"][index] for record in chosen]
        if statistics.mean(row["image_auroc"] for row in rows) >= GOAL:
            spent = statistics.mean(row["seconds"] for row in rows)
            return f"- {name}: the mean reaches {GOAL} first at {step} steps, after {spent:.0f} s."
    return f"- {name}: the mean does not reach {GOAL}."


def growth() -> str:
    """All growth tables, one after the other."""
    figures = measured("growth.json")["growth"]
    parts = []
    for name, rows in figures.items():
        kind, _, rest = name.partition(", ")
        head = [
            kind,
            *(column.replace("us_per", "µs per").replace("_", " ") for column in rows[0] if column != "value"),
        ]
        body = ([f"{row['value']:g}", *(_digits(row[c]) for c in row if c != "value")] for row in rows)
        parts.append(f"*{kind}: {rest}*\n\n{numbers(head, body)}")
    return "\n\n".join(parts)


def _digits(value: float) -> str:
    """Three digits, and no exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def growth_memory() -> str:
    """Peak memory against the image's side, and what a training step keeps for its backward pass."""
    figures = measured("growth.json")["memory"]
    peaks = (
        [f"{row['value']:g}", f"{row['compact_whole_mib']:.0f}", f"{row['attention_windows_mib']:.0f}"]
        for row in figures["peak_above_imports"]
    )
    claim = (
        [f"{row['network']}, {row['batch']} × {row['side']} × {row['side']} px", f"{row['kept_mib']:.2f}"]
        for row in figures["kept_for_backward"]
    )
    first = numbers(
        [
            "side, px",
            "compact, whole image, MiB above imports",
            "unet=attention, windows every 14 px, MiB above imports",
        ],
        peaks,
    )
    second = numbers(["kept for the backward pass by one training step", "MiB"], claim)
    return "\n\n".join([first, second, _patches_said(figures["kept_for_backward"])])


def _patches_said(kept: Iterable[Figures]) -> str:
    """The paper's claim beside what was counted."""
    claim = cited("patch_memory")
    by_network: dict[str, list[Figures]] = {}
    for row in kept:
        by_network.setdefault(row["network"], []).append(row)
    lines = [
        f"The paper: {claim.value:.0f} {claim.unit} ({claim.source}). Counted, times less than one image of that size:",
        "",
    ]
    for network, rows in by_network.items():
        whole = max(row["kept_mib"] for row in rows if row["batch"] == 1)
        shares = [
            f"{whole / row['kept_mib']:.1f} for {row['batch']} × {row['side']} × {row['side']} px"
            for row in rows
            if row["kept_mib"] != whole
        ]
        lines.append(f"- {network}: {', '.join(shares)}")
    return "\n".join(lines)


def large_photos() -> str:
    """What one photo costs that is far larger than those that were learnt from."""
    found = measured("large_photos.json")
    head = ["photo", "px", "read", "threads", "seconds of the photo", "of the whole command", "peak memory, MiB"]
    rows = (
        [
            row["photo"],
            f"{row['width']:,} × {row['height']:,}",
            row["read"],
            str(row["threads"]),
            f"{row['photo_seconds']:.2f}",
            f"{row['seconds']:.1f}",
            f"{row['peak_memory_mib']:,}",
        ]
        for row in found["rows"]
    )
    return f"{numbers(head, rows)}\n\n{found['date']}, {found['machine']}, {found['cores']} cores: `{found['command']}`"


def sections() -> Sections:
    """By their names."""
    parts = (machine, training, scoring, stages, memory, overlap, curves, growth, growth_memory, large_photos)
    return {part.__name__: part() for part in parts}
