"""A search is of one experiment on the same data, and of one process at a time: its trials are compared with each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from radar.config.schema import Config
from radar.data.dataset import open_dataset
from radar.errors import RunError
from radar.experiment.run_fingerprint import fingerprint
from radar.files import locked, read_json, write_json

_FILE, _LOCK = "search.json", "search.lock"  # in the sweep's folder
_REMEDY = "remove the folder, or search below another output_root"


def searched(config: Config, axes: Sequence[str]) -> str:
    """The fingerprint of the experiment that a search varies along `axes`, overrides; of no data where it varies these.

    Raises `DataError` where the data cannot be read.
    """
    varies_data = any(axis.lstrip("+~").startswith("dataset") for axis in axes)
    return fingerprint(config, "" if varies_data else open_dataset(config.dataset).content_hash)


@contextmanager
def search_held(folder: Path, experiment: str) -> Iterator[None]:
    """Keep other processes from the search in `folder`, and another experiment than that of its trials, given by `searched`.

    Raises `RunError` for either.
    """
    file = folder / _FILE
    try:
        with locked(folder / _LOCK, wait=False):
            stored = read_json(file, _REMEDY).get("experiment") if file.exists() else experiment
            if stored != experiment:
                raise RunError(
                    f"{folder}: its trials were made of other photos or settings, or by another version of radar, and are not to be "
                    f"compared with new ones; {_REMEDY}"
                )
            write_json(file, {"experiment": experiment})
            yield
    except BlockingIOError:
        raise RunError(f"{folder}: another process goes on with this search; wait for it, or {_REMEDY}") from None
