"""The graph of a fitted model as ONNX: traced with symbolic sizes, so that what holds for one batch or size alone is refused."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.export import Dim

from radar import install_command
from radar.data.preprocessing import plane_names, preprocessing_of
from radar.deploy.traceable import Size, TraceableModel
from radar.errors import RunError
from radar.methods.parts.fused_map import FittedFusedDensities
from radar.model import Model
from radar.networks.compact_unet import CompactUNet
from radar.runtime.manifest import OUTPUTS
from radar.scoring.denoiser import Denoiser
from radar.scoring.reading import MapReading, NormReading

if TYPE_CHECKING:
    from onnx import ModelProto

METHODS = ("radar", "fused_densities", "patchcore", "padim")  # whose graphs are tested
_OPSET = 20
_MOST_SIDE, _MOST_IMAGES = 2**14, 2**14  # that the tracer is told of
_LEAST_SIDE = 32  # px, of any graph


def size_of(model: Model) -> Size:
    """Which sizes a model's graph takes: one, where it stitches windows or has a density at every position.

    Raises `RunError` where that is not known.
    """
    config, fixed = model.config, preprocessing_of(model.config.dataset.image).fixed
    stitched = any(isinstance(part, Denoiser) and part.windows.field == "stitched" for part in model.method.modules())
    if not (stitched or config.method.name == "padim"):
        return Size(None, _least_side(model))
    reason = "its windows are laid out for that size" if stitched else "it has a density at every position of that size"
    if fixed is None:
        raise RunError(
            f"dataset.image: a graph of {config.method.name} takes one size of image, as {reason}; set dataset.image.size, and "
            "dataset.image.aspect=pad, crop or stretch, and run again"
        )
    return Size(fixed, min(fixed), reason)


def _least_side(model: Model) -> int:
    """Px per side from which on no window, no kernel and no statistic is larger than an image."""
    sides, reading = [_LEAST_SIDE], model.method.reading
    margin = 2 * reading.border.margin + 1
    levels = model.method.levels if isinstance(model.method, FittedFusedDensities) else 1
    coarsest = 2 ** (levels - 1)  # px of the image that a pixel of its coarsest scale stands for
    sides += [2 * reading.border.rings + 1, coarsest + 1]
    if isinstance(reading, NormReading):
        sides += [reading.window + margin, reading.blur.kernel]
    if isinstance(reading, MapReading):
        sides.append(math.isqrt(reading.pixels) + 1 + margin)
    for part in model.method.modules():
        if isinstance(part, CompactUNet):
            sides.append(part.grid * coarsest + 1)
    return max(sides)


def onnx_graph(model: Model, size: Size) -> ModelProto:
    """The graph from images, and noise where it takes some, to `OUTPUTS`. Raises `RunError` where there is none."""
    if model.config.method.name not in METHODS:
        raise RunError(f"method {model.config.method.name}: cannot be exported; methods that can: {', '.join(METHODS)}")
    _check_installed()
    planes = len(plane_names(model.config.dataset.image))
    traced = TraceableModel(model.method, model.detector, model.threshold, size).requires_grad_(False)
    # unlike each other and all that the model knows, so that no length is taken for another
    height, width = size.fixed or (size.least + 11, size.least + 23)
    images = torch.zeros(2, planes, height, width)
    if model.method.reading.has_region:
        images[:, -1] = 1
    inputs: list[torch.Tensor] = [images]
    free: dict[int, Any] = {0: Dim("images_count", min=1, max=_MOST_IMAGES)}
    sides = {}
    if size.fixed is None:
        sides = {name: Dim(name, min=size.least, max=_MOST_SIDE) for name in ("height", "width")}
    axes = {"images": {**free, **{2 + place: side for place, side in enumerate(sides.values())}}}
    draws = model.method.draws.count
    if draws:
        inputs.append(torch.zeros(2, draws, *model.method.noise_shape(planes, height, width)))
        axes["noise"] = {**free, **{3 + place: side for place, side in enumerate(sides.values())}}
    with _quiet():
        program = torch.export.export(
            traced, tuple(inputs), dynamic_shapes=axes, strict=False,
            prefer_deferred_runtime_asserts_over_guards=True,
        )  # fmt: skip
        written = torch.onnx.export(
            program, dynamo=True, opset_version=_OPSET, verbose=False, input_names=["images", "noise"][: len(inputs)],
            output_names=list(OUTPUTS), custom_translation_table=_translations(),
        )  # fmt: skip
    if written is None:
        raise RunError("torch.onnx.export: gave no graph; install the versions that constraints.txt names")
    return _without_traces(written.model_proto)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch's exporter says of itself, which no one who exports a model can mend."""
    exporter = logging.getLogger("torch.onnx")
    before = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        exporter.setLevel(before)


def _check_installed() -> None:
    try:
        import onnx  # noqa: F401, PLC0415 - of the extra `export`
        import onnxscript  # noqa: F401, PLC0415 - as above
    except ImportError as error:
        raise RunError(f"export: {error.name} is not installed; get it with {install_command('export')}") from None


def _translations() -> dict[Any, Any]:
    """What the exporter lacks, or gets wrong."""
    return {torch.ops.aten.median.dim: _median, torch.ops.aten.avg_pool2d.default: _mean_pool}


def _mean_pool(  # noqa: PLR0917 - the operator's own
    values: Any,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """Means of windows, or with `divisor_override` sums over it, which the exporter passes over without a word."""
    from onnxscript import opset20 as op  # noqa: PLC0415 - of the extra `export`

    kernel, steps, pads = (list(each) * (2 // len(each)) for each in (kernel_size, stride or kernel_size, padding))
    means = op.AveragePool(
        values, kernel_shape=kernel, strides=steps, pads=pads * 2, ceil_mode=int(ceil_mode),
        count_include_pad=int(count_include_pad),
    )  # fmt: skip
    if divisor_override is None:
        return means
    return op.Mul(means, op.Constant(value_float=math.prod(kernel) / divisor_override))


def _median(values: Any, dim: int, keepdim: bool = False) -> Any:
    """The lower median of the last axis, and its place, as torch has it."""
    from onnxscript import opset20 as op  # noqa: PLC0415 - of the extra `export`

    one, two, last = op.Constant(value_ints=[1]), op.Constant(value_ints=[2]), op.Constant(value_int=-1)
    lower_half = op.Add(op.Div(op.Sub(op.Shape(values, start=-1), one), two), one)
    smallest, places = op.TopK(values, lower_half, axis=-1, largest=0)
    return op.Gather(smallest, last, axis=-1), op.Gather(places, last, axis=-1)


def _without_traces(graph: ModelProto) -> ModelProto:
    """Without lines of the source and paths of this machine, which the exporter notes at every node."""
    for node in (*graph.graph.node, *(each for function in graph.functions for each in function.node)):
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*graph.graph.input, *graph.graph.output, *graph.graph.value_info, *graph.graph.initializer):
        value.ClearField("metadata_props")
    graph.ClearField("metadata_props")
    graph.graph.ClearField("metadata_props")
    return graph
