"""Which settings tell results apart: flat configs, the keys that vary, and names made from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from radar.compose.overrides import quoted
from radar.errors import ConfigError
from radar.report.recipes import is_own, option_values, told_by
from radar.report.region_names import named, override_told
from radar.report.result import Result

# not part of what a method is: where and how it was watched, and the seed, over which cells average
_NO_SETTING = (
    "seed", "name", "preset", "tags", "logger", "dataset.name", "trainer.progress", "trainer.workers",
    "trainer.threads", "trainer.accelerator",
    "trainer.stack", "trainer.stack_memory_fraction", "evaluation.pixel", "evaluation.panels", "evaluation.figures",
    "evaluation.border", "method.controls", "dataset.near_duplicates",
)  # fmt: skip
# where things lie
_PLACES = ("data_root", "output_root", "dataset.root", "dataset.manifest", "dataset.folder.normal", "dataset.folder.anomalous",
           "dataset.folder.masks")  # fmt: skip
# of overrides: choices that a name tells anyway, and where things lie
_NO_CHANGE = ("experiment", "dataset", "method", "logger", "trainer", "dataset.category", *_PLACES)
# first of keys that vary together is the one a person turned
_LEADING = (
    "patch.size", "timestep.value", "contamination.value", "dataset.train_images", "unet.channels", "unet.attention_levels",
    "scoring.blur.sigma", "scoring.window", "scoring.edge", "scoring.draws", "scoring.map", "scoring.field", "scoring.density.name",
    "diffusion.schedule", "diffusion.timestep_sampling", "detector.name", "detector.fitted_on", "detector.threshold",
    "training.max_steps",
)  # fmt: skip

# what the paper's recipe decides on any data set; where its regions lie, and how it is split, a data set says itself
OF_RECIPE = ("contamination", "detector", "diffusion", "patch", "scoring", "timestep", "training", "unet", "trainer",
              "dataset.image", "dataset.train_images")  # fmt: skip
# what changes how long a run takes, or what it refuses, and nothing that it makes
_OF_MACHINE = ("trainer.strategy", "trainer.compile", "trainer.deterministic", "dataset.megapixels")
_OF_DATASET = "dataset.image.region_of_interest"
_WORKING_SIZES = ("working_size", "dataset.image.working_size")  # a run has what came of them, a resolution
_FEW = 2  # keys of a section that a name tells one by one

_AS_EVER = ("scoring.border.name", "none")  # what every run was before there was a choice

PUBLISHED_NAME = "RADAR"
_LEFT = "???"  # what an option says of a key that only the command knows
MISSING = "–"  # a key that the method does not read

Settings = dict[str, Any]


def flat(tree: Mapping[str, Any], prefix: str = "") -> Settings:
    """{"a": {"b": 1}} → {"a.b": 1}; lists become text, so that every value compares and hashes, and long regions names."""
    leaves: Settings = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            leaves |= flat(value, f"{prefix}{key}.")
        else:
            told = named(prefix + key, value)
            leaves[prefix + key] = str(told) if isinstance(told, list) else told
    return leaves


def settings(result: Result) -> Settings:
    """All that makes a method what it is, and the data of its data set what it reads; no seed."""
    leaves = flat(result.config)
    return {key: value for key, value in leaves.items() if not _ignored(key) and (key, value) != _AS_EVER}


def _ignored(key: str) -> bool:
    return _is_below(key, _NO_SETTING)


def method_label(method: Mapping[str, Any]) -> str:
    """What to give to `method=` for this resolved section of a config; records older than a method lack its section."""
    name = str(method["name"])
    in_reconstruction = _part(method, "reconstruction").get("features") == "efficientnet"
    if _part(method, "feature_space") or in_reconstruction or _part(method, "fused_densities").get("features"):
        return f"{name}_pretrained"
    # the elliptic envelope is for texture alone, so its name does not say it
    textures = _part(method, "windows").get("descriptor") == "texture" and name != "elliptic_envelope"
    return f"{name}_texture" if textures else name


def _part(method: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A section of a method's own; empty where it has none, as where a key of a plug-in has that name."""
    found = method.get(name)
    return found if isinstance(found, Mapping) else {}


def family(result: Result) -> str:
    """The method's name with the preset that it starts from, once where they are the same; RADAR as published, the preset `paper`,
    alone is called RADAR. What makes a run another thing than its preset, `changes` tell."""
    label, preset = method_label(result.config["method"]), result.command.preset
    if label == "radar" and preset == "paper":
        return PUBLISHED_NAME
    return label if label == preset else f"{label}, {preset or 'no preset'}"


