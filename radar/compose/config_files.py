"""Config files as a person may have written them: read within limits, and refused in one line that names the file."""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Iterator
from functools import lru_cache
from io import StringIO
from pathlib import Path

import yaml
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.core_plugins.importlib_resources_config_source import ImportlibResourcesConfigSource
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from radar.errors import ConfigError
from radar.plugins import imported_plugins
from radar.runtime.files import check_is_file

_BYTES = 1_000_000
_HEADER = 512  # characters in which Hydra looks for `# @package`
_DEPTH = 50  # of lists and sections in each other
_DIGITS = 100  # of a number
_NODES = 100_000  # with every alias written out


class CheckedFiles(FileConfigSource):
    """Hydra's source of config files; what it cannot read is a `ConfigError`."""

    def load_config(self, config_path: str) -> ConfigResult:
        file = Path(self.path) / self._normalize_file_name(config_path)
        if not file.exists():
            return super().load_config(config_path)  # which says where it looked
        text = _text(file)
        header = self._get_header_dict(text[:_HEADER])
        return ConfigResult(self.provider, f"{self.scheme()}://{self.path}", _config(text, file), header)


class ConsentedPackages(ImportlibResourcesConfigSource):
    """Hydra's source of configs in packages, which it imports: its own, those of launchers, and what `--plugins` names."""

    def __init__(self, provider: str, path: str) -> None:
        package = path.removeprefix("pkg://")
        if not f"{package}.".startswith(("hydra.", "hydra_plugins.", *(f"{name}." for name in imported_plugins()))):
            raise ConfigError(f"hydra.searchpath={path}: a config imports no package; name it with --plugins {package}")
        super().__init__(provider, path)


# in the processes of a sweep, Hydra registers its own sources over these, and refuses classes that are called otherwise
CheckedFiles.__name__ = FileConfigSource.__name__
ConsentedPackages.__name__ = ImportlibResourcesConfigSource.__name__


def load_config_file(file: Path) -> DictConfig:
    """The config in a file. Raises `ConfigError` for what is no text, no YAML, no keys, or would grow without bound."""
    return _config(_text(file), file)


def _text(file: Path) -> str:
    try:
        check_is_file(file, math.inf)
        with file.open("rb") as opened:
            content = opened.read(_BYTES + 1)
        if len(content) > _BYTES:
            raise ConfigError(f"{file}: is larger than {_BYTES:,} bytes, as no config is")
        return content.decode()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file}, line {line}: is no UTF-8; save the file in that encoding") from None
    except ValueError as error:
        raise ConfigError(f"{file}: cannot be read ({error}); name a file") from None


def _config(text: str, file: Path) -> DictConfig:
    try:
        loaded = pickle.loads(_parsed(text, str(file)))
    except yaml.MarkedYAMLError as error:
        place = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{file}{place}: {error.problem}; mend the YAML") from None
    except OSError:  # OmegaConf's, for a single value
        raise ConfigError(f"{file}: {_NO_KEYS}") from None
    except (yaml.YAMLError, OmegaConfBaseException, ValueError, TypeError, OverflowError) as error:
        raise ConfigError(f"{file}: {str(error).splitlines()[0]}; mend the YAML") from None
    except (LookupError, AttributeError):  # YAML's, as of !!float ''
        raise ConfigError(f"{file}: a tag does not fit its value; mend the YAML") from None
    if not isinstance(loaded, DictConfig):
        raise ConfigError(f"{file}: {_NO_KEYS}")
    return loaded


_NUMBER = re.compile(r"[-+.]?[0-9][-+.:_0-9a-fA-FxX]*")
_DECIMAL = re.compile(r"(?!-0$)-?(?:0|[1-9]\d*)?(?:\.\d*)?(?:[eE][-+]?\d+)?", re.ASCII)
_NO_KEYS = "holds no keys and values; write them as key: value"


@lru_cache(maxsize=256)
def _parsed(text: str, where: str) -> bytes:
    """What OmegaConf makes of a file's text, pickled: a command composes the same forty files several times, and from its
    pickle a config is made anew fifty times as fast as from its text.
    """
    check_yaml(text, where)
    return pickle.dumps(OmegaConf.load(StringIO(text)))


def check_yaml(text: str, where: str) -> None:
    """Raise `ConfigError` where YAML text nests too deeply, or its aliases grow without bound. Raises `YAMLError`."""
    sizes: dict[str, int] = {}  # of the nodes behind anchors
    open_nodes: list[tuple[str | None, int]] = []  # anchors of the lists and sections around, and nodes before each
    nodes = 0
    for event in _events(text):
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = nodes - before
            continue
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise ConfigError(
                    f"{where}, line {event.start_mark.line + 1}: *{event.anchor} stands for what it is in"
                )
            nodes += sizes[event.anchor]
        elif isinstance(event, yaml.NodeEvent):
            nodes += 1
            if isinstance(event, yaml.ScalarEvent) and _is_number(event):
                _check_number(event.value, f"{where}, line {event.start_mark.line + 1}")
            if isinstance(event, yaml.CollectionStartEvent):
                open_nodes.append((event.anchor, nodes))
            elif event.anchor is not None:
                sizes[event.anchor] = 1
        if len(open_nodes) > _DEPTH:
            raise ConfigError(f"{where}, line {event.start_mark.line + 1}: more than {_DEPTH} sections in each other")
        if nodes > _NODES:
            raise ConfigError(
                f"{where}, line {event.start_mark.line + 1}: its aliases stand for more than {_NODES:,} values"
            )


def _check_number(text: str, where: str) -> None:
    """Raise `ConfigError` where a number has too many digits, or where YAML reads another than is written: 010 as 8, +5 as 5."""
    if len(text) > _DIGITS:
        raise ConfigError(f"{where}: a number of more than {_DIGITS} digits")
    try:
        value = None if _DECIMAL.fullmatch(text) else yaml.safe_load(text)
    except ValueError:  # almost a date, which is a text
        value = None
    if isinstance(value, int | float):
        raise ConfigError(f"{where}: {text} would be read as the number {value}; write that, or put a name in quotes")


def _is_number(event: yaml.ScalarEvent) -> bool:
    """Whether YAML reads a number there, and not a text."""
    if event.tag is not None:
        return str(event.tag).endswith((":int", ":float"))
    return bool(event.implicit[0]) and _NUMBER.fullmatch(event.value) is not None


def _events(text: str) -> Iterator[yaml.Event]:
    events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
    return events
