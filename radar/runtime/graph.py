"""A graph that onnxruntime or OpenVINO runs, in float32 on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import RunError
from .manifest import OUTPUTS

Arrays = Mapping[str, NDArray[Any]]
Graph = Callable[[Mapping[str, NDArray[np.float32]]], Arrays]
"""Inputs by name → the outputs of `OUTPUTS` by name."""


def open_graph(target: str, path: Path, threads: int | None) -> Graph:
    """The graph of a file; `threads` None: as many as the runtime takes. Raises `RunError`."""
    try:
        return _onnx(path, threads) if target == "onnx" else _openvino(path, threads)
    except ImportError as error:
        package = "onnxruntime" if target == "onnx" else "openvino"
        raise RunError(f"{path}: needs {package} ({error}); get it with pip install {package}") from None
    except Exception as error:  # each runtime has its own
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"{path}: cannot be read as a graph ({reason}); export it again") from None


def _onnx(path: Path, threads: int | None) -> Graph:
    import onnxruntime  # noqa: PLC0415 - one of the two is enough

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    # of its bytes: a graph without a path cannot name further files, whose checksums nobody looks at
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    return lambda inputs: _named(session.run(list(OUTPUTS), dict(inputs)))


def _openvino(path: Path, threads: int | None) -> Graph:
    import openvino  # noqa: PLC0415 - as above

    hints: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if threads is not None:
        hints["INFERENCE_NUM_THREADS"] = threads
    compiled = openvino.Core().compile_model(path, "CPU", hints)

    def run(inputs: Mapping[str, NDArray[np.float32]]) -> Arrays:
        answer = compiled(dict(inputs))
        return _named([np.array(answer[name]) for name in OUTPUTS])

    return run


def _named(values: Sequence[NDArray[Any]]) -> Arrays:
    return dict(zip(OUTPUTS, values, strict=True))
