"""A search is of one experiment on the same data, and of one process at a time: its trials are compared with each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from radar.config.schema import Config
from radar.data.dataset import open_dataset
from radar.errors import RunError
from radar.experiment.run_fingerprint import fingerprint
from radar.files import locked, read_json, write_json

_FILE, _LOCK = "search.json", "search.lock"  # in the sweep's folder
_CHOOSING = ("dataset", "experiment", "data_root")  # of a data set; any other key below `dataset`, but for these
_OF_EACH = ("dataset.image", "dataset.train_images")
_REMEDY = "remove the folder, or search below another output_root"


def searched(config: Config, axes: Sequence[str]) -> str:
    """The fingerprint of the experiment that a search varies along `axes`, overrides; of no data where they choose these.

    Raises `DataError` where the data cannot be read.
    """
    keys = {axis.lstrip("+~").partition("=")[0] for axis in axes}
    chosen = any(key in _CHOOSING or (key.startswith("dataset.") and not key.startswith(_OF_EACH)) for key in keys)
    return fingerprint(config, "" if chosen else open_dataset(config.dataset).content_hash)


@contextmanager
def search_held(folder: Path, experiment: str) -> Iterator[None]:
    """Keep other processes from the search in `folder`, and another experiment than that of its trials, given by `searched`.

    Raises `RunError` for either.
    """
    file = folder / _FILE
    with ExitStack() as holding:
        try:
            holding.enter_context(locked(folder / _LOCK, wait=False))
        except BlockingIOError:
            raise RunError(
                f"{folder}: another process goes on with this search; wait for it, or search below another output_root"
            ) from None
        stored = read_json(file, _REMEDY).get("experiment") if file.exists() else experiment
        if stored != experiment:
            raise RunError(
                f"{folder}: its trials were made of other photos or settings, or by another version of radar, and are not to be "
                f"compared with new ones; {_REMEDY}"
            )
        write_json(file, {"experiment": experiment})
        yield