def changes(result: Result) -> tuple[str, ...]:
    """What makes the method another one than its preset: what was typed, as it was typed but for a region, which is named; and of
    RADAR, whose recipe is the paper's, what departs from that without a word, as a primary config or a trainer has it."""
    typed = tuple(text for text in result.command.overrides if _is_change(key_of(text)))
    told = tuple(override_told(text, result.config) for text in typed)
    return (*told, *_untyped(result, typed)) if family(result) == PUBLISHED_NAME else told


def _is_change(key: str) -> bool:
    return not _ignored(key) and key not in _NO_CHANGE


def _untyped(result: Result, typed: Sequence[str]) -> list[str]:
    """What a run has that is neither the paper's recipe nor what was typed; of a section with many such keys, that it was changed."""
    by_section: dict[str, list[str]] = defaultdict(list)
    for key, value in departures(result, told_by("experiment=paper"), OF_RECIPE).items():
        if not key.startswith(_OF_DATASET) and not any(_explains(text, key, value) for text in typed):
            section = "dataset.image" if key.startswith("dataset.image.") else key.partition(".")[0]
            by_section[section].append(f"{key} = {value}")
    return [
        text
        for section, told in by_section.items()
        for text in (told if len(told) <= _FEW else [f"{section} = changed"])
    ]


def departures(result: Result, recipe: Mapping[str, Any], sections: tuple[str, ...]) -> Settings:
    """The settings below `sections` that a run reads and that have another value in the config of a recipe. What a run does not read
    departs from nothing: that it is not read has its reason in another key."""
    own, expected = settings(result), flat(recipe)
    return {
        key: value
        for key, value in sorted(own.items())
        if _is_below(key, sections)
        and not _is_below(key, (*_OF_MACHINE, *_PLACES))
        and not _is_as_in(expected, key, value)
    }


def _is_as_in(expected: Settings, key: str, value: object) -> bool:
    """Whether a key has that value; null is what a key is that is not there, as one that a stored run is older than."""
    if key in expected:
        return bool(expected[key] == value)
    return value is None and not any(_is_below(name, (key,)) for name in expected)


def _explains(text: str, key: str, value: object) -> bool:
    """Whether a typed override gave a key its value: it is of the key, or chose an option that says so."""
    typed, _, chosen = text.partition("=")
    typed = typed.lstrip("+~")
    if typed in _WORKING_SIZES or typed.startswith(f"{_WORKING_SIZES[1]}."):
        return key.startswith("dataset.image.")
    says = option_values(typed, chosen)
    return _is_below(key, (typed,)) and (says is None or _option_says(typed, says, key, value))


def _option_says(group: str, says: Mapping[str, Any], key: str, value: object) -> bool:
    """Whether an option gives a key this value, or leaves its value to other keys, as a patch of the image's size does."""
    expected = flat(says, f"{group}.")
    return "${" in str(expected.get(key, "")) or _is_as_in(expected, key, value)


def chosen_option(result: Result, group: str) -> str | None:
    """The option of a config group that the command chose, where the run has what it says but for keys that were typed, or that its
    preset sets whatever the option."""
    by_key = {key_of(text): text.partition("=")[2] for text in result.command.overrides}
    option = by_key.get(group)
    says = None if option is None else option_values(group, option)
    if option is None or says is None:
        return option
    own = {key: value for key, value in settings(result).items() if _is_below(key, (group,)) and key not in by_key}
    departing = {key: value for key, value in own.items() if not _option_says(group, says, key, value)}
    expected = _with_preset(result, group, option, says) if departing else {}
    return option if all(_is_as_in(expected, key, value) for key, value in departing.items()) else None


def _with_preset(result: Result, group: str, option: str, says: Mapping[str, Any]) -> Settings:
    """The settings of an option under the run's preset, those of the option alone where the preset is none of the project's own; what
    the option leaves to the command, as a folder of photos, is as the run has it. Nothing where they give no config without further
    words of the command."""
    preset, own = result.command.preset, flat(result.config)
    presets = [f"experiment={preset}"] if preset is not None and is_own("experiment", preset) else []
    left = [key for key, value in flat(says, f"{group}.").items() if value == _LEFT]
    try:
        return flat(told_by(*presets, f"{group}={option}", *(f"{key}={_written(own.get(key))}" for key in left)))
    except ConfigError:
        return {}


