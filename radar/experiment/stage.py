"""A stage: one result under the fingerprint of what it depends on, made when it is first asked for and kept in the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from radar.evaluation.metrics import StageMemory
from radar.evaluation.typed_sections import read_section
from radar.experiment.artefact_store import ArtefactStore, Key
from radar.files import Plain, read_json, write_atomically, write_json
from radar.rasters import Rasters

VERSIONS = {  # of every stage; raised when equal inputs would give another result
    "network": 4, "fitted": 5, "responses": 5, "points": 1, "pixel_metrics": 3, "noise_statistics": 4, "data_measures": 4,
}  # fmt: skip
_VALUES, _SIZES = "values.npy", "sizes.npy"
Result_co = TypeVar("Result_co", covariant=True)
Array = TypeVar("Array", bound=NDArray[np.generic])


class Stage(Generic[Result_co]):
    """`make` fills a folder of the store, `load` reads it back; parents' values are there before `make` is called.

    Its key is its name, its version, `inputs` (plain values) and its parents' keys, so that whoever depends on the same finds
    the same result.
    """

    def __init__(
        self,
        store: ArtefactStore,
        name: str,
        inputs: Mapping[str, object],
        parents: Mapping[str, Stage[object]],
        *,
        make: Callable[[Path], None],
        load: Callable[[Path], Result_co],
    ) -> None:
        self.store = store
        self.parents = dict(parents)
        above = {label: parent.key.fingerprint for label, parent in parents.items()}
        self.key: Key = Key(name, VERSIONS[name], {**inputs, **above})
        self.made_here = False  # by this object, whatever was stored when it was asked first
        self._make = make
        self._load = load

    @cached_property
    def value(self) -> Result_co:
        """The result, made now where it is not stored."""
        if not self.store.holds(self.key):
            for parent in self.parents.values():
                _ = parent.value  # so that its time is not counted here, and its lock not taken under this one's
        return self.store.take(self.key, self._made, self._load)

    def _made(self, part: Path) -> None:
        self.made_here = True
        self._make(part)

    def forget(self) -> None:
        """Let go of the value in memory; whoever asks for it again reads it from the store."""
        self.__dict__.pop("value", None)

    @property
    def is_stored(self) -> bool:
        """Whether the result is there."""
        return self.store.holds(self.key)

    def damage(self) -> str:
        """What would have the stored result made again, in words; empty where it is whole. All of it is read, so this takes time."""
        return self.store.damage(self.key)

    @property
    def seconds(self) -> float | None:
        """How long it took when it was made, interrupted attempts included; None where it is not stored."""
        return float(self.store.record(self.key)["seconds"]) if self.is_stored else None

    @property
    def memory(self) -> StageMemory | None:
        """What it took when it was made; None where it is not stored, or was by a version that did not measure it."""
        record = self.store.record(self.key) if self.is_stored else {}
        return read_section(StageMemory, record["memory"], "memory") if "memory" in record else None


def json_stage(
    store: ArtefactStore,
    name: str,
    inputs: Mapping[str, object],
    parents: Mapping[str, Stage[object]],
    make: Callable[[], dict[str, Plain]],
) -> Stage[dict[str, Plain]]:
    """A stage whose result is plain values."""

    def load(folder: Path) -> dict[str, Plain]:
        return read_json(folder / "result.json", "it is made again")

    def save(part: Path) -> None:
        write_json(part / "result.json", make())

    return Stage(store, name, inputs, parents, make=save, load=load)


def raster_stage(
    store: ArtefactStore,
    name: str,
    inputs: Mapping[str, Plain],
    parents: Mapping[str, Stage[object]],
    make: Callable[[], Rasters],
) -> Stage[Rasters]:
    """A stage whose result is rasters."""

    def save(part: Path) -> None:
        made = make()
        _save(part / _VALUES, made.values.numpy())
        _save(part / _SIZES, np.array(made.sizes, dtype=np.int64))

    def load(folder: Path) -> Rasters:
        values, sizes = (np.load(folder / file, allow_pickle=False) for file in (_VALUES, _SIZES))
        return Rasters(torch.from_numpy(values), tuple((int(height), int(width)) for height, width in sizes))

    return Stage(store, name, inputs, parents, make=save, load=load)


def array_stage(
    store: ArtefactStore,
    name: str,
    inputs: Mapping[str, Plain],
    parents: Mapping[str, Stage[object]],
    make: Callable[[], Array],
) -> Stage[Array]:
    """A stage whose result is one array."""

    def save(part: Path) -> None:
        _save(part / _VALUES, make())

    def load(folder: Path) -> Array:
        values: Array = np.load(folder / _VALUES, allow_pickle=False)
        return values

    return Stage(store, name, inputs, parents, make=save, load=load)


def _save(path: Path, values: NDArray[np.generic]) -> None:
    write_atomically(path, lambda file: np.save(file, values, allow_pickle=False))
