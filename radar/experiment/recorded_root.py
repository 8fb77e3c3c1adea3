"""Where the images of a run lie, whose config names their folder as it was seen from where the run was started."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from radar.data.decoding import file_hash
from radar.data.sample import Sample
from radar.files import expanded
from radar.runtime.crops import file_and_crop

_LOOKED_FOR = 20  # images: some may be gone


def recorded_root(run: Path, root: str, samples: Sequence[Sample]) -> Path | None:
    """The folder `root` that holds images `samples` of the run in the folder `run`; None where a relative one is found nowhere.

    A relative one is sought from where the run lies and above, as `parts` beside `outputs/RUN`, and from the present working folder,
    which need not be the one where the run was started. The first that holds an image with its recorded content counts, or else
    the first that holds a file of an image's name: crops and images of a reader of its own are known by their pixels.
    """
    given = Path(expanded(root))
    if given.is_absolute():
        return given
    places = [place / given for place in (*run.resolve().parents, Path.cwd())]
    named = {file_and_crop(Path(sample.path))[0]: sample.content_hash for sample in samples[:_LOOKED_FOR]}
    for is_there in (_has_content, _is_file):
        for folder in places:
            if any(is_there(folder / file, content) for file, content in named.items()):
                return folder
    return None


def _is_file(path: Path, _: str) -> bool:
    return path.is_file()


def _has_content(path: Path, content_hash: str) -> bool:
    try:
        return path.is_file() and file_hash(path) == content_hash
    except OSError:  # whoever opens it says so
        return False