def _written(value: object) -> str:
    """A leaf of the settings as an override's value; null where a record does not tell it."""
    return "null" if value is None else quoted(str(value))


def _is_below(key: str, names: Iterable[str]) -> bool:
    return any(f"{key}.".startswith(f"{name}.") for name in names)


def key_of(override: str) -> str:
    """The key, or the group, of an override, or of one of `changes`."""
    return override.lstrip("+~").partition("=")[0].strip()


def shared_changes(results: Sequence[Result]) -> tuple[str, ...]:
    """The changes that all of `results` have."""
    first, *others = (changes(each) for each in results)
    return tuple(text for text in first if all(text in other for other in others))


def varying_keys(results: Sequence[Result]) -> list[str]:
    """Keys that differ between results of the same family and data set, keys that vary together after the one they follow."""
    by_place: dict[tuple[str, str], list[Settings]] = defaultdict(list)
    for result in results:
        by_place[family(result), result.dataset].append(settings(result))
    keys = {
        key
        for group in by_place.values()
        for key in {key for each in group for key in each}
        if len({repr(each.get(key)) for each in group}) > 1
    }
    return sorted(keys, key=lambda key: (_LEADING.index(key) if key in _LEADING else len(_LEADING), key))


def axes(results: Sequence[Result]) -> dict[str, list[str]]:
    """The independent axes along which results of one family and data set vary: leading key → keys that follow it one to one."""
    rows = [settings(result) for result in results]
    found: dict[tuple[int, ...], list[str]] = {}
    for key in varying_keys(results):
        values = [repr(row.get(key)) for row in rows]
        found.setdefault(tuple(values.index(value) for value in values), []).append(key)
    return {keys[0]: keys for keys in found.values()}


def method_names(results: Sequence[Result]) -> dict[tuple[str, str], str]:
    """A name for each result's method by its run's identity: its family and what was typed, or else the keys that tell it from others.

    Of equal settings that were typed in two ways, the shorter way names both.
    """
    by_family: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_family[family(result)].append(result)
    names: dict[tuple[str, str], str] = {}
    for name, members in by_family.items():
        if _told_apart_by_changes(members):
            names |= {own: ", ".join([name, *words]) for own, words in _typed(members).items()}
            continue
        keys, shared = _leading_keys(members), shared_changes(members)
        for result in members:
            values = settings(result)
            parts = [f"{key} = {values.get(key, MISSING)}" for key in keys]
            names[result.identity] = ", ".join([name, *shared, *parts])
    return names


def _typed(members: Sequence[Result]) -> dict[tuple[str, str], tuple[str, ...]]:
    """What names the settings of each, by identity: of all that was typed for them on its data set, the least. What no config keeps,
    as a working size from which the plain one came, tells settings apart that are equal.
    """
    least: dict[tuple[str, str, tuple[str, ...]], tuple[str, ...]] = {}
    places = {}
    for each in members:
        words = changes(each)
        beside = tuple(text for text in words if not reads(each.config, key_of(text)))
        place = places[each.identity] = each.dataset, repr(sorted(settings(each).items())), beside
        least[place] = min(least.get(place, words), words, key=lambda these: (len(these), these))
    return {own: least[place] for own, place in places.items()}


def reads(config: Mapping[str, Any], key: str) -> bool:
    """Whether a config, which holds what the method reads, has the key or group."""
    place: Any = config
    for name in key.split("."):
        if not isinstance(place, Mapping) or name not in place:
            return False
        place = place[name]
    return True


def _told_apart_by_changes(members: Sequence[Result]) -> bool:
    """Whether what was typed tells every two of a data set apart whose settings differ."""
    known: dict[tuple[str, tuple[str, ...]], Settings] = {}
    return all(known.setdefault((each.dataset, changes(each)), settings(each)) == settings(each) for each in members)


def _leading_keys(members: Sequence[Result]) -> list[str]:
    by_dataset: dict[str, list[Result]] = defaultdict(list)
    for result in members:
        by_dataset[result.dataset].append(result)
    leading = {key for group in by_dataset.values() for key in axes(group)}
    return [key for key in varying_keys(members) if key in leading]


def difference(first: Settings, second: Settings) -> dict[str, tuple[Any, Any]]:
    """Keys whose values differ, with both values; None where a side has no such key."""
    keys = sorted({**first, **second})
    return {key: (first.get(key), second.get(key)) for key in keys if first.get(key) != second.get(key)}
