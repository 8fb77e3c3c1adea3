"""The maps behind the panel figure: kept in the run directory, so that the figure can be drawn again without a model."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from radar.data.dataset import Dataset
from radar.errors import StoredError
from radar.evaluation.selection import select_panels
from radar.experiment.measures import Scored
from radar.experiment.run_directory import REMEDY
from radar.files import read_bytes, unreadable, write_atomically

_NOT_SEEN = 1.0  # white stands for what lies outside a region, where planes hold what continues its inside


@dataclass(frozen=True, eq=False)
class Panel:
    """One shown test image with its maps."""

    path: str  # of the image, as in scores.csv
    caption: str  # why it is shown
    image: NDArray[np.float32]  # (H, W) or (H, W, 3) in [0, 1]
    noise_map: NDArray[np.float32] | None  # (H, W), mean over channels; of methods that predict noise
    anomaly_map: NDArray[np.float32]  # (H, W)
    mask: NDArray[np.bool_] | None  # at its own resolution, over the field of the image
    region: NDArray[np.bool_] | None = None  # (H, W), of interest; None: the whole image is


def chosen_panels(dataset: Dataset, test: Scored, threshold: float, count: int) -> list[Panel]:
    """Up to `count` right, wrong and borderline test images each."""
    scores = test.scores
    choices = select_panels(test.images.labels, scores.scores, scores.decisions, threshold, count)
    return [_panel(dataset, test, each.index, each.caption) for each in choices]


def _panel(dataset: Dataset, test: Scored, index: int, caption: str) -> Panel:
    sample, noise, region = test.images.samples[index], test.scores.noise, test.images.inside(index)
    picture = _picture(test.images.network_planes[index])
    if region is not None:
        picture = picture.copy()
        picture[~region] = _NOT_SEEN
    return Panel(
        sample.path,
        caption,
        picture,
        None if noise is None else noise[index].mean(dim=0).numpy(),
        test.scores.anomaly_maps[index].numpy(),
        dataset.mask_of_view(sample) if sample.mask or not sample.label else None,
        region,
    )


def _picture(image: Tensor) -> NDArray[np.float32]:
    """A tensor `(C, H, W)` in [−1, 1] as `(H, W)` or `(H, W, 3)` in [0, 1]."""
    picture: NDArray[np.float32] = ((image + 1) / 2).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    return picture[..., 0] if picture.shape[-1] == 1 else picture


def write_panels(path: Path, panels: list[Panel]) -> None:
    """Store panels as plain arrays; pictures differ in size, so each has an entry of its own."""
    arrays: dict[str, Any] = {
        "path": np.array([panel.path for panel in panels], dtype=np.str_),
        "caption": np.array([panel.caption for panel in panels], dtype=np.str_),
    }
    for index, panel in enumerate(panels):
        pictures = {name: getattr(panel, name) for name in ("image", "noise_map", "anomaly_map", "mask", "region")}
        arrays |= {f"{name}_{index}": values for name, values in pictures.items() if values is not None}
    write_atomically(path, lambda file: np.savez_compressed(file, **arrays))


def read_panels(path: Path) -> list[Panel]:
    """The inverse of `write_panels`; an empty list where no panels were kept. Raises `StoredError`."""
    if not path.exists():
        return []
    try:
        with np.load(io.BytesIO(read_bytes(path, REMEDY)), allow_pickle=False) as arrays:
            return [_stored_panel(arrays, index) for index in range(len(arrays["path"]))]
    except StoredError:
        raise
    except Exception as error:  # which one a damaged archive raises depends on where it is damaged
        raise unreadable(path, error, REMEDY) from None


def _stored_panel(arrays: Any, index: int) -> Panel:
    return Panel(
        path=str(arrays["path"][index]),
        caption=str(arrays["caption"][index]),
        image=arrays[f"image_{index}"],
        noise_map=arrays.get(f"noise_map_{index}"),
        anomaly_map=arrays[f"anomaly_map_{index}"],
        mask=arrays.get(f"mask_{index}"),
        region=arrays.get(f"region_{index}"),
    )
