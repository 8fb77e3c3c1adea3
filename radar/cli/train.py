"""`radar train FOLDER`: the recommended experiment on a folder of photos, of which names tell what is good."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from radar.cli.experiment import experiment
from radar.cli.output import lasting_output
from radar.cli.preflight import print_preflight
from radar.cli.printing import PlainConsole
from radar.compose import command_line
from radar.compose.command_line import CommandLine
from radar.compose.overrides import quoted
from radar.compose.settings import is_override
from radar.config.schema import Config
from radar.data.dataset import open_dataset
from radar.data.folder_names import Recognised, recognise
from radar.data.grouping import safer_grouping
from radar.errors import ConfigError
from radar.progress import ProgressBar
from radar.runtime.options import Parser

_RECOMMENDED = "experiment=recommended"
_PLACES = ("dataset.root", "data_root")  # keys that say where photos lie, as FOLDER does
_INSTEAD_OF_NAMES = {"dataset", "dataset.folder.normal"}  # where one is typed, names are not asked
_GROUPING = ("dataset.split", "dataset.manifest", "dataset.folder.group")  # each of them says what belongs together
_HYDRAS_WORDS = ("null", "true", "false", "nan", "inf")  # which are no text where they are not quoted
_FLAGS = ("--dry-run", "--force")  # which say how the experiment runs, and not which it is


def train(arguments: Sequence[str]) -> int:
    """Run `radar train`; returns the exit code. Raises `RadarError` where names do not tell what is good."""
    parser = Parser(
        "radar train",
        description="Train on a folder of photos. Its sub-folders are known by usual names (good, bad, one per defect, masks).",
        epilog="KEY=VALUE …, -m, --dry-run and --force as for an experiment; dataset.folder.normal= and its like name sub-folders",
    )
    parser.add_argument("folder", help="a folder of good photos, or of sub-folders of good and defective ones")
    first = arguments[0] if arguments else "--help"
    if is_override(first) or (first.startswith("-") and first not in ("-h", "--help")):
        raise ConfigError(f"{first}: name the folder of the photos first, as in radar train parts {first}")
    if not first:
        raise ConfigError("train: the folder's name is empty, as of a variable that is not set; name a folder")
    folder = Path(parser.parse_args([first]).folder)
    typed = list(arguments[1:])
    shows = "--dry-run" in typed or command_line.read([word for word in typed if word not in _FLAGS]).shows
    with nullcontext() if shows else lasting_output():
        return _trained(folder, typed)


def _trained(folder: Path, typed: Sequence[str]) -> int:
    """Run the experiment on a folder with what is typed behind it; returns the exit code."""
    _refuse_another_place(folder, typed)
    console = PlainConsole()
    chosen = _missing(_chosen(folder, typed, console), typed)
    line = command_line.read([word for word in (*chosen, *typed) if word not in _FLAGS])
    if line.shows:
        return experiment([*chosen, *typed])
    grouping, told = _inspected(line, typed, console)
    words = [*chosen, *grouping, *typed]
    console.print(f"The same as: radar {shlex.join(words)}", soft_wrap=True, highlight=False, markup=False)
    return experiment(words, told)


def _refuse_another_place(folder: Path, typed: Sequence[str]) -> None:
    """Raise `ConfigError` where a typed key names other photos than those of `folder`.

    A category is a sub-folder: it is one of the set's own where `dataset` is typed, and else hides what names told.
    """
    keys = {_key(word): word for word in typed}
    own = () if _INSTEAD_OF_NAMES & keys.keys() else ("dataset.category",)
    for key in (*_PLACES, *own):
        if key in keys:
            raise ConfigError(
                f"{keys[key]}: {folder} says where the photos lie; leave it out, or name their folder after radar train"
            )


def _chosen(folder: Path, typed: Sequence[str], console: PlainConsole) -> list[str]:
    """The overrides that a folder's names stand for; where they are typed, names are not asked."""
    keys = {_key(word) for word in typed}
    as_typed = Recognised("folder", {"root": str(folder)}, "as was typed")
    found = as_typed if _INSTEAD_OF_NAMES & keys else recognise(folder)
    console.print(f"{folder}: {found.told}", soft_wrap=True, highlight=False, markup=False)
    names_groups = any(
        _key(word) == "dataset.folder.group" and word.partition("=")[2] not in ("", "null") for word in typed
    )
    grouped = ["dataset.split=grouped"] if names_groups and "dataset.manifest" not in keys else []
    values = {"name": _name(folder), **found.values, "root": _root(folder)}
    return [_RECOMMENDED, f"dataset={found.preset}", *_overrides(values), *grouped]


def _inspected(line: CommandLine, typed: Sequence[str], console: PlainConsole) -> tuple[list[str], tuple[str, ...]]:
    """Tell what is there and what is odd; the overrides that keep together what belongs together, and notes that were told."""
    config, chosen = _config(line), list[str]()
    with ProgressBar() as report:
        if config.dataset.layout == "folder" and not {_key(word) for word in typed} & set(_GROUPING):
            grouping = safer_grouping(config.dataset, report)
            chosen = _overrides(grouping.values)
            console.print(f"{grouping.told} ({' '.join(chosen)})", soft_wrap=True, highlight=False, markup=False)
            config = _config(
                CommandLine((*line.overrides, *chosen), config_dir=line.config_dir, multirun=line.multirun)
            )
        dataset = open_dataset(config.dataset, report)
        print_preflight(dataset, console, report)
    return chosen, dataset.notes


def _config(line: CommandLine) -> Config:
    """Of a sweep that of its first job."""
    from radar.compose.plan import plan  # noqa: PLC0415 - methods and torch: help does without

    return plan(line).jobs[0].config


def _missing(overrides: Sequence[str], typed: Sequence[str]) -> list[str]:
    """Those whose key is not typed."""
    keys = {_key(word) for word in typed}
    return [override for override in overrides if _key(override) not in keys]


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def _overrides(values: Mapping[str, str | None]) -> list[str]:
    return [f"dataset.{key}={_quoted(value)}" for key, value in values.items()]


def _quoted(value: str | None) -> str:
    """As Hydra reads it; a plain word stays as it is."""
    if value is None:
        return "null"
    if re.fullmatch(r"(?!\.\d)[A-Za-z./_][A-Za-z0-9./_-]*", value) and value.lower() not in _HYDRAS_WORDS:
        return value
    return quoted(value)


def _root(folder: Path) -> str:
    """As a config names the folder: a name that begins with `~` would be a home, and `???` no value."""
    return f"./{folder}" if str(folder).startswith(("~", "???")) else str(folder)


def _name(folder: Path) -> str:
    """What runs are called: the folder's name in what a run's name may hold."""
    name = folder.resolve().name
    return (
        "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)
        or "photos"
    )
