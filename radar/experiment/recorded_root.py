"""Where the images of a run lie, whose config names their folder as it was seen from where the run was started."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from radar.data.sample import Sample
from radar.files import expanded
from radar.runtime.crops import file_and_crop

_LOOKED_FOR = 20  # images: some may be gone


def recorded_root(run: Path, root: str, samples: Sequence[Sample]) -> Path | None:
    """The folder `root` that holds images `samples` of the run in the folder `run`; None where a relative one is found nowhere.

    A relative one is sought beside the run and above it, as in `parts` beside `outputs/RUN`, and then in the present working folder,
    which need not be the one where the run was started.
    """
    given = Path(expanded(root))
    if given.is_absolute():
        return given
    files = [file_and_crop(Path(sample.path))[0] for sample in samples[:_LOOKED_FOR]]
    found = (place / given for place in (*run.resolve().parents, Path.cwd()))
    return next((folder for folder in found if any((folder / file).is_file() for file in files)), None)
