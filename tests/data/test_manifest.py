from __future__ import annotations

import shutil
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import pytest
from data_builders import dataset_config, folder_settings, mvtec_folder, noise, save

from radar.data.dataset import open_dataset
from radar.data.leaks import find_leaks
from radar.data.manifest import check_crops, check_masks, check_readable, manifest_hash, read_manifest, write_manifest
from radar.data.sample import Sample
from radar.errors import DataError

NORMAL = Sample("b,c.png", "ab" * 32, "train", 0, "good", None, "g1")
ANOMALOUS = Sample("a.png", "cd" * 32, "test", 1, "crack", "m/ä.png", "g2")
HEADER = "path,content_hash,split,label,defect,mask,group"


def test_a_manifest_comes_back_sorted(tmp_path):
    write_manifest([NORMAL, ANOMALOUS], tmp_path / "sub/split.csv")
    assert read_manifest(tmp_path / "sub/split.csv") == (ANOMALOUS, NORMAL)
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["split.csv"]


def test_the_hash_sees_every_column_and_no_order():
    whole = manifest_hash([NORMAL, ANOMALOUS])
    assert whole == manifest_hash([ANOMALOUS, NORMAL])
    changes = {
        "path": "z.png",
        "content_hash": "ef" * 32,
        "split": "validation",
        "label": 1,
        "defect": "x",
        "mask": "m.png",
        "group": "g3",
    }
    hashes = {manifest_hash([replace(NORMAL, **{key: value}), ANOMALOUS]) for key, value in changes.items()}
    assert len(hashes | {whole}) == 8


def test_blank_cells_are_filled(tmp_path):
    (tmp_path / "m.csv").write_text(f"{HEADER}\na.png,,train,0,,,\nb.png,,test,1,,,\n")
    first, second = read_manifest(tmp_path / "m.csv")
    assert (first.defect, first.group, first.mask) == ("good", "a.png", None)
    assert second.defect == "anomalous"


def test_a_blank_group_of_a_crop_is_its_sheet(tmp_path):
    rows = ["s/a.png#xywh=0,0,9,9,,train,0,,,", "s/a.png#xywh=4,0,9,9,,train,0,,,mine", "s/a.png,,train,0,,,"]
    quoted = [f'"{row.split(",,")[0]}",,{row.split(",,", 1)[1]}' for row in rows]
    (tmp_path / "m.csv").write_text("\n".join([HEADER, *quoted]))
    groups = {sample.path: sample.group for sample in read_manifest(tmp_path / "m.csv")}
    assert groups == {"s/a.png": "s/a.png", "s/a.png#xywh=0,0,9,9": "s/a.png", "s/a.png#xywh=4,0,9,9": "mine"}


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("crop", ["a.png#xywh=4,0,12,16", "a.png#xywh=12,0,12,16", "a.png"])
def test_crops_of_one_sheet_on_both_sides_of_a_split_are_reported(tmp_path, crop, split):
    rows = ['"a.png#xywh=0,0,12,16",,train,0,,,', "b.png,,train,0,,,", f'"{crop}",,{split},0,,,']
    (tmp_path / "m.csv").write_text("\n".join([HEADER, *rows]))
    assert find_leaks(read_manifest(tmp_path / "m.csv"), None, {}).groups == ("a.png",)


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ("a.png#xywh=0,0,12,16", "a.png#xywh=4,0,12,16", True),
        ("a.png#xywh=0,0,12,16", "a.png#xywh=11,15,9,9", True),
        ("a.png#xywh=0,0,12,16", "a.png#xywh=12,0,12,16", False),
        ("a.png#xywh=0,0,12,16", "a.png#xywh=0,16,12,16", False),
        ("a.png#xywh=30,2,4,4", "a.png", True),
        ("a.png#xywh=0,0,12,16", "b.png#xywh=0,0,12,16", False),
        ("c/a.png", "a.png", False),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_crops_that_overlap_are_of_one_group(tmp_path, first, second, shared, turned):
    """Also where they stand in one split: folds and intervals take groups to share no pixel."""
    paths = [second, first] if turned else [first, second]
    rows = [f'"{path}",,train,0,,,{group}' for path, group in zip(paths, "xy", strict=True)]
    other = '"a.png#xywh=100,100,4,4",,train,0,,,z'  # further below, which "a.png" as a whole would hold
    (tmp_path / "m.csv").write_text("\n".join([HEADER, *rows, *([] if "a.png" in paths else [other])]))
    for number, name in enumerate(("a.png", "b.png", "c/a.png")):
        save(tmp_path / name, noise(number))
    samples = read_manifest(tmp_path / "m.csv")
    if shared:
        with pytest.raises(
            DataError, match=r"m\.csv: a\.png.* and a\.png.* show the same pixels .* give them one group$"
        ):
            check_crops(samples, tmp_path, tmp_path / "m.csv")
    else:
        check_crops(samples, tmp_path, tmp_path / "m.csv")
    check_crops([replace(sample, group="x") for sample in samples], tmp_path, tmp_path / "m.csv")


