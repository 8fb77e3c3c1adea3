"""Images drawn in memory, with planted, masked defects; nothing is read or written."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from radar.data.decoding import BoolArray, Pixels, array_hash
from radar.data.layouts.layout import Entry, Layout
from radar.data.layouts.mvtec import mvtec_mask_path
from radar.data.synthetic.drawing import DrawnImage, SyntheticSettings, draw_synthetic


class SyntheticLayout(Layout):
    """Drawn when its images are first asked for; paths, masks' too, are those of an MVTec folder."""

    name = "synthetic"
    Settings = SyntheticSettings
    official_split = True
    settings: SyntheticSettings

    def problems(self) -> Iterator[str]:
        """Also a folder, which nobody would read."""
        yield from super().problems()
        if (root := self.config.root) is not None:
            yield (
                f"dataset.root={root}: layout synthetic draws its images and reads no folder; "
                f"radar train {root} trains on it, or add dataset=folder"
            )

    @property
    def side(self) -> int:
        """That of all its images."""
        return self.settings.side

    @cached_property
    def _drawn(self) -> dict[str, DrawnImage]:
        return {image.path: image for image in draw_synthetic(self.settings)}

    @cached_property
    def _masks(self) -> dict[str, BoolArray]:
        return {mvtec_mask_path(path): image.mask for path, image in self._drawn.items() if image.mask is not None}

    def entries(self) -> tuple[Entry, ...]:
        """Every drawn image, each a group of its own."""
        entries = (
            Entry(path, image.label, image.defect, mvtec_mask_path(path) if image.label else None, path, image.split)
            for path, image in self._drawn.items()
        )
        return tuple(sorted(entries, key=lambda entry: entry.path))

    def content_hash(self, path: str) -> str:
        """SHA-256 of shape, dtype and pixels."""
        return array_hash(self._drawn[path].image)

    def pixels(self, path: str) -> Pixels:
        """The picture itself."""
        return Pixels(self._drawn[path].image, 255)

    def shape(self, path: str) -> tuple[int, int]:
        """The picture's height and width."""
        height, width = self._drawn[path].image.shape
        return height, width

    def mask(self, path: str, mask: str) -> BoolArray:
        """The planted defect."""
        return self._masks[mask]

    def mask_hash(self, path: str, mask: str) -> str:
        """SHA-256 of the planted defect."""
        return array_hash(self._masks[mask])
