"""The rules that turn entries into a split; each is a function of paths, file contents and the split seed.

- `official`: the folders' own train and test; the validation share is drawn from train. Byte-identical files are kept together.
- `random`, `literature`: a share of the normals and all anomalous images are test. Only byte-identical files are kept
  together, so near-duplicates leak: this is what much of the literature does.
- `grouped`, `sheets`: as random, but whole groups move: the layout's (exposure series, paper sheet), joined where two
  thumbnails correlate above NEAR_DUPLICATE. A group with an anomalous image is test, its normals included.

Draws go by the SHA-256 of "seed:path", never by a generator or by content: a new release of the same files, resized or
recompressed, is split the same way.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from scipy.cluster.hierarchy import DisjointSet

from radar.config.schema import DatasetConfig
from radar.data.decoding import FloatArray
from radar.data.layouts.layout import Entry
from radar.data.near_duplicates import near_pairs
from radar.data.sample import Sample, Split
from radar.errors import DataError

BY_LIKENESS = ("grouped", "sheets")  # rules that join what looks nearly the same
Groups = Mapping[str, str]  # path → group


def split_entries(
    entries: Sequence[Entry],
    config: DatasetConfig,
    hashes: Mapping[str, str],
    vectors: Callable[[Sequence[str]], FloatArray],
) -> tuple[Sample, ...]:
    """Samples sorted by path; `hashes` are content hashes, `vectors` gives the unit vectors (N, D) of paths."""
    if config.split == "official":
        groups = _official_groups(entries, hashes)
        splits = _official(entries, groups, config)
    else:
        groups = _groups(entries, config, hashes, vectors)
        splits = _drawn(entries, groups, config)
    return tuple(
        Sample((path := entry.path), hashes[path], splits[path], entry.label, entry.defect, entry.mask, groups[path])
        for entry in sorted(entries, key=lambda entry: entry.path)
    )


def limit_train(samples: Sequence[Sample], config: DatasetConfig) -> tuple[Sample, ...]:
    """`samples` with `dataset.train_images` of the training ones; a smaller number takes a part of what a larger one takes.

    Raises DataError where there are fewer.
    """
    if config.train_images is None:
        return tuple(samples)
    train = [sample for sample in samples if sample.split == "train"]
    if len(train) < config.train_images:
        raise DataError(f"{config.name}: dataset.train_images={config.train_images}, and there are only {len(train)}")
    drawn = sorted(train, key=lambda sample: _draw(config.split_seed, f"train_images:{sample.path}"))
    kept = {sample.path for sample in drawn[: config.train_images]}
    return tuple(sample for sample in samples if sample.split != "train" or sample.path in kept)


def _official(entries: Sequence[Entry], groups: Groups, config: DatasetConfig) -> dict[str, Split]:
    splits = {entry.path: entry.official for entry in entries if entry.official is not None}
    if len(splits) < len(entries):
        missing = next(entry.path for entry in entries if entry.official is None)
        raise DataError(f"{missing}: layout {config.layout} says nothing of its split; choose another dataset.split")
    return _with_validation(splits, groups, config)


def _drawn(entries: Sequence[Entry], groups: Groups, config: DatasetConfig) -> dict[str, Split]:
    normals = [entry.path for entry in entries if entry.label == 0]
    tainted = {groups[entry.path] for entry in entries if entry.label == 1}
    free = [path for path in normals if groups[path] not in tainted]
    if normals and not free:
        defective = next(each.path for each in entries if each.label == 1 and groups[each.path] == groups[normals[0]])
        raise DataError(
            f"{config.name}: each of {len(normals)} normal images is of a group with an anomalous one, or identical to it, first "
            f"{normals[0]} and {defective}, so all are tested and none is learnt from; name groups, or remove what is there twice"
        )
    target = config.test_fraction * len(normals) - (len(normals) - len(free))
    held = _hold_out(free, groups, target, config.split_seed)
    splits: dict[str, Split] = {
        entry.path: "test" if groups[entry.path] in tainted | held else "train" for entry in entries
    }
    return _with_validation(splits, groups, config)


def _with_validation(splits: Mapping[str, Split], groups: Groups, config: DatasetConfig) -> dict[str, Split]:
    """Move a share of the training images, by whole groups, to validation."""
    train = [path for path, split in splits.items() if split == "train"]
    held = _hold_out(train, groups, config.validation_fraction * len(train), config.split_seed)
    return {
        path: "validation" if split == "train" and groups[path] in held else split for path, split in splits.items()
    }


def _hold_out(paths: Sequence[str], groups: Groups, target: float, seed: int) -> set[str]:
    """Groups that hold about `target` of `paths`: in hash order, each one that brings the count nearer to it.

    At least one group is taken, the smallest if all are too large, and one is left. Raises DataError when all paths
    are one group.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        members[groups[path]].append(path)
    if len(members) < 2:
        raise DataError(
            f"{len(paths)} normal images in {len(members)} group(s) cannot be divided between training and "
            "held-out, identical ones being one group; add images of other groups or choose another dataset.split"
        )
    order = sorted(members, key=lambda group: _draw(seed, min(members[group])))
    held: list[str] = []
    count = 0
    for group in order:
        size = len(members[group])
        if len(held) < len(order) - 1 and abs(count + size - target) < abs(count - target):
            held.append(group)
            count += size
    return set(held) or {min(order, key=lambda group: len(members[group]))}


def _draw(seed: int, path: str) -> str:
    return hashlib.sha256(f"{seed}:{path}".encode()).hexdigest()


def _groups(
    entries: Sequence[Entry],
    config: DatasetConfig,
    hashes: Mapping[str, str],
    vectors: Callable[[Sequence[str]], FloatArray],
) -> dict[str, str]:
    """Path to group; a joined group bears the name of its first path's own group."""
    paths = sorted(entry.path for entry in entries)
    links = list(_same_key(paths, hashes))
    names = {path: path for path in paths}
    if config.split in BY_LIKENESS:
        names = {entry.path: entry.group for entry in entries}
        links += _same_key(paths, names)
        links += [(paths[i], paths[j]) for i, j, _ in near_pairs(vectors(paths))]
    return _joined(names, links)


def _official_groups(entries: Sequence[Entry], hashes: Mapping[str, str]) -> dict[str, str]:
    """Path to group: the layout's, joined where files of one side are identical; such of both sides are a leak, and told as one."""
    names = {entry.path: entry.group for entry in entries}
    contents = {entry.path: f"{entry.official} {hashes[entry.path]}" for entry in entries}
    paths = sorted(names)
    return _joined(names, [*_same_key(paths, names), *_same_key(paths, contents)])


def _joined(names: Groups, links: Iterable[tuple[str, str]]) -> dict[str, str]:
    sets = DisjointSet(sorted(names))
    for first, second in links:
        sets.merge(first, second)
    return {path: names[min(subset)] for subset in sets.subsets() for path in subset}


def _same_key(paths: Iterable[str], keys: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Links each path to the first one of equal key."""
    first: dict[str, str] = {}
    return [(first.setdefault(keys[path], path), path) for path in paths]
