from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from data_builders import dataset_config

from radar.data.layouts.layout import Entry
from radar.data.leaks import find_leaks
from radar.data.manifest import cut_files
from radar.data.near_duplicates import near_another, near_pairs, unit_vectors
from radar.data.sample import Sample
from radar.data.split_rules import limit_train, split_entries
from radar.errors import DataError


def normal(path: str, group: str | None = None, official=None) -> Entry:
    return Entry(path, 0, "good", None, group or path, official)


def anomalous(path: str, group: str | None = None) -> Entry:
    return Entry(path, 1, "crack", None, group or path, "test")


def distinct(paths):
    """Unit vectors of which no two correlate."""
    return np.eye(len(paths), dtype=np.float32)


def split(entries, rule, *, vectors=distinct, hashes=None, **changes) -> tuple[Sample, ...]:
    config = dataset_config("folder", None, split=rule, **changes)
    return split_entries(entries, config, hashes or {entry.path: entry.path for entry in entries}, vectors)


def splits_by_group(samples) -> dict[str, set[str]]:
    found = defaultdict(set)
    for sample in samples:
        found[sample.group].add(sample.split)
    return found


def test_official_keeps_test_and_draws_validation_from_train():
    entries = [normal(f"train/{i}", official="train") for i in range(40)] + [normal("test/0", official="test")]
    samples = split(entries, "official", validation_fraction=0.25)
    assert Counter(sample.split for sample in samples) == {"train": 30, "validation": 10, "test": 1}
    assert next(sample for sample in samples if sample.path == "test/0").split == "test"


def test_official_needs_every_entry_to_say_its_split():
    with pytest.raises(DataError, match=r"a: layout folder says nothing of its split"):
        split([normal("a"), normal("b")], "official")


@pytest.mark.parametrize("rule", ["random", "literature"])
def test_random_holds_out_a_share_of_normals_and_all_anomalous(rule):
    samples = split(
        [normal(str(i)) for i in range(100)] + [anomalous(f"x{i}") for i in range(7)],
        rule,
        test_fraction=0.2,
        validation_fraction=0.1,
    )
    counts = Counter((sample.split, sample.label) for sample in samples)
    assert counts == {("train", 0): 72, ("validation", 0): 8, ("test", 0): 20, ("test", 1): 7}


def test_the_draw_depends_on_seed_and_path_alone():
    entries = [normal(str(i)) for i in range(50)]
    first = {sample.path: sample.split for sample in split(entries, "random")}
    other_content = {str(i): f"other {i}" for i in range(50)}
    again = {sample.path: sample.split for sample in split(entries[::-1], "random", hashes=other_content)}
    assert first == again
    assert first != {sample.path: sample.split for sample in split(entries, "random", split_seed=1)}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("rule", ["grouped", "sheets"])
def test_groups_never_cross(rule, seed):
    rng = np.random.default_rng(seed)
    entries = [normal(f"n{i}", f"g{rng.integers(12)}") for i in range(80)]
    entries += [anomalous(f"x{i}", f"g{rng.integers(12)}" if i < 2 else None) for i in range(10)]
    samples = split(entries, rule, split_seed=seed)
    assert all(len(found) == 1 for found in splits_by_group(samples).values())
    assert {sample.split for sample in samples if sample.label == 1} == {"test"}
    assert {sample.split for sample in samples} == {"train", "validation", "test"}


def test_near_duplicates_join_groups():
    entries = [normal(f"n{i}", f"g{i // 2}") for i in range(12)]

    def vectors(paths):  # n1 and n2, of different groups, show the same scene
        rows = np.eye(len(paths), dtype=np.float32)
        rows[paths.index("n2")] = rows[paths.index("n1")]
        return rows

    groups = {sample.path: sample.group for sample in split(entries, "grouped", vectors=vectors)}
    assert groups["n0"] == groups["n1"] == groups["n2"] == groups["n3"] == "g0"
    assert len(set(groups.values())) == 5


