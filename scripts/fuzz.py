"""Feed bytes that nobody wrote to what reads foreign files: each reads them, or refuses them in its own one line.

    make fuzz FUZZ_SECONDS=3600              # each target in turn, guided by coverage (atheris, extra `fuzz`)
    python -m scripts.fuzz image --seconds 60

A finding is any other exception, more than 2 GB of memory, or more than ten seconds for one input; libFuzzer writes the input to
`crash-…` and ends with another exit code than 0.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from PIL import Image

from radar.compose.config_files import load_config_file
from radar.compose.settings import verb_settings
from radar.config.verbs import ReportConfig
from radar.data.manifest import read_manifest
from radar.errors import RadarError
from radar.files import read_csv, read_yaml
from radar.runtime.decoding import decode
from radar.runtime.errors import ImageError
from radar.runtime.files import CHECKSUM, checksum, make_folder, read_json
from radar.runtime.prediction import Prediction, Region, from_json, json_line
from radar.runtime.terminal import brief

_MEGAPIXELS = 4
_FOLLOWED = ("radar", "PIL", "yaml", "json", "csv", "omegaconf")


def _image(content: bytes) -> None:
    decode(content, _MEGAPIXELS)


def _of_file(read: Callable[[Path], object]) -> Callable[[bytes], None]:
    def target(content: bytes) -> None:
        with tempfile.TemporaryDirectory(prefix="radar-fuzz-") as folder:
            (file := Path(folder) / "input").write_bytes(content)
            read(file)

    return target


def _setting(content: bytes) -> None:
    verb_settings(ReportConfig, "report", [content.decode("utf-8", "surrogateescape")])


class _NoPredictionError(RadarError):
    """What the reader of predictions says to its callers, who name the line."""


def _prediction(content: bytes) -> None:
    try:
        from_json(content)
    except ValueError as error:
        raise _NoPredictionError(brief(error)) from None


TARGETS: dict[str, Callable[[bytes], None]] = {
    "image": _image,
    "manifest": _of_file(read_manifest),
    "stored_json": _of_file(lambda path: read_json(path, "remedy")),
    "stored_yaml": _of_file(lambda path: read_yaml(path, "remedy")),
    "stored_csv": _of_file(lambda path: read_csv(path, "remedy")),
    "config_file": _of_file(load_config_file),
    "prediction": _prediction,
    "setting": _setting,
}


def attacked(target: str, content: bytes) -> str | None:
    """What `target` says to the bytes; None where it reads them."""
    try:
        TARGETS[target](content)
    except (RadarError, ImageError) as error:
        return str(error)
    return None


def seeds() -> dict[str, list[bytes]]:
    """Sound inputs of each target, from which hostile ones are made."""
    pixels = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))
    images = []
    for kind, options in (
        ("PNG", {}),
        ("JPEG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_deflate"}),
    ):
        file = io.BytesIO()
        pixels.save(file, kind, **options)
        images.append(file.getvalue())
    deep = io.BytesIO()
    Image.fromarray(np.full((5, 4), 40_000, np.uint16)).save(deep, "PNG")
    manifest = b"path,content_hash,split,label,defect,mask,group\na.png," + b"0" * 64 + b",train,0,good,,a\n"
    record = {"path": "a.png", "score": 1.5, "decision": "good"}
    unknown: dict[str, Any] = dict.fromkeys(each.name for each in fields(Prediction))
    region = Region(x=1, y=2, width=3, height=4, area=12, peak=2.5)
    prediction = Prediction(
        **{**unknown, "path": "a.png", "time": "2026-01-01T00:00:00+00:00", "decision": "defective", "score": 1.5, "threshold": 1.0,
           "threshold_name": "fitted", "regions": (region,), "region_count": 1, "content_hash": "0" * 64, "model": "0" * 12}
    )  # fmt: skip
    return {
        "image": [*images, deep.getvalue()],
        "manifest": [manifest],
        "stored_json": [json.dumps({**record, CHECKSUM: checksum(record)}).encode(), b'{"a": [1, {"b": null}]}'],
        "stored_yaml": [b"a: 1\nb: [x, &c {d: 2}]\ne: *c\n"],
        "stored_csv": [b"path,score\na.png,1.5\n", manifest],
        "config_file": [b"defaults: [small]\nchannels: &a [16, 32]\nname: ${dataset.name}\n"],
        "prediction": [json_line(prediction).encode()],
        "setting": [b"seeds=3", b"development=[a,b]", b"level=0.9"],
    }


def main() -> int:
    """Fuzz one target, or all one after the other; the exit code is that of the first finding."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target", nargs="?", choices=sorted(TARGETS), help="none: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--folder", type=Path, help="where inputs lie; none: one for each target, removed at its end")
    parsed = parser.parse_args()
    if parsed.folder is not None and parsed.target is not None:
        return _fuzz(parsed.target, parsed.seconds, parsed.folder)
    for name in TARGETS if parsed.target is None else [parsed.target]:
        with tempfile.TemporaryDirectory(
            prefix="radar-fuzz-"
        ) as folder:  # libFuzzer ends its process, and removes nothing
            command = [sys.executable, "-m", "scripts.fuzz", name, "--seconds", str(parsed.seconds), "--folder", folder]
            if code := subprocess.run(command, env={**os.environ, "TMPDIR": folder}, check=False).returncode:
                return code
    return 0


def _functions() -> list[FunctionType]:
    """Functions and methods of ours and of the readers below them, which coverage guides through."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in _FOLLOWED]
    classes = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    found = {
        each: None
        for holder in (*modules, *classes)
        for each in vars(holder).values()
        if isinstance(each, FunctionType) and each.__module__.partition(".")[0] in _FOLLOWED
    }
    return list(found)


def _fuzz(target: str, seconds: int, folder: Path) -> int:
    try:
        import atheris  # noqa: PLC0415 - an extra, which only this needs
    except ImportError:
        print("scripts.fuzz: atheris is not installed; get it with pip install '.[fuzz]'", file=sys.stderr)
        return 3
    for function in _functions():
        atheris.instrument_func(function)  # all that is imported takes minutes
    make_folder(corpus := folder / "corpus")
    for content in seeds()[target]:
        (corpus / f"{zlib.crc32(content):08x}").write_bytes(content)
    options = [f"-max_total_time={seconds}", "-max_len=65536", "-rss_limit_mb=2048", "-timeout=10", "-verbosity=1"]
    atheris.Setup([sys.argv[0], str(corpus), *options], lambda content: attacked(target, content))
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
