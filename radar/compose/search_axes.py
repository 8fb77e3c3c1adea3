"""What trials of a search may be, before one is drawn: every value of an axis once, beside the first value of the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from radar.compose.overrides import Override, read_overrides, values_of
from radar.config.schema import Config
from radar.errors import ConfigError
from radar.methods.parts.denoising import trains_denoiser
from radar.methods.registry import method_of


def trials(axes: Iterable[str], fixed: Sequence[str]) -> Iterator[list[str]]:
    """The overrides of some trials along `axes`, of which the last of a key counts; each also has `fixed`, which are no axes.

    Of numbers in a row there are the first and the last, and of a range one in its middle. Raises `ConfigError` where `fixed` has
    every key, so that all trials would be the same.
    """
    taken = {override.key_or_group for override in read_overrides(fixed)}
    by_key = {override.key_or_group: override for override in read_overrides(list(axes))}
    own = [str(each.input_line) for key, each in by_key.items() if not each.is_sweep_override() and key not in taken]
    varied = [each for key, each in by_key.items() if each.is_sweep_override() and key not in taken]
    options = [found for each in varied if (found := _options(each))]
    if not options:
        raise ConfigError("hydra/sweeper: a search with nothing to vary; name an axis, as in 'seed=choice(0,1)'")
    firsts = [each[0] for each in options]
    yield [*own, *fixed, *firsts]
    for place, each in enumerate(options):
        yield from ([*own, *fixed, *firsts[:place], option, *firsts[place + 1 :]] for option in each[1:])


def _options(axis: Override) -> list[str]:
    key = str(axis.input_line).partition("=")[0]
    values = [_middle(axis)] if axis.is_interval_sweep() else values_of(axis)
    return [f"{key}={value}" for value in (values[:: max(1, len(values) - 1)] if axis.is_range_sweep() else values)]


def _middle(axis: Override) -> str:
    """A value that lies in a range, of whose ends one may be none that its key takes."""
    drawn = cast(Any, axis.value())
    whole = isinstance(drawn.start, int) and isinstance(drawn.end, int)
    return str((drawn.start + drawn.end) // 2 if whole else (drawn.start + drawn.end) / 2)


def refuse_without_loss(config: Config) -> None:
    """Raise `ConfigError` for a trial that would tell nothing of what a search minimises."""
    if not trains_denoiser(method_of(config)):
        raise ConfigError(
            f"method {config.method.name}: leaves no validation_loss, the one thing that a search goes by; "
            "search with a method that trains the diffusion network, such as method=radar"
        )