@pytest.mark.parametrize("rule", ["random", "grouped"])
def test_identical_files_stay_together(rule):
    entries = [normal(f"{i:02d}") for i in range(20)]
    for seed in range(5):
        samples = split(entries, rule, hashes={f"{i:02d}": f"{i // 4}" for i in range(20)}, split_seed=seed)
        assert len(splits_by_group(samples)) == 5
        assert all(len(found) == 1 for found in splits_by_group(samples).values())


def test_identical_files_stay_together_in_an_official_split_too():
    train = [normal(f"train/{i:02d}", official="train") for i in range(20)]
    test = [normal(f"test/{i}", official="test") for i in range(3)]
    hashes = {entry.path: entry.path[-2:] if "/0" in entry.path else "1" for entry in train}
    for seed in range(5):
        entries = [*train, *test]
        samples = split(
            entries, "official", hashes={**hashes, **dict.fromkeys(map(path_of, test), "1")}, split_seed=seed
        )
        found = splits_by_group(samples)
        assert len(found) == 12  # ten photos, ten copies of one, and three of the same that are test
        assert all(len(where) == 1 for where in found.values())
        assert found["train/10"] != {"test"} and found["test/0"] == {"test"}


def path_of(entry: Entry) -> str:
    return entry.path


def test_identical_files_in_train_and_validation_are_told_whatever_else_is_looked_for():
    samples = [sample("a", "train", content="same"), sample("b", "validation", content="same"), sample("c", "test")]
    for vectors in (None, unit_vectors(np.ones((3, 4, 4), np.float32)), distinct("abc")):
        leaks = find_leaks(samples, vectors, {})
        assert [(pair.first.path, pair.second.path) for pair in leaks.validation] == [("a", "b")]
        assert not leaks.clean and not leaks.identical


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ("train test", [("train", "test")]),
        ("test train", [("train", "test")]),
        ("train validation test", [("train", "test")]),
        ("validation train", [("train", "validation")]),
        ("train train", []),
    ],
)
def test_crops_of_one_file_in_several_splits_are_found(tmp_path, splits, expected):
    """Also where they share no pixel, and where the file lies there under two names: of one photo they are alike."""
    samples = [
        Sample(f"a/strip{place % 2}.png#xywh={64 * place},0,64,64", f"{place}", part, 0, "good", None, f"{place}")
        for place, part in enumerate(splits.split())
    ]
    for name, content in (("a/strip0.png", b"one"), ("a/strip1.png", b"one"), ("b/strip.png", b"two")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    other = Sample("b/strip.png#xywh=0,0,64,64", "other", "test", 0, "good", None, "other")
    leaks = find_leaks([*samples, other], None, cut_files([*samples, other], tmp_path))
    assert [(first.split, last.split) for first, last in leaks.cut_files] == expected
    assert leaks.clean == (not expected)
    by_name = [replace(sample, path=f"strip.png#xywh={64 * place},0,64,64") for place, sample in enumerate(samples)]
    leaks = find_leaks(by_name, None, cut_files(by_name, None))
    assert [(first.split, last.split) for first, last in leaks.cut_files] == expected, (
        "of a layout that has no files, by names"
    )


def test_normals_of_a_group_with_a_defect_are_test():
    entries = [normal("a1", "a"), anomalous("a2", "a"), *(normal(f"b{i}") for i in range(10))]
    assert {sample.split for sample in split(entries, "grouped") if sample.group == "a"} == {"test"}


def test_one_group_cannot_be_divided():
    with pytest.raises(DataError, match=r"4 normal images in 1 group\(s\) cannot be divided"):
        split([normal(f"{i}", "all") for i in range(4)], "grouped")


def test_normals_that_all_belong_to_defects_are_told_with_one_of_each():
    entries = [*(normal(f"good{i}", "sheet") for i in range(4)), anomalous("bad", "sheet")]
    with pytest.raises(
        DataError, match=r"each of 4 normal images is of a group with an anomalous one.* first good0 and bad, so all"
    ):
        split(entries, "grouped")


def test_large_groups_do_not_swallow_the_training_set():
    entries = [normal(f"{i:02d}", "large" if i < 30 else f"{i}") for i in range(40)]
    for seed in range(10):
        samples = split(entries, "grouped", split_seed=seed, test_fraction=0.1, validation_fraction=0.1)
        assert Counter(sample.split for sample in samples) == {"train": 32, "validation": 4, "test": 4}


def test_something_is_left_to_train_on():
    samples = split([normal(str(i), official="train") for i in range(4)], "official", validation_fraction=0.99)
    assert Counter(sample.split for sample in samples) == {"validation": 3, "train": 1}


def sample(path: str, where: str, *, group: str | None = None, content: str | None = None) -> Sample:
    return Sample(path, content or path, where, 0, "good", None, group or path)


def test_leaks_are_listed_by_kind():
    samples = [
        sample("a", "train", content="same"),
        sample("b", "test", content="same"),
        sample("c", "validation", group="g"),
        sample("d", "train", group="g"),
        sample("e", "train"),
        sample("f", "test"),
        sample("g", "test"),
    ]
    thumbnails = np.random.default_rng(0).random((7, 8, 8)).astype(np.float32)
    thumbnails[5] = thumbnails[4] * 0.5 + 0.1  # another exposure
    thumbnails[3] = thumbnails[2]
    thumbnails[6] = thumbnails[5]  # both in test: no leak
    leaks = find_leaks(samples, unit_vectors(thumbnails), {})
    assert leaks.groups == ("g",)
    assert [(pair.first.path, pair.second.path) for pair in leaks.identical] == [("a", "b")]
    assert [(pair.first.path, pair.second.path) for pair in leaks.near_duplicates] == [("e", "f"), ("e", "g")]
    assert [(pair.first.path, pair.second.path) for pair in leaks.validation] == [("c", "d")]
    assert not leaks.clean


def test_flat_images_are_nobodys_near_duplicates():
    assert near_pairs(unit_vectors(np.ones((3, 4, 4), np.float32))) == []


def test_correlations_equal_numpys():
    thumbnails = np.random.default_rng(0).random((5, 6, 6)).astype(np.float32)
    vectors = unit_vectors(thumbnails)
    np.testing.assert_allclose(vectors @ vectors.T, np.corrcoef(thumbnails.reshape(5, -1)), atol=1e-6)


def test_fewer_training_images_are_part_of_more_and_nothing_else_changes():
    entries = [normal(f"{index:02}") for index in range(40)] + [anomalous("crack")]
    whole = split(entries, "random")
    kept = {}
    for count in (5, 10, 20):
        limited = limit_train(whole, dataset_config("folder", None, split="random", train_images=count))
        kept[count] = {sample.path for sample in limited if sample.split == "train"}
        assert len(kept[count]) == count
        assert [each for each in limited if each.split != "train"] == [each for each in whole if each.split != "train"]
    assert kept[5] < kept[10] < kept[20]
    other = limit_train(whole, dataset_config("folder", None, split="random", train_images=5, split_seed=1))
    assert {sample.path for sample in other if sample.split == "train"} != kept[5]
    with pytest.raises(DataError, match="there are only"):
        limit_train(whole, dataset_config("folder", None, split="random", train_images=41))


def test_rows_that_are_near_another_are_those_of_the_pairs():
    rows = np.random.default_rng(0).normal(size=(40, 4, 4)).astype(np.float32)
    rows[[3, 17, 39]] = rows[[1, 5, 1]] + 1e-3
    pairs = near_pairs(unit_vectors(rows))
    assert {place for pair in pairs for place in pair[:2]} == {1, 3, 5, 17, 39}
    assert near_another(unit_vectors(rows)) == 5
