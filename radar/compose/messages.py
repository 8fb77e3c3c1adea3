"""What Hydra and OmegaConf complain about, in one line that names the key and the fix."""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from radar import install_command
from radar.compose.config_tree import is_group, leaf_keys, method_keys, options, sweep_configs
from radar.compose.hydra_internals import HydraException
from radar.compose.overrides import Override, read_overrides, values_of
from radar.config.schema import Config
from radar.data.layouts import setting_keys
from radar.errors import ConfigError, RadarError
from radar.runtime.numbers import number
from radar.runtime.terminal import brief

_NUMBERS = {"timestep": "value", "contamination": "value", "patch": "size"}  # the number behind a group's options
_ABOUT = ".*raised while composing|Error merging override"  # what Hydra says before it tells what is wrong
_EXTRAS = {  # of a group, or of one option that needs more than its group
    "hydra/launcher": "launchers", "hydra/launcher/ray": "ray", "hydra/sweeper": "search", "hydra/sweeper/sampler": "search",
}  # fmt: skip


def refuse_numbers_for_groups(overrides: Sequence[str]) -> None:
    """A number where a group option is meant: Hydra answers that with a traceback."""
    for text in overrides:
        if not text:
            raise ConfigError("an argument is empty, as of a variable that is not set; write key=value")
        if "=" not in text and Path(text).is_dir():
            raise ConfigError(f"{text}: is a folder; radar train {text} trains on its photos")
        if "=" not in text and not text.startswith("~"):
            raise ConfigError(f"{text}: is neither a command nor key=value; see radar --help")
        try:
            override = read_overrides([text])[0]
        except HydraException:
            raise ConfigError(
                f"{text}: cannot be read as key=value; quote special characters, as in 'key=\"a,b\"'"
            ) from None
        group = override.key_or_group
        values = values_of(override) if override.is_sweep_override() else [override.value()]
        if override.is_sweep_override() and not override.is_interval_sweep() and not values:
            raise ConfigError(
                f"{text}: stands for nothing; group {group} has {', '.join(options(group)) or 'no options'}"
            )
        for value in values:
            if not is_group(group) or override.is_delete():
                continue
            if not isinstance(value, str | int | float | dict | None) or "/" in str(value):
                raise ConfigError(f"{brief(text)}: is no name of an option; {_one_of(group)}")
            if value in (None, "null", ""):
                raise ConfigError(f"{text}: group {group} needs an option; {_one_of(group)}, or leave it out")
            if _is_number(str(value)):
                raise ConfigError(_missing_option(group, str(value)))


def _is_number(text: str) -> bool:
    try:
        number(text)
    except ValueError:
        return False
    return True


def refuse_sweeps(overrides: Sequence[str]) -> None:
    """Several values where one experiment is meant."""
    for override in read_overrides(overrides):
        if override.is_sweep_override():
            raise ConfigError(f"{override.input_line}: several values make a sweep; add -m, or quote a list as [a,b]")


def refuse_without_sweep(overrides: Sequence[str]) -> None:
    """How jobs run together where there is one."""
    for text in overrides:
        raise ConfigError(f"{text}: is of a sweep, and this is one run; add -m, or leave it out")


def refuse_other_forms(overrides: Sequence[Override], section: str) -> None:
    """Keys of a section that is no part of a run have one form, by which they are told from those of the runs."""
    for override in overrides:
        key, text = override.key_or_group, str(override.input_line)
        if key.partition(".")[0] == section and not text.startswith(f"{section}."):
            raise ConfigError(f"{brief(text)}: write the keys of {section} one by one, as in {section}.KEY=value")


@contextmanager
def one_line(overrides: Sequence[str]) -> Iterator[None]:
    """Turn what Hydra and OmegaConf raise into one line that names the key and the fix."""
    try:
        yield
    except YAMLError as error:
        where = getattr(error, "problem_mark", None)
        place = f"{where.name}, line {where.line + 1}" if where else "a config file"
        raise ConfigError(f"{place}: {getattr(error, 'problem', error)}; mend the YAML") from None
    except (
        RadarError,
        BrokenPipeError,
    ):  # nobody reads what is shown any more, as behind `| head`: no fault of a config
        raise
    except RecursionError:
        raise ConfigError(
            f"{' '.join(overrides) or 'config'}: the defaults or values of a config lead back to themselves"
        ) from None
    except Exception as error:  # whatever Hydra and OmegaConf raise, they were reading what a user wrote
        raise ConfigError(_message(error, overrides)) from None


