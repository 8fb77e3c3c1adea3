"""Overrides, `key=value`, as Hydra reads them: what they say, what they sweep over, and the jobs of a sweep that they make."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import islice, product
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from radar.compose.config_tree import options
from radar.errors import ConfigError
from radar.runtime.terminal import brief

__all__ = ["Override"]

MOST_JOBS = 10_000  # of one sweep

_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""")
_DIGITS = r"\d+(?:_\d+)*"
_OTHERWISE = re.compile(  # a number that is a whole value, and as a text would be written otherwise
    rf"(?:(?<!\\)[=,\[(]|\{{(?:[^}}]*,)?[^:}}]*:)\s*(?=\+|-0+(?![.\d])|[^\s,]*_)([+-]?{_DIGITS}(?:\.(?:{_DIGITS})?)?(?:[eE][+-]?{_DIGITS})?)(?=\s*(?:[,\])}}]|$))"
)


def read_overrides(overrides: Sequence[str]) -> list[Override]:
    """Hydra's reading of `key=value` arguments. Raises `HydraException`, and `ConfigError` for what is beyond its parser."""
    parser = OverridesParser.create(config_loader=cast(Any, _Options()))
    for override in overrides:
        _refuse_other_spellings(override)
    try:
        return parser.parse_overrides(overrides=list(overrides))
    except ValueError as error:  # thousands of digits
        raise ConfigError(f"{brief(' '.join(overrides))}: {brief(str(error))}") from None
    except RecursionError:
        raise ConfigError(f"{brief(' '.join(overrides))}: is nested too deeply to be read") from None


def _refuse_other_spellings(override: str) -> None:
    """Raise `ConfigError` where a number is written with '_' or '+', which Hydra leaves out: a name like 1_6 would become 16."""
    found = _OTHERWISE.search(_QUOTED.sub('""', override))
    if found:
        number = found[1].replace("_", "").lstrip("+")
        number = "0" if number.strip("-0") == "" else number
        raise ConfigError(
            f"{brief(override)}: {brief(found[1])} would be read as the number {brief(number)}; write that, or quote a name, as in "
            f"'key=\"{brief(found[1])}\"'"
        )


def quoted(text: str) -> str:
    """Text as a value that Hydra reads back. Raises `ConfigError` for a text that a config would read as another key's value."""
    if "${" in text:
        raise ConfigError(f"{text}: holds ${{, which stands for another key in a config; rename it")
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text)
    return f"'{escaped}'"


def values_of(override: Override) -> list[str]:
    """What an override sweeps over, as it would be written; none of a range that a search draws from.

    Raises `ConfigError` where there are more than `MOST_JOBS`, where it cannot be counted up, and for a range of no numbers.
    """
    try:
        _check_range(override)
        values = [] if override.is_interval_sweep() else list(islice(override.sweep_string_iterator(), MOST_JOBS + 1))
    except (ValueError, TypeError, ArithmeticError) as error:
        raise ConfigError(f"{override.input_line}: {error}; name values, as in a,b") from None
    if len(values) > MOST_JOBS:
        raise ConfigError(f"{override.input_line}: more than {MOST_JOBS:,} values; sweep over fewer")
    return values


def has_braces(override: Override) -> bool:
    """Whether the value of an override, or one that it sweeps over, is in braces: names with values."""
    value = override.value()
    return any(isinstance(each, dict) for each in getattr(value, "list", [value]))


def words_of(override: Override) -> list[str]:
    """What an override says in the jobs of a sweep, a word for each of its values; none of a range that a search draws from."""
    values = values_of(override) if override.is_sweep_override() else [override.get_value_element_as_str()]
    return [f"{override.get_key_element()}={value}" for value in values]


def _check_range(override: Override) -> None:
    """Raises `ConfigError` where an override is a range of a search that holds no number."""
    if not override.is_interval_sweep():
        return
    drawn = cast(Any, override.value())
    if not (math.isfinite(drawn.start) and math.isfinite(drawn.end) and drawn.start <= drawn.end):
        raise ConfigError(f"{override.input_line}: needs two finite ends, the smaller one first, as in interval(0.1,1)")
    if "log" in drawn.tags and drawn.start <= 0:
        raise ConfigError(f"{override.input_line}: 0 and below have no logarithm; let it begin above 0")


def expanded(overrides: Sequence[str]) -> list[list[str]]:
    """The overrides of every job of a sweep, the last axis running fastest.

    Of those with one key the last counts; what is said in braces stands beside what is chosen, and is of several keys.
    """
    plain = [override for override in read_overrides(overrides) if not override.is_hydra_override()]
    for override in plain:
        if override.is_interval_sweep():
            raise ConfigError(
                f"{override.input_line}: a range is for a search, as of --config-name sweep_search; name values, as in a,b"
            )
    words: dict[str | None, list[str]] = {}
    for each in plain:
        name = each.input_line if has_braces(each) else each.get_key_element()
        words.pop(name, None)  # so that it stands where it was said last
        words[name] = words_of(each)
    jobs = math.prod(map(len, words.values()))
    if jobs > MOST_JOBS:
        raise ConfigError(
            f"{' '.join(overrides)}: {jobs:,} jobs, and at most {MOST_JOBS:,} are one sweep; name fewer values"
        )
    return [list(job) for job in product(*words.values())]


class _Options:
    """What Hydra asks of its loader to read `glob(…)`."""

    def get_group_options(self, group_name: str, results_filter: object = None) -> list[str]:
        return options(group_name)
