"""The `radar` command: an experiment or a sweep without a verb, other verbs by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import chdir
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import radar
from radar.cli.exit_codes import OUTPUT_ROOT, guarded
from radar.errors import ConfigError, WriteError
from radar.runtime.exit_codes import run
from radar.runtime.options import refuse_dashes_for_values

# each a module of this room with a function of its name
_VERBS = {
    "train": "learn a folder of photos: radar train parts",
    "data": "list, check, split, write and download data sets",
    "predict": "score photos with a run's model: a line per image, overlays, masks; or watch a folder",
    "inspect": "a local page on a run's model: drop photos, try thresholds, review; POST /predict for scripts",
    "calibrate": "another threshold for a run's model, without training: from normal photos, reviews, or by hand",
    "monitor": "has the light, the focus or the product changed since: control charts over a log of predictions",
    "export": "a run's model as a graph for ONNX Runtime or OpenVINO, which runs without torch",
    "report": "tables, figures and one page from stored results",
    "compare": "what tells runs apart, and what that did to the numbers",
    "transfer": "each run's model on the test images of the other runs",
    "status": "how far a sweep is",
    "cache": "what runs share, and what may be removed",
}
# what names the folder that a verb writes to
_PLACES = {
    "train": OUTPUT_ROOT,
    "cache": OUTPUT_ROOT,
    **dict.fromkeys(("predict", "export", "report", "transfer"), "another folder with --out FOLDER"),
    "calibrate": "a copy of the model elsewhere",
    "inspect": "another file with --reviewed FILE",
    "data": "another path, or another folder with data_root=FOLDER",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. A user's error is one line on standard error."""
    return guarded(lambda: _command(list(sys.argv[1:] if arguments is None else arguments)))


def _command(arguments: list[str]) -> int:
    # imported here, so that an installation that is not whole ends by the rule of exit codes, too
    from radar.compose.command_line import without_plugins  # noqa: PLC0415
    from radar.plugins import import_plugins  # noqa: PLC0415

    os.environ["MPLBACKEND"] = "agg"  # pictures go to files; a notebook's own backend may not be installed here
    if os.path.lexists("matplotlibrc"):  # of the folder that it is imported in; this one may be anyone's
        with chdir(Path(radar.__file__).parent):
            import_module("matplotlib")
    refuse_dashes_for_values(arguments)
    arguments, plugins = without_plugins(arguments)
    import_plugins(plugins)
    if arguments[:1] == ["--version"]:
        print(f"radar {radar.__version__}")
        return 0
    verb = arguments[0] if arguments[:1] and arguments[0] in _VERBS else None
    if verb is None and {"--help", "-h"} & set(arguments):
        width = max(map(len, _VERBS))
        print("radar VERB --help tells more of each verb; without a verb, an experiment is run:\n")
        print("\n".join(f"  radar {name:<{width}}  {line}" for name, line in _VERBS.items()), end="\n\n")
    if verb is None:
        _refuse_mistyped(arguments[:1])
    # each verb loads only what it needs
    called = getattr(import_module(f"radar.cli.{verb or 'experiment'}"), verb or "experiment")
    try:
        return int(called(arguments[1:] if verb else arguments))
    except WriteError as error:
        error.place = _PLACES.get(verb or "train", error.place)
        raise


def _refuse_mistyped(first: Sequence[str]) -> None:
    """Raise `ConfigError` where the first word is almost a verb, and neither an option, a setting nor a path."""
    for word in first:
        near = get_close_matches(word, _VERBS, 1)
        if near and "=" not in word and word[0] not in "-~+" and not Path(word).exists():
            raise ConfigError(f"{word}: no such command; did you mean radar {near[0]}?")


def process() -> NoReturn:
    """The command `radar`, as a process of its own."""
    run(main)


if __name__ == "__main__":
    process()