def test_whole_files_of_equal_content_are_no_crops(tmp_path):
    """Also where other rows are: what crosses a split is told with the other leaks."""
    for name, seed in (("a.png", 0), ("b.png", 0), ("s.png", 1)):
        save(tmp_path / name, noise(seed))
    rows = ["a.png,,train,0,,,", "b.png,,train,0,,,", '"s.png#xywh=0,0,32,32",,test,0,,,']
    (tmp_path / "m.csv").write_text("\n".join([HEADER, *rows]))
    check_crops(read_manifest(tmp_path / "m.csv"), tmp_path, tmp_path / "m.csv")


@pytest.mark.parametrize("way", ["link", "hard link", "copy"])
def test_crops_of_one_file_overlap_whatever_it_is_called(tmp_path, way):
    strip = save(tmp_path / "strip.png", noise(0))
    other = tmp_path / "other.png"
    {"link": other.symlink_to, "hard link": other.hardlink_to, "copy": partial(shutil.copy, dst=other)}[way](strip)
    save(tmp_path / "new.png", noise(1))
    for second, refused in (("other", True), ("new", False)):
        rows = ['"strip.png#xywh=0,0,12,12",,train,0,,,x', f'"{second}.png#xywh=4,4,12,12",,test,0,,,y']
        (tmp_path / "m.csv").write_text("\n".join([HEADER, *rows]))
        with pytest.raises(DataError, match="show the same pixels") if refused else nullcontext():
            check_crops(read_manifest(tmp_path / "m.csv"), tmp_path, tmp_path / "m.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("path,split,label\n", r"m\.csv: column content_hash, defect, mask, group is missing", id="column"),
        pytest.param(f"{HEADER}\na,,dev,0,,,\n", r"row 2: unknown split 'dev'; write one of train, ", id="split"),
        pytest.param(f"{HEADER}\na,,train,2,,,\n", r"row 2: label '2'; write 0", id="label"),
        pytest.param(f"{HEADER}\na,,train,0,,,\nb,,train,1,,,\n", r"row 3: b is anomalous and in train", id="train"),
        pytest.param(f"{HEADER}\na,,validation,1,,,\n", "a is anomalous and in validation", id="validation"),
        pytest.param(f"{HEADER}\na,,train,0,,,\na,,test,0,,,\n", "a is listed twice", id="twice"),
        pytest.param(f"{HEADER}\n../a,,train,0,,,\n", "does not lie in the data set's folder", id="outside"),
        pytest.param(f"{HEADER}\n", "no rows", id="empty"),
        pytest.param(f"{HEADER}\na,,test,1,good,,\n", r"row 2: a is anomalous, and its defect is 'good'", id="good"),
        pytest.param(f"{HEADER}\na,,train,0,crack,,\n", r"row 2: a is normal, and its defect is 'crack'", id="crack"),
        pytest.param(f"{HEADER}\na,,test,0,,m.png,\n", r"row 2: a is normal, and has the mask m\.png", id="mask"),
        pytest.param(f"{HEADER},label\na,,test,0,,,,1\n", r"column 'label' stands in it 2 times", id="column"),
    ],
)
def test_a_wrong_manifest_is_refused(tmp_path, text, message):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_manifest(tmp_path / "m.csv")