def _message(error: Exception, overrides: Sequence[str]) -> str:
    text = f"{error}\n{error.__cause__}"
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        name = brief(Path(str(error.filename)).stem)
        return f"{name}: is longer than the name of any file, so it names no config and no option; give a name that is there"
    # an option of a group does not exist: Could not find 'timestep/1'
    missing = re.search(r"Could not find '([^']+)/([^'/]+)'", text)
    if missing:
        return _missing_option(missing[1].removeprefix("/"), missing[2])
    primary = re.search(r"Cannot find primary config '([^']+)'", text)
    if primary:
        return f"--config-name {primary[1]}: no such config; sweeps are: {', '.join(sweep_configs())}"
    unknown = re.search(r"Key '([^']+)' (?:is )?not in", text) or re.search(
        r"Could not override '([^']+)'.*No match", text, re.S
    )
    if unknown:
        return _unknown_key(unknown[1], overrides)
    cause = error.__cause__ or error
    full_key = getattr(cause, "full_key", None) or getattr(error, "full_key", None)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not re.match(_ABOUT, line)]
    blamed = _blamed_override(text, overrides)
    kind = "" if isinstance(error, (HydraException, OmegaConfBaseException)) else type(error).__name__
    return ": ".join(part for part in (blamed or full_key, kind, lines[0] if lines else "") if part)


def _missing_option(group: str, option: str) -> str:
    extra = _EXTRAS.get(f"{group}/{option}", _EXTRAS.get(group))
    if extra:
        return f"{group}={option}: is not installed, or there is none; see {install_command(extra)}"
    known = sorted(options(group), key=_natural)
    number = re.search(r"\d+", option)
    with_number = [name for name in known if number and number[0] in re.findall(r"\d+", name)]
    near = with_number if number else difflib.get_close_matches(option, known, 1)  # 14 is not near 15
    leaf = (
        f", or set the value itself with {group}.{_NUMBERS[group]}={option}"
        if group in _NUMBERS and _is_number(option)
        else ""
    )
    advice = f"use {group}={near[0]}" if near else _one_of(group)
    return f"{group}={option}: group {group} has no option {option}; {advice}{leaf}"


def _one_of(group: str) -> str:
    return f"use one of {', '.join(sorted(options(group), key=_natural))}"


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts t5 before t10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _unknown_key(key: str, overrides: Sequence[str]) -> str:
    """`key` may be the unknown part of a longer key; the override that has it is shown whole."""
    written = {override: override.split("=", 1)[0].lstrip("+~") for override in overrides}
    if taken := next((override for override in overrides if override.startswith("~")), None):
        return f"{taken}: other keys need what it takes away; leave it out"
    blamed = next((override for override, name in written.items() if key in (name, *name.split("."))), None)
    return _no_such_key(blamed or key, written[blamed] if blamed else key)


def _no_such_key(shown: str, wanted: str) -> str:
    own = (*(f"method.{key}" for key in method_keys()), *(f"dataset.{key}" for key in setting_keys()))
    known = sorted({*_leaf_keys(Config, ""), *own} - {"method.settings", "dataset.settings"})
    same_leaf = [name for name in known if name.split(".")[-1] == wanted.rsplit(".", maxsplit=1)[-1]]
    if wanted in known:  # but not of what was chosen
        group = wanted.partition(".")[0]
        return f"{shown}: the {group} that was chosen has no such key; leave it out, or choose another {group}"
    near = same_leaf if len(same_leaf) == 1 else difflib.get_close_matches(wanted, known, 1)
    advice = f"did you mean {near[0]}?" if near else "radar --cfg job lists all keys"
    return f"{shown}: no such key; {advice}"


def refuse_unknown_method_key(override: Override, key: str, method: DictConfig) -> None:
    """Raise `ConfigError` where `key` below `method`, which `override` sets, is one that neither this method nor another one has."""
    if key.removeprefix("method.") not in {*method_keys(), *leaf_keys(method)}:
        raise ConfigError(_no_such_key(brief(override.input_line or key), key))


def _blamed_override(text: str, overrides: Sequence[str]) -> str | None:
    for override in overrides:
        key = override.split("=", 1)[0].lstrip("+~")
        if key and re.search(rf"(?<![\w.]){re.escape(key)}(?![\w.])", text):
            return override
    return None


def _leaf_keys(section: Any, prefix: str) -> Iterator[str]:
    for item in fields(section):
        kind = item.default_factory
        if is_dataclass(kind):
            yield from _leaf_keys(kind, f"{prefix}{item.name}.")
        else:
            yield prefix + item.name
