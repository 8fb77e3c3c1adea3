"""The maps behind the panel figure: kept in the run directory, so that the figure can be drawn again without a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from radar.data.dataset import Dataset
from radar.evaluation.selection import select_panels
from radar.experiment.results import Scored
from radar.files import write_atomically


@dataclass(frozen=True, eq=False)
class Panel:
    """One shown test image with its maps."""

    path: str  # of the image, as in scores.csv
    caption: str  # why it is shown
    image: NDArray[np.float32]  # (H, W) or (H, W, 3) in [0, 1]
    noise_map: NDArray[np.float32]  # (H, W), mean over channels
    anomaly_map: NDArray[np.float32]  # (H, W)
    mask: NDArray[np.bool_] | None  # at its own size


def chosen_panels(dataset: Dataset, noise_maps: Tensor, threshold: float, test: Scored, count: int) -> list[Panel]:
    """Up to `count` right, wrong and borderline test images each, with their `noise_maps` `(N, C, H, W)`."""
    scores = test.scores
    choices = select_panels(test.loaded.labels, scores.scores, scores.decisions, threshold, count)
    return [_panel(dataset, noise_maps[each.index], test, each.index, each.caption) for each in choices]


def _panel(dataset: Dataset, noise_map: Tensor, test: Scored, index: int, caption: str) -> Panel:
    sample = test.loaded.samples[index]
    return Panel(
        sample.path,
        caption,
        _picture(test.loaded.network_planes[index]),
        noise_map.mean(dim=0).cpu().numpy(),
        test.scores.anomaly_maps[index].cpu().numpy(),
        dataset.mask(sample) if sample.mask or not sample.label else None,
    )


def _picture(image: Tensor) -> NDArray[np.float32]:
    """A tensor `(C, H, W)` in [−1, 1] as `(H, W)` or `(H, W, 3)` in [0, 1]."""
    picture: NDArray[np.float32] = ((image + 1) / 2).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    return picture[..., 0] if picture.shape[-1] == 1 else picture


def write_panels(path: Path, panels: list[Panel]) -> None:
    """Store panels as plain arrays; masks differ in size, so each has an entry of its own."""
    arrays: dict[str, Any] = {
        "path": np.array([panel.path for panel in panels], dtype=np.str_),
        "caption": np.array([panel.caption for panel in panels], dtype=np.str_),
    }
    for name in ("image", "noise_map", "anomaly_map"):
        arrays[name] = np.array([getattr(panel, name) for panel in panels], dtype=np.float32)
    arrays |= {f"mask_{index}": panel.mask for index, panel in enumerate(panels) if panel.mask is not None}
    write_atomically(path, lambda file: np.savez_compressed(file, **arrays))


def read_panels(path: Path) -> list[Panel]:
    """The inverse of `write_panels`; an empty list where no panels were kept."""
    if not path.exists():
        return []
    with np.load(path, allow_pickle=False) as arrays:
        return [
            Panel(
                path=str(arrays["path"][index]),
                caption=str(arrays["caption"][index]),
                image=arrays["image"][index],
                noise_map=arrays["noise_map"][index],
                anomaly_map=arrays["anomaly_map"][index],
                mask=arrays.get(f"mask_{index}"),
            )
            for index in range(len(arrays["path"]))
        ]
