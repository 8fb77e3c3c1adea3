"""A search is of one experiment on the same data, and of one process at a time: its trials are compared with each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path

from radar.config.schema import Config, DatasetConfig
from radar.data.dataset import open_dataset
from radar.errors import RunError
from radar.experiment.run_fingerprint import fingerprint
from radar.experiment.sweep import JOBS_FOLDER
from radar.files import locked, read_json, write_json, writing

STUDY = "study.db"  # in the sweep's folder
_FILE, _LOCK = "search.json", "search.lock"  # beside it
# which photos a data set is of; what else lies below `dataset` leaves those of the experiment what they are
_CHOOSING = (
    "dataset",
    "experiment",
    "data_root",
    "dataset.layout",
    "dataset.root",
    "dataset.category",
    "dataset.manifest",
)
_OF_EVERY_LAYOUT = tuple(each.name for each in fields(DatasetConfig))
_REMEDY = "remove the folder, or search below another output_root"
_BEGUN = "begun anew"  # in that file, of a search that was: what it stands at
_EMPTYING, _GOING = "emptying", "going"


def searched(config: Config, axes: Sequence[str]) -> str:
    """The fingerprint of the experiment that a search varies along `axes`, overrides; of no data where they choose these.

    Raises `DataError` where the data cannot be read.
    """
    keys = {axis.lstrip("+~").partition("=")[0] for axis in axes}
    chosen = any(key in _CHOOSING or (key.startswith("dataset.") and _is_of_layout(key)) for key in keys)
    return fingerprint(config, "" if chosen else open_dataset(config.dataset).content_hash)


def _is_of_layout(key: str) -> bool:
    """Whether a key below `dataset` is of the layout's own section, which says where in a folder photos lie, or how they are drawn."""
    return key.split(".")[1] not in _OF_EVERY_LAYOUT


@contextmanager
def search_held(folder: Path, experiment: str, *, force: bool = False) -> Iterator[None]:
    """Keep other processes from the search in `folder`, and another experiment than that of its trials, given by `searched`.

    With `force` its trials are forgotten, so that it begins anew; where a search that was begun so was interrupted, it goes on.
    Raises `RunError` for what is kept away.
    """
    file = folder / _FILE
    with ExitStack() as holding:
        try:
            holding.enter_context(locked(folder / _LOCK, wait=False))
        except BlockingIOError:
            raise RunError(
                f"{folder}: another process goes on with this search; wait for it, or search below another output_root"
            ) from None
        known = read_json(file, _REMEDY) if file.exists() else {"experiment": experiment}
        is_other, begun = known.get("experiment") != experiment, known.get(_BEGUN)
        if is_other and not force:
            raise RunError(
                f"{folder}: its trials were made of other photos or settings, or by another version of radar, and are not to be "
                f"compared with new ones; begin it anew with --force, {_REMEDY}"
            )
        if begun == _EMPTYING or (force and (is_other or begun != _GOING)):
            write_json(file, {"experiment": experiment, _BEGUN: _EMPTYING})  # so that half of its trials are never all
            _forget(folder)
            begun = _GOING
        write_json(file, {"experiment": experiment, **({_BEGUN: begun} if begun else {})})
        yield
        write_json(file, {"experiment": experiment})


def _forget(folder: Path) -> None:
    """Remove the study and what is written down of its jobs; what these computed stays."""
    with writing(folder):
        for file in (*folder.glob(f"{STUDY}*"), *(folder / JOBS_FOLDER).glob("*.json")):
            file.unlink(missing_ok=True)
