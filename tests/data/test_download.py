from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from radar.data.download import fetch, fetch_public, unpack
from radar.data.layouts.piped import PipedLayout
from radar.errors import DataError

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT; `server.ranges` says whether it can resume, `server.cut` after how many bytes it drops."""

    def do_GET(self):
        self.server.asked.append(self.headers.get("Range"))
        start = 0
        if self.headers.get("Range") and self.server.ranges:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if start >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : self.server.cut])
        self.server.cut = None

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.ranges, server.cut = [], True, None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}/set.zip"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_download(server, tmp_path):
    seen = []
    fetch(server.url, tmp_path / "set.zip", sha256=SHA256, received=lambda *counts: seen.append(counts))
    assert (tmp_path / "set.zip").read_bytes() == CONTENT
    assert names(tmp_path) == ["set.zip"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("ranges", [True, False], ids=["server resumes", "server starts over"])
def test_an_interrupted_download_is_finished_by_the_next_call(server, tmp_path, ranges):
    server.cut, server.ranges = 100_000, ranges
    with pytest.raises(DataError, match="run the command again to go on"):
        fetch(server.url, tmp_path / "set.zip", sha256=SHA256)
    assert names(tmp_path) == ["set.zip.part"]
    fetch(server.url, tmp_path / "set.zip", sha256=SHA256)
    assert (tmp_path / "set.zip").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-"]


@pytest.mark.parametrize(
    ("part", "asked"),
    [
        pytest.param(CONTENT, [f"bytes={len(CONTENT)}-"], id="whole"),
        pytest.param(CONTENT + b"too much", [f"bytes={len(CONTENT) + 8}-", None], id="too long"),
    ],
)
def test_a_part_that_cannot_grow(server, tmp_path, part, asked):
    (tmp_path / "set.zip.part").write_bytes(part)
    fetch(server.url, tmp_path / "set.zip", sha256=SHA256)
    assert (tmp_path / "set.zip").read_bytes() == CONTENT
    assert server.asked == asked


def test_a_finished_download_is_not_repeated(server, tmp_path):
    for _ in range(2):
        fetch(server.url, tmp_path / "set.zip", sha256=SHA256.upper())
    assert len(server.asked) == 1


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    with pytest.raises(DataError, match=f"SHA-256 is {SHA256}, not 00"):
        fetch(server.url, tmp_path / "set.zip", sha256="00" * 32)
    assert names(tmp_path) == []


def test_file_urls(tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT)
    fetch((tmp_path / "a.bin").as_uri(), tmp_path / "b.bin", sha256=SHA256)
    assert (tmp_path / "b.bin").read_bytes() == CONTENT
    with pytest.raises(DataError, match="download failed"):
        fetch((tmp_path / "gone.bin").as_uri(), tmp_path / "c.bin", sha256=None)


def test_no_server(tmp_path):
    with pytest.raises(DataError, match="download failed"):
        fetch("http://127.0.0.1:9/x", tmp_path / "x", sha256=None)


def archive(path, members: dict[str, bytes], *, link: str | None = None):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as file:
            for name, content in members.items():
                file.writestr(name, content)
        return path
    with tarfile.open(path, "w:xz") as file:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
        if link is not None:
            member = tarfile.TarInfo("link")
            member.type, member.linkname = tarfile.SYMTYPE, link
            file.addfile(member)
    return path


@pytest.mark.parametrize("kind", ["a.zip", "a.tar.xz"])
def test_unpacking(tmp_path, kind):
    unpack(archive(tmp_path / kind, {"set/a.txt": b"a", "set/sub/b.txt": b"b"}), tmp_path / "out")
    assert (tmp_path / "out/set/a.txt").read_bytes() == b"a"
    assert (tmp_path / "out/set/sub/b.txt").read_bytes() == b"b"


@pytest.mark.parametrize("name", ["../evil.txt", "set/../../evil.txt", "/tmp/evil.txt", "..\\evil.txt", "c:\\evil.txt"])
@pytest.mark.parametrize("kind", ["a.zip", "a.tar.xz"])
def test_paths_that_escape_are_refused_before_anything_is_written(tmp_path, kind, name):
    path = archive(tmp_path / kind, {"good.txt": b"good", name: b"evil"})
    with pytest.raises(DataError, match="would be written outside"):
        unpack(path, tmp_path / "out")
    assert names(tmp_path / "out") == []


def test_links_are_refused(tmp_path):
    path = archive(tmp_path / "a.tar.xz", {"good.txt": b"good"}, link="/etc")
    with pytest.raises(DataError, match="link is a link or device"):
        unpack(path, tmp_path / "out")
    assert names(tmp_path / "out") == []


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip: neither a tar nor a zip"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mvtec_ad", "accept its terms at https://www.mvtec.com.* unpack it into .*/mvtec_ad"),
        ("piped", "give --sha256, or --unchecked"),
        ("imagenet", "no public source named 'imagenet'; there are aitex, magnetic_tile, mvtec_ad, piped"),
    ],
)
def test_public_sources_that_need_a_word_first(tmp_path, name, message):
    with pytest.raises(DataError, match=message):
        fetch_public(name, tmp_path, sha256=None, unchecked=False)


def public(tmp_path, monkeypatch, members) -> None:
    path = archive(tmp_path / "source.zip", members)
    monkeypatch.setattr(PipedLayout, "public", replace(PipedLayout.public, url=path.as_uri()))


def test_a_public_source_lands_where_its_preset_looks(tmp_path, monkeypatch):
    public(tmp_path, monkeypatch, {"PIPED-HEAD/README.md": b"", "PIPED-HEAD/data/PA_X/NoDefects/a.bmp": b"a"})
    root = fetch_public("piped", tmp_path / "data", sha256=None, unchecked=True)
    assert root == tmp_path / "data/piped"
    assert (root / "PA_X/NoDefects/a.bmp").read_bytes() == b"a"
    assert names(tmp_path / "data") == ["piped"]
    with pytest.raises(DataError, match="is there already"):
        fetch_public("piped", tmp_path / "data", sha256=None, unchecked=True)


def test_a_public_source_of_another_make_leaves_its_archive_alone(tmp_path, monkeypatch):
    public(tmp_path, monkeypatch, {"PIPED-HEAD/other/a.bmp": b"a"})
    with pytest.raises(DataError, match=r"has no folder \*/data/PA_\*; its publisher changed it"):
        fetch_public("piped", tmp_path / "data", sha256=None, unchecked=True)
    assert names(tmp_path / "data") == ["piped.zip"]
