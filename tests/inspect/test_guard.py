"""Who may ask, from where, and what never leaves the machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from deploy_builders import drawn, save
from fastapi.testclient import TestClient

from radar.inspect.guard import Access

TOKEN = "correct-horse-battery"
ROUTES = [("GET", "/"), ("GET", "/photos"), ("GET", "/model"), ("GET", "/openapi.json"), ("GET", "/docs"),
          ("POST", "/predict"), ("GET", "/photos/a/photo")]  # fmt: skip


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example",
        "127.0.0.1.attacker.example:8731",
        "",
        "[::bad",
        "192.168.0.9",
        "user@127.0.0.1",
        "@localhost",
        "localhost/x",
        "localhost:99999",
        "localhost:x",
        "localhost?",
    ],
)
def test_a_foreign_name_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/model", headers={"Host": host}).status_code == 421
    assert client.get("/model", headers={"Host": "localhost:1234"}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://attacker.example", "null", "http://127.0.0.1:9999", "http://localhost:8731"]
)
def test_a_foreign_page_is_refused(client: TestClient, run: Path, origin: str) -> None:
    body = {"value": 0.5, "reason": "cross-site"}
    assert client.post("/thresholds", json=body, headers={"Origin": origin}).status_code == 403
    assert client.post("/predict", content=b"x", headers={"Origin": origin}).status_code == 403
    assert not (run / "model" / "thresholds.json").exists()
    assert client.post("/thresholds", json=body, headers={"Origin": "http://127.0.0.1:8731"}).status_code == 200


def test_without_the_token_nothing_is_told(started, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    client = started(access=Access(frozenset({"127.0.0.1"}), False, TOKEN))
    for method, path in ROUTES:
        for told in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": f"radar_inspect={TOKEN[:-1]}"}):
            assert client.request(method, path, headers=told).status_code == (303 if path == "/" else 401)
    assert client.get("/token").status_code == 200 and client.get("/page/token.js").status_code == 200
    assert client.post("/token", json={"token": "wrong"}).status_code == 401 and not client.cookies
    photo = save(tmp_path / "a.png", drawn(1)).read_bytes()
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert client.post("/predict", content=photo, headers=bearer).json()[0]["decision"] == "good"
    admitted = client.post("/token", json={"token": TOKEN})
    assert (
        "httponly" in admitted.headers["set-cookie"].lower()
        and "samesite=strict" in admitted.headers["set-cookie"].lower()
    )
    assert client.get("/").status_code == 200, "the cookie lets in"


@pytest.mark.parametrize(
    "path",
    ["/page/../application.py", "/page/..%2fapplication.py", "/page/%2e%2e/guard.py", "/page/%2fetc%2fpasswd",
     "/photos/..%2f..%2fmodel/photo",
     "/photos/x/..%2f..%2fmodel.json", "/../../etc/passwd", "//etc/passwd"],
)  # fmt: skip
def test_no_path_reaches_the_file_system(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404 and "import" not in answer.text and "root:" not in answer.text


@pytest.mark.parametrize("name", ["/etc/passwd", "../../../etc/passwd", __file__, "a\x00b", "x" * 1000])
def test_a_name_opens_nothing(client: TestClient, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = save(tmp_path / "a.png", drawn(1)).read_bytes()
    expected = client.post("/predict", content=photo).json()[0]["score"]
    monkeypatch.setattr(Path, "open", lambda *_, **__: pytest.fail("a file is opened"))
    monkeypatch.setattr(Path, "read_bytes", lambda *_: pytest.fail("a file is read"))
    said = client.post("/photos", params={"name": name}, content=photo).json()["prediction"]
    assert said["score"] == expected and said["path"] == name[:1000]
    (broken,) = client.post("/predict", params={"name": name}, content=b"no image").json()
    assert broken["decision"] == "unreadable" and "not a readable image" in broken["error"]


@pytest.mark.parametrize("crop", ["", "#xywh=0,0,50,50", "#xywh=0,0,99,99"])
def test_a_name_that_is_too_long_is_refused_as_its_end_may_ask_for_a_crop(
    client: TestClient, tmp_path: Path, crop: str
) -> None:
    photo = save(tmp_path / "a.png", drawn(1)).read_bytes()
    for length in (1000, 1001, 1005, 5000):
        name = "x" * (length - len(f".png{crop}")) + f".png{crop}"
        (said,) = client.post("/predict", params={"name": name}, content=photo).json()
        refused = length > 1000
        assert said["path"] == name[:1000] and (said["decision"] == "unreadable") == (said["score"] is None) == refused
        assert ("more than 1000 characters" in (said["error"] or "")) == refused


def test_browsers_are_told_to_be_strict(client: TestClient) -> None:
    for path in ("/", "/nowhere", "/openapi.json"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
    refused = client.get("/", headers={"Host": "attacker.example"}).headers
    assert "content-security-policy" in refused


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://]", "http://[evil]", "", "http://"])
def test_an_origin_that_is_none_is_refused_with_all_headers(client: TestClient, origin: str) -> None:
    answer = client.get("/model", headers={"Origin": origin})
    assert answer.status_code == 403 and answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("token", ["\\ud800", "\\u20ac", "\\u0000", "a" * 5000])
def test_a_token_of_any_characters_is_answered(started, token: str) -> None:  # type: ignore[no-untyped-def]
    headers = {"Content-Type": "application/json"}
    body = f'{{"token": "{token}"}}'
    for access, wanted in ((Access(frozenset({"127.0.0.1"}), False, TOKEN), (401, 422)), (None, (200, 422))):
        client = started() if access is None else started(access=access)
        answer = client.post("/token", content=body, headers=headers)
        assert answer.status_code in wanted and "set-cookie" not in answer.headers