def test_a_users_manifest_decides_the_split(tmp_path):
    mvtec_folder(tmp_path / "set")
    rows = [
        "train/good/000.png,,train,0,,,",
        "train/good/001.png,,validation,0,,,",
        "train/good/002.png,,test,0,,,",
        "test/dent/000.png,,test,1,dent,ground_truth/dent/000_mask.png,",
    ]
    (tmp_path / "m.csv").write_text("\n".join([HEADER, *rows]))
    dataset = open_dataset(dataset_config("mvtec", tmp_path / "set", manifest=str(tmp_path / "m.csv")))
    assert {sample.path: sample.split for sample in dataset.samples} == {
        row.split(",")[0]: row.split(",")[2] for row in rows
    }
    assert all(len(sample.content_hash) == 64 for sample in dataset.samples)
    assert dataset.mask(dataset.samples[0]).sum() == 16


@pytest.mark.parametrize(
    ("first", "second", "group", "shared"),
    [
        ("a.png", "b.png", "", True),
        ("a.png#xywh=0,0,9,9", "b.png#xywh=0,0,9,9", "", True),
        ("a.png#xywh=0,0,9,9", "a.png#xywh=9,0,9,9", "", False),
        ("light1/a.png", "light2/a.png", "part", False),
    ],
)
def test_a_mask_is_of_one_part(tmp_path, first, second, group, shared):
    rows = [f'"{path}",,test,1,dent,m.png,{group}' for path in (first, second)]
    (tmp_path / "m.csv").write_text("\n".join([HEADER, *rows]))
    samples = read_manifest(tmp_path / "m.csv")
    if shared:
        with pytest.raises(
            DataError, match=r"m\.csv: m\.png is the mask of two photos, a\.png.* and b\.png.*; name each"
        ):
            check_masks(samples, tmp_path / "m.csv")
    else:
        check_masks(samples, tmp_path / "m.csv")


def test_a_mask_is_a_whole_file(tmp_path):
    row = '"a.png#xywh=0,0,9,9",,test,1,dent,"m.png#xywh=0,0,9,9",'
    (tmp_path / "m.csv").write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(DataError, match=r"m\.csv: the mask m\.png#xywh=0,0,9,9 is a crop; name the whole file"):
        check_masks(read_manifest(tmp_path / "m.csv"), tmp_path / "m.csv")


@pytest.mark.parametrize("photo", ["m.png", '"m.png#xywh=0,0,9,9"'])
def test_a_photo_is_no_mask_of_another_or_of_itself(tmp_path, photo):
    for mask_of in ("a.png", photo):
        rows = dict.fromkeys([f"{photo},,train,0,,,", f"{mask_of},,test,1,dent,m.png,"])
        (tmp_path / "m.csv").write_text("\n".join([HEADER, *list(rows)[mask_of == photo :]]))
        with pytest.raises(DataError, match=r"m\.csv: m\.png is listed as a photo, and as the mask of "):
            check_masks(read_manifest(tmp_path / "m.csv"), tmp_path / "m.csv")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param("train/good/999.png,,train,0,,,", r"m\.csv: train/good/999\.png is not in", id="file"),
        pytest.param("test/dent/000.png,,test,1,,gone.png,", r"gone\.png is not in", id="mask"),
        pytest.param(f"train/good/000.png,{'0' * 64},train,0,,,", "not what the manifest was made with", id="hash"),
        pytest.param("train/good/000.png,,test,0,,,", "no training images", id="train"),
    ],
)
def test_a_manifest_that_does_not_fit_the_folder_is_refused(tmp_path, row, message):
    mvtec_folder(tmp_path / "set")
    (tmp_path / "m.csv").write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(DataError, match=message):
        open_dataset(dataset_config("mvtec", tmp_path / "set", manifest=str(tmp_path / "m.csv")))


