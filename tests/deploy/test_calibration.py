"""New thresholds: what they promise is kept in expectation, what cannot be promised is refused, and what biases is left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from deploy_builders import drawn, quick_model, save

from radar.data.images import Images
from radar.deploy.calibration import (
    ScoredPhoto,
    UnscoredPhoto,
    by_hand,
    from_normals,
    levels_like,
    scored,
    usable,
)
from radar.deploy.reviewed import read_reviewed
from radar.errors import DataError
from radar.model import Calibration, Model, Scores
from radar.scoring.map_levels import map_levels

CALIBRATION = Calibration(np.arange(1.0, 100.0), np.arange(198.0).reshape(99, 2), ("network", "densities"), 0.05)


def photos(*scores: float, tops: bool = False) -> list[ScoredPhoto]:
    return [
        ScoredPhoto(f"{number}.png", f"{number}", score, np.array([score, 2 * score]) if tops else None, None)
        for number, score in enumerate(scores)
    ]


def threshold_of(normals: list[ScoredPhoto], rate: float, groups: Sequence[str] | None = None):
    alone = [photo.path for photo in normals]
    return from_normals(CALIBRATION, normals, groups or alone, rate, name="new", source="normals", origin="parts")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return quick_model(tmp_path_factory.mktemp("normals"))


@pytest.mark.parametrize(("count", "rate"), [(19, 0.05), (24, 0.1), (60, 0.05)])
def test_false_alarms_of_new_normals_are_what_was_asked_for(count: int, rate: float) -> None:
    generator, shares = np.random.default_rng(0), []
    for _ in range(2000):
        value = threshold_of(photos(*generator.lognormal(size=count)), rate).value
        shares.append(np.mean(generator.lognormal(size=50) > value))
    # of n exchangeable scores, the expected share above the k-th is (n + 1 − k) / (n + 1)
    expected = np.floor(rate * (count + 1) + 1e-9) / (count + 1)
    assert np.mean(shares) == pytest.approx(expected, abs=0.006) and expected <= rate


@pytest.mark.parametrize(
    ("count", "rate", "needed"),
    [(98, 0.01, "needs 99"), (18, 0.05, "needs 19"), (0, 0.05, "needs 19"), (13, 0.07, "needs 14")],
)
def test_what_so_few_cannot_promise_is_refused(count: int, rate: float, needed: str) -> None:
    with pytest.raises(
        DataError, match=f"parts: {count} usable normal images cannot promise .* {needed}; give more"
    ) as told:
        threshold_of(photos(*np.arange(float(count))), rate)
    assert threshold_of(photos(*np.arange(float(int(needed.split()[1])))), rate).false_alarms == rate
    if count:
        instead = float(str(told.value).split("--false-alarms ")[1].split()[0])
        assert threshold_of(photos(*np.arange(float(count))), instead).value == count - 1, (
            "the rate that is named works"
        )


def test_false_alarms_of_a_new_group_are_what_was_asked_for() -> None:
    """Images of a group are alike but for little; groups have one image or six. Counting images would flag twice as many."""
    generator, rate, shares, by_images = np.random.default_rng(0), 0.1, [], []
    sizes = [1, 6] * 15
    names = [str(group) for group, size in enumerate(sizes) for _ in range(size)]
    for _ in range(1500):
        scores = np.concatenate([generator.normal(generator.normal(), 0.1, size) for size in sizes])
        new = generator.normal(generator.normal(), 0.1, 50)
        threshold = threshold_of(photos(*scores), rate, names)
        shares.append(np.mean(new > threshold.value))
        by_images.append(np.mean(new > threshold_of(photos(*scores), 1.2 / len(scores)).value))
    assert threshold.groups == 30 and threshold.false_alarms == rate
    assert rate / 2 < np.mean(shares) <= rate
    assert np.mean(by_images) > 2 * 1.2 / len(scores), "so these images are no witnesses each by itself"


def test_so_few_groups_are_refused_and_the_rate_that_is_named_works() -> None:
    normals, names = photos(*np.arange(40.0)), [str(number // 5) for number in range(40)]
    with pytest.raises(
        DataError, match=r"40 usable normal images of 8 groups cannot promise 0.1 .* needs 9 groups"
    ) as told:
        threshold_of(normals, 0.1, names)
    instead = float(str(told.value).split("--false-alarms ")[1].split()[0])
    assert threshold_of(normals, instead, names).value == 39
    with pytest.raises(DataError, match=r"of 1 group cannot .* group=none"):
        threshold_of(normals, 0.1, ["0"] * 40)
    assert threshold_of(normals, 0.1).value == 36


def test_map_levels_come_from_the_same_images_or_from_as_rare_ones_of_the_fit() -> None:
    scores = np.random.default_rng(0).permutation(99) + 1.0
    own = threshold_of(photos(*scores, tops=True), 0.1)
    assert own.value == 90 and own.map_levels == map_levels(np.stack([scores, 2 * scores], axis=1), 0.1)
    read = threshold_of(photos(*scores), 0.1)
    assert read.map_levels == levels_like(CALIBRATION, 90.0) == map_levels(CALIBRATION.map_tops, 0.1)
    rarer = by_hand(CALIBRATION, 97.5, name="mine")
    assert rarer.false_alarms is None and len(rarer.normal_scores) == 0
    assert rarer.map_levels.strong > read.map_levels.strong


def test_a_zero_by_hand_has_no_sign() -> None:
    assert str(by_hand(CALIBRATION, -0.0, name="mine").value) == "0.0"


def test_images_of_the_fit_and_repeated_ones_are_left_out() -> None:
    many = photos(1, 2, 3, 4)
    kept, fitted, repeated = usable([*many, many[1], many[2]], {"0", "2"})
    assert [photo.score for photo in kept] == [2, 4] and (len(fitted), repeated) == (3, 1)


def test_scores_are_those_of_predictions(model: Model, tmp_path: Path) -> None:
    files = [save(tmp_path / f"{seed}.png", drawn(seed, spot=seed == 1)) for seed in range(3)]
    (tmp_path / "cut.png").write_bytes(files[0].read_bytes()[:99])
    found = list(scored(model, [*files[:2], tmp_path / "cut.png", files[2]], 1))
    assert [type(each) for each in found] == [ScoredPhoto, ScoredPhoto, UnscoredPhoto, ScoredPhoto]
    whole = [each for each in found if isinstance(each, ScoredPhoto)]
    np.testing.assert_array_equal([each.score for each in whole], model.score(files).scores)
    assert whole[1].map_tops is not None and whole[0].map_tops is not None
    assert (whole[1].map_tops > whole[0].map_tops).all(), "the spot rises above"


def test_a_size_that_a_model_of_own_sizes_does_not_take_is_told(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.config.dataset.image, "size", None)
    files = [save(tmp_path / f"{side}.png", drawn(side, width=side, height=64)) for side in (64, 40)]
    score = Model.score

    def square_only(self: Model, images: Images) -> Scores:
        if images.planes.whole.shape[-1] != 64:
            raise RuntimeError("sizes differ")
        return score(self, images)

    monkeypatch.setattr(Model, "score", square_only)
    found = list(scored(model, files, 0))
    assert [type(each) for each in found] == [ScoredPhoto, UnscoredPhoto]


def test_reviews_are_read(tmp_path: Path) -> None:
    table = tmp_path / "reviewed.csv"
    table.write_text(
        "path,score,verdict,model,more\na,1,good,abc,\nb,2,defective,,\nc,3,,zzz,\na,4,defective,abc,\nd,5,good,abc,\n"
    )
    assert [(each.path, each.verdict, each.score) for each in read_reviewed(table, "abc")] == [
        ("b", "defective", 2), ("a", "defective", 4), ("d", "good", 5)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path,score\na,1\n", "column verdict is missing"),
        ("path,verdict\na,ok\n", "row 2: verdict 'ok'; write good or defective"),
        ("path,verdict\na,defective\n", "nothing in it is called good"),
        ("path,verdict,score\na,good,1\nb,good,\n", "some rows have a score and others none"),
        ("path,verdict,score\na,good,nan\n", "row 2: score 'nan' is not a finite number"),
        ("path,verdict,score,model\na,good,1,other\n", "row 2: its score is the model other's, not abc's"),
        ("path,verdict\n,good\n", "row 2: names no photo"),
    ],
)
def test_reviews_that_are_wrong_name_the_row(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(DataError, match=r"r\.csv") as told:
        read_reviewed(tmp_path / "r.csv", "abc")
    assert expected in str(told.value) and "\n" not in str(told.value)
