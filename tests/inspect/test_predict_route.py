"""`POST /predict`: the answers of `radar predict`, to the bit, for one image or several, and what is wrong told in its line."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from deploy_builders import drawn, save
from fastapi.testclient import TestClient
from PIL import Image

from radar.cli.main import main
from radar.runtime.prediction import COLUMNS, from_json

OF_THE_ASKING = ("path", "time", "milliseconds", "bytes", "modified_ns")  # what a file has beside its content


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "parts"
    drawn_ones = [save(folder / f"{seed}.png", drawn(seed, spot=seed == 2)) for seed in range(3)]
    wide = save(folder / "wide.tif", drawn(7, spot=True, width=400).astype(np.uint16) * 257)
    broken = folder / "z.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n no more")
    return [*drawn_ones, wide, broken]


def form(paths: list[Path]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("images", (path.name, path.read_bytes())) for path in paths]


def test_answers_are_those_of_radar_predict(
    client: TestClient, run: Path, photos: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(run), "--jsonl", *map(str, photos)]) == 2
    expected = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    answer = client.post("/predict", files=form(photos))
    assert answer.status_code == 200
    assert [each["path"] for each in answer.json()] == [path.name for path in photos]
    assert [each["decision"] for each in answer.json()] == ["good", "good", "defective", "defective", "unreadable"]
    for said, wanted in zip(answer.json(), expected, strict=True):
        assert tuple(said) == COLUMNS and from_json(json.dumps(said))
        assert {key: said[key] for key in COLUMNS if key not in OF_THE_ASKING} == {
            key: wanted[key] for key in COLUMNS if key not in OF_THE_ASKING
        }
    assert "not a readable image" in answer.json()[-1]["error"] and answer.json()[-1]["score"] is None
    alone = client.post("/predict?name=spot.png", content=photos[2].read_bytes()).json()
    assert [each["score"] for each in alone] == [expected[2]["score"]] and alone[0]["path"] == "spot.png"
    assert client.get("/photos").json()["photos"] == [], "what scripts ask is not kept"


def test_a_named_crop_is_judged_as_predict_does(client: TestClient, run: Path, photos: list[Path]) -> None:
    import radar  # noqa: PLC0415 - where it is compared alone

    crop = f"{photos[3]}#xywh=100,0,300,200"
    (expected,) = radar.predict(radar.load(run), [crop])
    (said,) = client.post("/predict", files=[("images", (Path(crop).name, photos[3].read_bytes()))]).json()
    assert (said["score"], said["width"]) == (expected.score, 300)


def test_requests_beside_each_other_have_their_own_answers(client: TestClient, photos: list[Path]) -> None:
    with client, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda path: client.post("/predict", content=path.read_bytes()).json(), photos * 3))
    alone = [client.post("/predict", content=path.read_bytes()).json()[0]["score"] for path in photos]
    assert [answer[0]["score"] for answer in answers] == alone * 3 and len(set(alone)) == 5


def test_what_is_too_large_is_refused(started, photos: list[Path]) -> None:  # type: ignore[no-untyped-def]
    client = started("megabytes=0.1", "images=2", "megapixels=0.07")
    assert client.post("/predict", content=photos[0].read_bytes()).status_code == 200
    assert client.post("/predict", files=form(photos[:3])).status_code in (400, 413)
    assert client.post("/predict", content=bytes(100_001)).status_code == 413
    endless = (bytes(1000) for _ in range(200))  # sent in chunks, without a length
    assert client.post("/predict", content=endless).status_code == 413
    assert client.post("/thresholds", content=bytes(20_000)).status_code == 413
    assert (
        client.post("/predict", content=b"").status_code == 400 and client.post("/predict", files={}).status_code == 400
    )
    (said,) = client.post("/predict", content=_flat(400, 300)).json()
    assert said["decision"] == "unreadable" and "has 0.12 million pixels, and at most 0.07 are taken" in said["error"]


def test_a_small_file_that_holds_a_huge_picture_is_not_decoded(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = _flat(9000, 9000)
    assert len(bomb) < 2_000_000
    monkeypatch.setattr("radar.inspect.uploads.decoded_photo", lambda *_: pytest.fail("it is decoded"))
    (said,) = client.post("/predict", content=bomb).json()
    assert said["decision"] == "unreadable" and "81 million pixels" in said["error"]


def _flat(width: int, height: int) -> bytes:
    buffer = BytesIO()
    Image.new("1", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def test_it_describes_itself_without_a_network(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {"/predict", "/model"}
    fields = described["components"]["schemas"]["Prediction"]["properties"]
    assert tuple(fields) == COLUMNS and "conformal" in fields["p_value"]["description"]
    assert "multipart/form-data" in described["paths"]["/predict"]["post"]["requestBody"]["content"]
    for page in ("/", "/docs", "/token"):
        text = client.get(page).text
        assert "http://" not in text and "https://" not in text and "<script>" not in text


@pytest.mark.parametrize("name", [".#xywh=0,0,8,8", "..#xywh=0,0,8,8", "a/.#xywh=0,0,8,8", "#xywh=0,0,8,8", ".", ".."])
def test_a_name_that_is_a_folder_is_told_in_its_line(client: TestClient, photos: list[Path], name: str) -> None:
    answer = client.post("/predict", params={"name": name}, content=photos[0].read_bytes())
    assert answer.status_code == 200 and answer.json()[0]["decision"] in ("good", "unreadable")


@pytest.mark.parametrize("charset", ["undefined", "punycode", "utf-16", "no-such"])
def test_a_form_in_a_character_set_that_is_none_is_refused(client: TestClient, charset: str) -> None:
    body = b'--B\r\nContent-Disposition: form-data; name="images"; filename="\xff\xfe"\r\n\r\nx\r\n--B--\r\n'
    headers = {"Content-Type": f"multipart/form-data; boundary=B; charset={charset}"}
    answer = client.post("/predict", content=body, headers=headers)
    assert answer.status_code == 400 or answer.json()[0]["decision"] == "unreadable"


@pytest.mark.parametrize("query", ["nmae=a.png", "name=a.png&threshold=3", "=x", "NAME=a", "a%0Ab=1"])
def test_a_key_of_a_query_that_nothing_reads_is_refused(client: TestClient, photos: list[Path], query: str) -> None:
    answer = client.post(f"/predict?{query}", content=photos[0].read_bytes())
    said = answer.json()["detail"]
    assert answer.status_code == 400 and said.endswith("no such key of a query; known are name") and "\n" not in said


FILE = b'Content-Disposition: form-data; name="images"; filename="a.png"\r\n\r\n'


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (b'Content-Disposition: form-data; name="images"\r\nContent-Type: image/png\r\n\r\n', "is no file"),
        (
            b"Content-Disposition: form-data; name=\"images\"; filename*=UTF-8''%C3%BC.png\r\n\r\n",
            "filename*= is not read",
        ),
        (b'Content-Disposition: form-data; name="note"\r\n\r\n', "the part note of the form is no file"),
    ],
    ids=["without a name", "with an encoded name alone", "a field"],
)
def test_a_part_that_would_have_no_answer_is_refused(
    client: TestClient, photos: list[Path], other: bytes, said: str
) -> None:
    first, second = (path.read_bytes() for path in photos[1:3])
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    for parts in ((FILE + first, other + second), (other + second, FILE + first)):
        body = b"".join(b"--B\r\n" + part + b"\r\n" for part in parts) + b"--B--\r\n"
        answer = client.post("/predict", content=body, headers=headers)
        assert answer.status_code == 400 and said in answer.text


def test_a_form_that_breaks_off_is_refused(client: TestClient, photos: list[Path]) -> None:
    parts = [b"--B\r\n" + FILE + path.read_bytes() + b"\r\n" for path in photos[:3]]
    headers, whole = {"Content-Type": 'multipart/form-data; boundary="B"'}, b"".join(parts)
    for end in (b"--B--\r\n", b"--B--", b"--B--\r\nwhat follows is no part\r\n"):
        answer = client.post("/predict", content=whole + end, headers=headers)
        assert answer.status_code == 200 and len(answer.json()) == 3
    for end in (b"", b"--B", b"--B\r\n"):
        answer = client.post("/predict", content=whole + end, headers=headers)
        assert answer.status_code == 400 and "broke off" in answer.text
    for length in (len(whole) - 2, len(whole) - 500, len(parts[0])):
        assert client.post("/predict", content=whole[:length], headers=headers).status_code == 400


def test_who_sends_nothing_keeps_nobody_out(started, photos: list[Path]) -> None:  # type: ignore[no-untyped-def]
    """Ten requests that announce a photo and never send it; another is answered all the while."""
    guard = started("uploads=2", "timeout=30").app
    content, answers = photos[0].read_bytes(), list[int]()

    async def ask(sends: bool) -> None:
        scope = {
            "type": "http", "method": "POST", "path": "/predict", "query_string": b"", "http_version": "1.1", "scheme": "http",
            "headers": [(b"host", b"127.0.0.1"), (b"content-length", str(len(content)).encode())],
        }  # fmt: skip

        async def receive() -> dict[str, object]:
            if not sends:
                await asyncio.Event().wait()
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                answers.append(int(str(message["status"])))

        await guard(scope, receive, send)

    async def ask_all() -> None:
        silent = [asyncio.ensure_future(ask(False)) for _ in range(10)]
        await asyncio.sleep(0.1)
        await asyncio.wait_for(ask(True), 20)
        for each in silent:
            each.cancel()

    asyncio.run(ask_all())
    assert answers == [200]


@pytest.mark.parametrize("route", ["/predict", "/photos"])
@pytest.mark.parametrize(
    "query", ["name=a.png&name=b.png", "name=a.png&name=a.png", "name=&name=b.png", "n%61me=a&name=b"]
)
def test_a_key_that_comes_twice_is_refused(client: TestClient, photos: list[Path], route: str, query: str) -> None:
    answer = client.post(f"{route}?{query}", content=photos[0].read_bytes())
    assert answer.status_code == 400
    assert answer.json()["detail"] == "'name': stands more than once in the query; send it once"


_DISPOSITION = 'Content-Disposition: form-data; name="images"; filename="%s"'
TWICE = {
    "the name of the file": [_DISPOSITION % "a.png", _DISPOSITION % "b.png"],
    "in small letters": [_DISPOSITION % "a.png", (_DISPOSITION % "b.png").replace("Content-D", "content-d")],
    "the type": ["Content-Type: image/png", _DISPOSITION % "a.png", "Content-Type: image/tiff"],
    "a key of a header": [(_DISPOSITION % "a.png") + '; filename="b.png"'],
    "a key in large letters": [(_DISPOSITION % "a.png") + "; FILENAME=b.png"],
}


@pytest.mark.parametrize("kind", TWICE)
def test_a_part_of_a_form_that_says_something_twice_is_refused(
    client: TestClient, photos: list[Path], kind: str
) -> None:
    headers = "\r\n".join(TWICE[kind]).encode()
    body = b"--B\r\n" + headers + b"\r\n\r\n" + photos[0].read_bytes() + b"\r\n--B--\r\n"
    answer = client.post("/predict", content=body, headers={"Content-Type": "multipart/form-data; boundary=B"})
    assert answer.status_code == 400 and answer.json()["detail"].endswith("twice; send it once")


@pytest.mark.parametrize(
    "name", ["a; filename=b.png", "filename=a;filename=b.png", "a=1; a=2.png", "x y (1).png", "ä;ö=ü;ö=ü.png"]
)
def test_a_name_of_a_file_may_hold_what_looks_like_keys(client: TestClient, photos: list[Path], name: str) -> None:
    (said,) = client.post("/predict", files=[("images", (name, photos[0].read_bytes()))]).json()
    assert said["path"] == name