def test_columns_that_are_blank_are_passed_over(tmp_path):
    (tmp_path / "m.csv").write_text(f"{HEADER},,\na.png,,train,0,,,,,\n")
    assert [sample.path for sample in read_manifest(tmp_path / "m.csv")] == ["a.png"]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize(
    ("groups", "found"),
    [(("", ""), 1), (("g", "g"), 1), (("g", "h"), None), (("", "h"), 1), (("h", ""), 1)],
)
def test_copies_of_one_file_are_one_group(tmp_path, split, groups, found):
    """Else a copy of an image would promise as much as an image of its own."""
    root = mvtec_folder(tmp_path / "own")
    original = sorted((root / "train" / "good").iterdir())[0]
    shutil.copy(original, root / "copy.png")
    others = [f"{path.relative_to(root)},,{part},0,,," for path, part in zip(
        sorted((root / "train" / "good").iterdir())[1:4], ("train", "validation", "test"), strict=True)]  # fmt: skip
    defective = f"{next((root / 'test' / 'dent').iterdir()).relative_to(root)},,test,1,,,"
    named = (original.relative_to(root), "copy.png")
    copies = [f"{path},,{split},0,,,{group}" for path, group in zip(named, groups, strict=True)]
    (tmp_path / "m.csv").write_text("\n".join([HEADER, *others, defective, *copies]) + "\n")
    config = dataset_config("folder", root, settings=folder_settings(), manifest=str(tmp_path / "m.csv"))
    with pytest.raises(DataError, match="are identical and of the groups") if found is None else nullcontext():
        samples = open_dataset(config).samples
        assert len({each.group for each in samples if each.path in map(str, named)}) == found
        assert len({each.group for each in samples}) == len(samples) - 1


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("normal/ 1.png", None), ("normal/x .png", None), (" normal/1.png", "path"), ("anomalous/dent /1.png", "defect"),
        ("anomalous/\u00a0dent/1.png", "defect"), ("anomalous/dent\u2003/1.png", "defect"),
    ],
)  # fmt: skip
def test_names_that_a_manifest_does_not_keep_are_refused_before_anything_is_made(tmp_path, name, column):
    root = tmp_path / "own"
    normal = " normal" if column == "path" else "normal"
    for index in range(8):
        save(root / normal / f"{index}a.png", noise(index))
    save(root / "anomalous/0.png", noise(20))
    save(root / name, noise(30))
    config = dataset_config("folder", root, settings=folder_settings(normal=normal))
    with (
        nullcontext()
        if column is None
        else pytest.raises(DataError, match=f"layout folder: {column} .* begins or ends with a blank, .* rename it$")
    ):
        samples = open_dataset(config).samples
        write_manifest(samples, tmp_path / "m.csv")
        assert set(read_manifest(tmp_path / "m.csv")) == set(samples)


@pytest.mark.parametrize(
    "changes", [{"group": "g1 "}, {"group": "\tg1"}, {"path": " b.png"}, {"path": "b.png\n"}, {"path": "./b.png"},
                {"content_hash": "AB" * 32}, {"group": ""}],
    ids=str,
)  # fmt: skip
def test_what_is_read_again_as_another_image_is_refused(changes):
    check_readable([NORMAL, ANOMALOUS], "layout mine")
    with pytest.raises(DataError, match=r"^layout mine: ") as raised:
        check_readable([ANOMALOUS, replace(NORMAL, **changes)], "layout mine")
    assert "\n" not in str(raised.value)
