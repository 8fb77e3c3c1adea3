"""Records are read back as they were, and say what is wrong with a file that is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_builders import result

from radar.errors import RunError
from radar.report.stored import IMAGES_FOLDER, read_record, read_results, write_record, write_records


def test_a_record_is_read_back_as_it_was(tmp_path: Path) -> None:
    one = result()
    read = read_record(write_record(tmp_path, one))
    for name in ("name", "fingerprint", "ended", "config", "environment", "metrics", "scored", "images"):
        assert getattr(read, name) == getattr(one, name)
    np.testing.assert_array_equal(read.scores, one.scores)
    np.testing.assert_array_equal(read.features, one.features)
    np.testing.assert_array_equal(read.decisions, one.decisions)
    assert (read.test_data, read.data, read.seed, read.dataset) == (one.test_data, one.data, 0, "grid")


def test_runs_on_the_same_test_images_share_their_table(tmp_path: Path) -> None:
    write_records(tmp_path, [result(seed=0), result(seed=1), result(dataset="wood")])
    assert len(list((tmp_path / IMAGES_FOLDER).iterdir())) == 2
    assert [each.dataset for each in read_results([tmp_path])] == ["grid", "grid", "wood"]


def test_the_latest_of_equal_fingerprints_counts(tmp_path: Path) -> None:
    older, newer = result(), replace(result(), name="again", ended="2027-01-01T00:00:00Z")
    write_records(tmp_path, [older, newer])
    assert [each.name for each in read_results([tmp_path])] == ["again"]


def test_what_is_no_result_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no done run and no record is here"):
        read_results([tmp_path])
    record = write_record(tmp_path, result())
    content = json.loads(record.read_text())
    del content["scores"]
    record.write_text(json.dumps(content))
    with pytest.raises(RunError, match="not a record of a run"):
        read_record(record)


def test_how_defects_were_measured_makes_no_other_test_data(tmp_path: Path) -> None:
    one = result()
    measured = tuple(replace(image, defect_area=0.5, defect_contrast=None) for image in one.images)
    other = replace(one, images=measured, fingerprint="other", name="other")
    assert other.test_data == one.test_data
    assert replace(one, images=(replace(one.images[0], label=1), *one.images[1:])).test_data != one.test_data
    write_records(tmp_path, [one, other])
    assert {each.name: each.images for each in read_results([tmp_path])} == {one.name: one.images, "other": measured}


def test_what_cannot_be_read_below_a_folder_is_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_records(tmp_path, [result()])
    old = tmp_path / "old"
    old.mkdir()
    (old / "status.json").write_text('{"state": "done"}')
    (tmp_path / "other.json").write_text("{}")
    assert [each.dataset for each in read_results([tmp_path])] == ["grid"]
    error = capsys.readouterr().err
    assert error.startswith("radar: note: 2 runs left out: ")
    assert str(old) in error
    assert error.count("\n") == 1
    with pytest.raises(RunError, match="not a whole run"):
        read_results([old])
    with pytest.raises(RunError, match="not a record"):
        read_results([tmp_path / "other.json"])
