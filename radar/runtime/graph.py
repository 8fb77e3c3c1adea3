"""A graph that onnxruntime or OpenVINO runs, in float32 on the CPU."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .errors import ImageError, RunError
from .manifest import OUTPUTS, Shape

PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino"}  # by target
Inputs = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Graph:
    """What a runtime makes of a file."""

    inputs: Mapping[str, Shape]  # by name
    run: Callable[[Inputs], Sequence[NDArray[Any]]]  # → `OUTPUTS`

    def __call__(self, inputs: Inputs) -> dict[str, NDArray[Any]]:
        """The outputs of `OUTPUTS` by name. Raises `ImageError` where the runtime fails, for lack of memory say."""
        try:
            return dict(zip(OUTPUTS, self.run(inputs), strict=True))
        except Exception as error:  # each runtime has its own
            raise ImageError(f"the graph fails on it ({_reason(error)})") from None


def open_graph(target: str, path: Path, threads: int | None) -> Graph:
    """The graph of a file; `threads` None: as many as the runtime takes. Raises `RunError`."""
    try:
        return _onnx(path, threads) if target == "onnx" else _openvino(path, threads)
    except ImportError as error:
        package = PACKAGES[target]
        raise RunError(f"{path}: needs {package} ({error}); get it with pip install {package}") from None
    except Exception as error:  # each runtime has its own
        raise RunError(f"{path}: cannot be read as a graph ({_reason(error)}); export it again") from None


def imported(package: str) -> Any:
    """onnxruntime or OpenVINO, of which one is enough. Both write into the home folder what they would tell of their use, as soon as
    they are imported: that is switched off first.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    sys.modules.setdefault("openvino_telemetry", cast(ModuleType, None))  # as if it were not installed
    return import_module(package)


def _onnx(path: Path, threads: int | None) -> Graph:
    onnxruntime = imported("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    # of its bytes: a graph without a path cannot name further files, whose checksums nobody looks at
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    inputs = {
        each.name: tuple(length if isinstance(length, int) else None for length in each.shape)
        for each in session.get_inputs()
    }
    return Graph(inputs, lambda given: session.run(list(OUTPUTS), dict(given)))


def _openvino(path: Path, threads: int | None) -> Graph:
    openvino = imported("openvino")
    hints: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if threads is not None:
        hints["INFERENCE_NUM_THREADS"] = threads
    compiled = openvino.Core().compile_model(path, "CPU", hints)

    inputs = {
        each.get_any_name(): tuple(
            length.get_length() if length.is_static else None for length in each.get_partial_shape()
        )
        for each in compiled.inputs
    }

    def run(given: Inputs) -> list[NDArray[Any]]:
        answer = compiled(dict(given))
        return [np.array(answer[name]) for name in OUTPUTS]

    return Graph(inputs, run)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
