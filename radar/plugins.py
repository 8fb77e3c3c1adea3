"""What is chosen by name and anyone may add: methods and layouts, from this package, installed ones and `--plugins` modules.

Installing a distribution with an entry point, or naming a module on the command line, is the user's consent to import it.
A config, a run or a model only selects among the names that are there.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Collection, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Generic, TypeVar, cast

from radar.errors import ConfigError
from radar.runtime.terminal import brief

GROUPS = ("radar.methods", "radar.layouts")  # of entry points, name = class

T = TypeVar("T")
_imported: dict[str, ModuleType] = {}  # by name: what --plugins named, in its order


class Registry(Generic[T]):
    """Classes by name; each says its own in the class attribute `name`.

    A built-in NAME is the class of that name in the module NAME of `package`, and is imported when it is asked for; `besides`
    are the modules of `package` that hold none. Entry points of `group` are imported when they are asked for, too.
    """

    def __init__(self, *, kind: str, group: str, package: str, besides: Collection[str] = ()) -> None:
        self.kind = kind
        self.group = group
        self.package = package
        self._besides = frozenset(besides)
        self._registered: dict[str, type[T]] = {}

    def register(self, cls: type[T]) -> type[T]:
        """Add a class; usable as a decorator. Raises `ConfigError` where its name is missing or another's."""
        name = getattr(cls, "name", None)
        if not isinstance(name, str) or not name.isidentifier():
            raise ConfigError(f"{self.kind} {_path(cls)}: needs a class attribute `name` of letters, digits and '_'")
        known = self._registered.get(name)
        if known is not None and _path(known) != _path(cls):
            raise ConfigError(f"{self.kind} {name}: {_path(cls)} has the name of {_path(known)}; rename one")
        if name in self._built_ins() and cls.__module__ != f"{self.package}.{name}":
            raise ConfigError(f"{self.kind} {name}: {_path(cls)} has the name of a built-in {self.kind}; rename it")
        self._registered[name] = cls
        own_code(cast(type, cls))  # now, as its file may change while this process lives on with what it has imported
        return cls

    def names(self) -> tuple[str, ...]:
        """All names, sorted; nothing is imported for it."""
        return tuple(sorted({*self._built_ins(), *_entry_points(self.group), *self._registered}))

    def get(self, name: str) -> type[T]:
        """The class of that name. Raises `ConfigError`, which lists the known names."""
        if name in self._registered:
            return self._registered[name]
        if name in self._built_ins():
            return self.register(_class_of(import_module(f"{self.package}.{name}"), name))
        if name in _entry_points(self.group):
            return self.register(_loaded(self.kind, _entry_points(self.group)[name]))
        known = ", ".join(self.names())
        raise ConfigError(
            f"{self.kind} {brief(name)}: there is none; use one of {known}, or name its module with --plugins"
        )

    def _built_ins(self) -> frozenset[str]:
        return _modules(self.package) - self._besides


@cache
def own_code(cls: type) -> str | None:
    """SHA-256 of the file of a class from outside this package, as it was when this was first asked, which registering it does.
    None of a built-in one, and of one that stands in no file.
    """
    if cls.__module__.partition(".")[0] == __name__.partition(".")[0]:
        return None
    try:
        return hashlib.sha256(Path(inspect.getfile(cls)).read_bytes()).hexdigest()
    except (TypeError, OSError):
        return None


def import_plugins(modules: Sequence[str]) -> None:
    """Import modules, which register what they add; the working folder counts as a place to find them.

    Raises `ConfigError` where one is missing or fails.
    """
    here = str(Path.cwd())
    if modules and here not in sys.path:  # the command `radar`, unlike `python -m radar`, leaves it out
        sys.path.append(here)
    for name in modules:
        try:
            _imported[name] = import_module(name)
        except ConfigError:
            raise
        except (Exception, SystemExit) as error:  # it is no module's to end the command, which may read as done
            if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
                raise ConfigError(f"--plugins {name}: no such module; install it, or run in its folder") from None
            what = " ".join(f"{type(error).__name__}: {error}".split())
            raise ConfigError(f"--plugins {name}: cannot be imported ({what}); mend the module") from error


def imported_plugins() -> tuple[str, ...]:
    """The modules that `--plugins` named, so that another process can import them, too."""
    return tuple(_imported)


def config_folders() -> tuple[Path, ...]:
    """The folders `conf` beside the modules of all plug-ins, where there are any; nothing is imported for it."""
    modules = [*_imported, *(point.module for group in GROUPS for point in _entry_points(group).values())]
    folders = dict.fromkeys(folder for folder in map(_config_folder, modules) if folder is not None)
    return tuple(folders)


def _config_folder(module: str) -> Path | None:
    first, *parts = module.split(".")
    spec = find_spec(first)
    if spec is None:
        return None
    inside = list(spec.submodule_search_locations or ())  # of a package
    folder = Path(inside[0]) if inside else Path(spec.origin or "").parent
    for part in parts:
        folder = folder / part if (folder / part).is_dir() else folder
    return folder / "conf" if (folder / "conf").is_dir() else None


@cache
def _modules(package: str) -> frozenset[str]:
    found = iter_modules(import_module(package).__path__)
    return frozenset(each.name for each in found if not each.ispkg and not each.name.startswith("_"))


@cache  # reading the metadata of all distributions takes long
def _entry_points(group: str) -> dict[str, EntryPoint]:
    return _installed(group, tuple(sys.path))


@cache
def _installed(group: str, _: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Entry points of what is installed on `sys.path`: reading all distributions takes longer than composing a config."""
    return {point.name: point for point in entry_points(group=group)}


def _class_of(module: ModuleType, name: str) -> type:
    def is_it(value: object) -> bool:
        return isinstance(value, type) and value.__module__ == module.__name__ and getattr(value, "name", None) == name

    found: type = next(value for value in vars(module).values() if is_it(value))
    return found


def _loaded(kind: str, point: EntryPoint) -> type:
    where = f"{kind} {point.name}: entry point {point.value}"
    advice = f"mend or remove {point.dist.name if point.dist else 'its distribution'}"
    try:
        loaded: object = point.load()
    except (Exception, SystemExit) as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(f"{where} cannot be imported ({what}); {advice}") from error
    if not isinstance(loaded, type) or getattr(loaded, "name", None) != point.name:
        raise ConfigError(f"{where} is no class with `name` {point.name}; {advice}")
    return loaded


def _path(cls: Callable[..., object]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
