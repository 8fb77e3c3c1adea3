"""What the page keeps of dropped photos, and what its buttons leave: verdicts that calibrate reads, versions of the threshold."""

from __future__ import annotations

import csv
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from deploy_builders import SPOT, drawn, save
from fastapi.testclient import TestClient
from PIL import Image

import radar
from radar.cli.main import main
from radar.deploy.reviewed import latest, read_reviewed
from radar.errors import DataError, RunError
from radar.inspect.sources import logged_photos


def drop(client: TestClient, folder: Path, seed: int, name: str | None = None, *, spot: bool = False) -> dict:  # type: ignore[type-arg]
    path = save(folder / f"{seed}.png", drawn(seed, spot=spot))
    answer = client.post("/photos", params={"name": name or path.name}, content=path.read_bytes())
    assert answer.status_code == 200
    return answer.json()  # type: ignore[no-any-return]


def picture(client: TestClient, key: str, layer: str) -> Image.Image:
    answer = client.get(f"/photos/{key}/{layer}")
    assert answer.status_code == 200
    return Image.open(BytesIO(answer.content))


def test_pictures_show_the_photo_and_what_is_flagged(client: TestClient, tmp_path: Path) -> None:
    kept = drop(client, tmp_path, 2, spot=True)
    assert kept["prediction"]["decision"] == "defective" and kept["layers"] == ["flagged", "map", "photo", "thumbnail"]
    photo, flagged = picture(client, kept["key"], "photo"), np.asarray(picture(client, kept["key"], "flagged"))
    assert (
        photo.size == (300, 200)
        and flagged.shape == (200, 300, 4)
        and picture(client, kept["key"], "map").size == photo.size
    )
    assert np.abs(np.asarray(photo.convert("L")).astype(int) - drawn(2, spot=True)).mean() < 3
    x, y, width, height = SPOT
    assert flagged[y + height // 2, x + width // 2, 3] > 100 and flagged[180, 20, 3] == 0
    good = drop(client, tmp_path, 1)
    assert np.asarray(picture(client, good["key"], "flagged"))[..., 3].max() == 0
    broken = client.post("/photos", content=b"no image").json()
    assert broken["layers"] == [] and client.get(f"/photos/{broken['key']}/photo").status_code == 404


def test_few_are_kept_and_a_few_more_counted(started, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    client = started("gallery=2", "scores=3", "side=64")
    kept = [drop(client, tmp_path, seed) for seed in range(4)]
    held = client.get("/photos").json()
    assert [each["key"] for each in held["photos"]] == [kept[3]["key"], kept[2]["key"]]
    assert held["scores"] == {each["key"]: each["prediction"]["score"] for each in kept[1:]}
    assert client.get(f"/photos/{kept[0]['key']}/photo").status_code == 404
    assert picture(client, kept[3]["key"], "photo").size == (64, 43)
    drop(client, tmp_path, 2)
    assert [each["key"] for each in client.get("/photos").json()["photos"]] == [kept[2]["key"], kept[3]["key"]], "once"
    assert client.delete("/photos").status_code == 200 and client.get("/photos").json()["photos"] == []


def test_calibrate_reads_the_verdicts(
    client: TestClient, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    goods = [drop(client, tmp_path, 5000 + seed, "same name.png") for seed in range(20)]
    bad = drop(client, tmp_path, 6000, "same name.png", spot=True)
    for each in goods:
        answer = client.post(f"/photos/{each['key']}/verdict", json={"verdict": "good"})
    client.post(f"/photos/{bad['key']}/verdict", json={"verdict": "good"})  # a slip, mended
    said = client.post(f"/photos/{bad['key']}/verdict", json={"verdict": "defective"}).json()
    client.post(f"/photos/{goods[0]['key']}/verdict", json={"verdict": "withdrawn"})
    assert answer.json()["verdict"] == "good" and said["verdict"] == "defective"
    assert said["reviewed"]["defective"] == [bad["prediction"]["score"]] and len(said["reviewed"]["good"]) == 20
    file = run / "reviewed.csv"
    reviewed = read_reviewed(file, bad["prediction"]["model"])
    assert sorted(each.verdict for each in reviewed) == ["defective", *["good"] * 19]
    assert main(["calibrate", str(run), "--reviewed", str(file), "--false-alarms", "0.06"]) == 0
    assert "it finds 1 of 1 reviewed defects" in capsys.readouterr().out
    scores = sorted(each["prediction"]["score"] for each in goods[1:])
    assert radar.load(run).threshold == scores[-1], "of 19, the ⌈20 · .94⌉-th"
    assert client.post(f"/photos/{bad['key']}/verdict", json={"verdict": "nice"}).status_code == 422
    broken = client.post("/photos", content=b"no image").json()
    assert client.post(f"/photos/{broken['key']}/verdict", json={"verdict": "good"}).status_code == 400
    written = file.read_bytes()
    for photo in (broken, goods[0], drop(client, tmp_path, 1)):  # without a score, withdrawn already, never reviewed
        answer = client.post(f"/photos/{photo['key']}/verdict", json={"verdict": "withdrawn"})
        assert answer.status_code == 400 and "no verdict that could be withdrawn" in answer.json()["detail"]
    assert file.read_bytes() == written and read_reviewed(file, bad["prediction"]["model"]) == reviewed
    assert client.post("/photos/unknown/verdict", json={"verdict": "good"}).status_code == 404


def test_one_photo_under_two_names_is_reviewed_once(client: TestClient, run: Path, tmp_path: Path) -> None:
    first, again = (drop(client, tmp_path, 1, name) for name in ("one.png", "copy.png"))
    other = drop(client, tmp_path, 2)
    for each in (other, first):
        client.post(f"/photos/{each['key']}/verdict", json={"verdict": "good"})
    said = client.post(f"/photos/{again['key']}/verdict", json={"verdict": "defective"}).json()
    score = first["prediction"]["score"]
    assert said["reviewed"] == {"good": [other["prediction"]["score"]], "defective": [score]}
    told = latest(read_reviewed(run / "reviewed.csv", first["prediction"]["model"]))
    assert [(each.verdict, each.score) for each in told] == [
        ("good", other["prediction"]["score"]),
        ("defective", score),
    ]


def test_verdicts_outlive_the_server(started, run: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    kept = drop(started(), tmp_path, 1)
    client = started()
    drop(client, tmp_path, 1)
    client.post(f"/photos/{kept['key']}/verdict", json={"verdict": "good"})
    text = (run / "reviewed.csv").read_text()
    (run / "reviewed.csv").write_text(text.removesuffix("\n"))  # as some editors leave it
    again = started()
    assert drop(again, tmp_path, 1)["verdict"] == "good"
    again.post(f"/photos/{drop(again, tmp_path, 2)['key']}/verdict", json={"verdict": "defective"})
    with (run / "reviewed.csv").open() as file:
        assert [row["verdict"] for row in csv.DictReader(file)] == ["good", "defective"]


def test_the_page_reads_verdicts_as_calibrate_does(started, run: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """An emptied verdict says nothing, and takes no earlier one back; hashes may be written in capitals."""
    client = started()
    photos = [drop(client, tmp_path, seed) for seed in (1, 2)]
    for each in photos:
        client.post(f"/photos/{each['key']}/verdict", json={"verdict": "good"})
    file = run / "reviewed.csv"
    header, first, second = file.read_text().splitlines()
    content_hash = photos[1]["prediction"]["content_hash"]
    capitals = second.replace(content_hash, content_hash.upper()).replace("good,", " defective ,", 1)
    file.write_text("\n".join([header, first, first.replace("good,", ",", 1), second, capitals]) + "\n")
    again = started()
    assert [drop(again, tmp_path, seed)["verdict"] for seed in (1, 2)] == ["good", "defective"]
    told = latest(read_reviewed(file, photos[0]["prediction"]["model"]))
    assert {each.content_hash: each.verdict for each in told} == {
        photos[0]["prediction"]["content_hash"]: "good",
        content_hash: "defective",
    }
    file.write_text("\n".join([header, first.replace("good,", "Good,", 1)]) + "\n")
    with pytest.raises(RunError, match="a verdict in it is 'Good', which is none of"):
        started()
    with pytest.raises(DataError, match="verdict 'Good'"):
        read_reviewed(file, photos[0]["prediction"]["model"])


@pytest.mark.parametrize(
    "body",
    [
        '{"value": NaN, "reason": "x"}', '{"value": 1e400, "reason": "x"}', '{"value": 1, "reason": "\\ud800"}',
        '{"value": true, "reason": "x"}', '{"value": "1", "reason": "x"}', '{"value": 1, "reason": "\\u0000"}',
        '{"threshold": NaN}', '{"value": []}', "[]", "{", "\\ud800", '{"value": ' + "[" * 9000,
    ],
)  # fmt: skip
def test_a_threshold_that_is_none_is_refused(client: TestClient, run: Path, body: str) -> None:
    before = radar.load(run).threshold
    answer = client.post("/thresholds", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422) and isinstance(answer.json()["detail"], str)
    assert radar.load(run).threshold == before


@pytest.mark.parametrize("route", ["/thresholds", "/photos/0/verdict", "/token"])
@pytest.mark.parametrize("body", ["[]", "3", '"good"', "null", "{", "[{}]"])
def test_a_body_of_another_kind_is_told_without_names_of_the_code(client: TestClient, route: str, body: str) -> None:
    answer = client.post(route, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert not {"Verdict", "Chosen", "Credential", "instance", "dataclass"} & set(answer.json()["detail"].split())


def test_a_threshold_is_stored_with_its_reason(
    client: TestClient, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, before = drop(client, tmp_path, 2, spot=True), radar.load(run).threshold
    higher = kept["prediction"]["score"] * 2
    assert client.post("/thresholds", json={"value": higher, "reason": " "}).status_code == 400
    assert radar.load(run).threshold == before
    assert main(["calibrate", str(run), "--threshold", "0.9"]) == 0  # meanwhile, by another process
    stored = client.post("/thresholds", json={"value": higher, "reason": "dust\nis no `defect`"}).json()
    assert stored["name"] == "hand-2" and stored["origin"] == "dust is no `defect`"
    loaded = radar.load(run).thresholds
    assert loaded.current.value == higher and [each.name for each in loaded.versions] == ["fitted", "hand-1", "hand-2"]
    assert "(`dust is no 'defect'`), it promises nothing" in (run / "model" / "README.md").read_text()
    capsys.readouterr()
    assert main(["calibrate", str(run), "--list"]) == 0
    assert "by hand (dust is no `defect`)" in capsys.readouterr().out
    assert drop(client, tmp_path, 2, spot=True)["prediction"]["decision"] == "good", "it decides from now on"
    told = client.get("/model").json()
    assert told["current"] == "hand-2" and len(told["normal_scores"]) == 24


def test_what_calibrate_changes_decides_from_the_next_photo_on(
    client: TestClient, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, before = save(tmp_path / "1.png", drawn(1)).read_bytes(), drop(client, tmp_path, 1)
    assert main(["calibrate", str(run), "--threshold", "-1000", "--name", "strict"]) == 0
    capsys.readouterr()
    assert client.get("/model").json()["current"] == "strict"
    (said,) = client.post("/predict", content=content).json()
    assert (said["threshold_name"], said["threshold"], said["decision"]) == ("strict", -1000, "defective")
    (kept,) = client.get("/photos").json()["photos"]
    assert kept["prediction"] == before["prediction"], "what was decided stays"
    assert capsys.readouterr().err.count("threshold strict (-1000) decides from now on") == 1


@pytest.mark.parametrize(("most", "shown"), [(1, "0"), (2, "20"), (3, "120"), (9, "120")])
def test_a_photo_that_comes_again_in_a_log_stands_where_it_came_last(
    run: Path, tmp_path: Path, most: int, shown: str
) -> None:
    photos = [save(tmp_path / "parts" / f"{number}.png", drawn(number)) for number in range(3)]
    assert main(["predict", str(run), *map(str, photos), "--out", str(tmp_path / "log")]) in (0, 1)
    log = tmp_path / "log" / "predictions.jsonl"
    log.write_text(log.read_text() + log.read_text().splitlines(keepends=True)[0])
    assert "".join(each.path.stem for each in logged_photos(tmp_path / "log", radar.load(run), most)) == shown
