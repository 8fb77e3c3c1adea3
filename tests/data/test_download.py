from __future__ import annotations

import gzip
import hashlib
import io
import socketserver
import tarfile
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from radar.cli.data import data
from radar.data.archives import unpack
from radar.data.download import fetch, fetch_public
from radar.data.layouts.piped import PipedLayout
from radar.errors import DataError

CONTENT = bytes(range(256)) * 2000
NOISE = hashlib.shake_256(b"noise").digest(300_000)
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
        if start:
            self.send_header("Content-Range", f"bytes {start + self.server.shift}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : self.server.cut])
        self.server.cut = None

    def log_message(self, *args):
        pass


def served(server, name):
    """The server while it answers; its `url` is that of `name`."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_address[1]}/{name}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.ranges, server.cut, server.shift = [], True, None, 0
    yield from served(server, "set.zip")


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


ANSWERS = {  # kind 11: what servers answer that is no download
    "no status": b"\0\xff garbage\r\n\r\n",
    "a status that is no number": b"HTTP/1.0 abc x\r\n\r\n",
    "a broken chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nabc",
    "a chunk without a size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc",
    "an endless header": b"HTTP/1.0 200 OK\r\nX: " + b"a" * 70000 + b"\r\n\r\n",
    "too many headers": b"HTTP/1.0 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n",
    "a length that is no number": b"HTTP/1.0 200 OK\r\nContent-Length: many\r\n\r\nabc",
    "a redirection to itself": b"HTTP/1.0 302 Found\r\nLocation: /\r\n\r\n",
    "a redirection to a file": b"HTTP/1.0 302 Found\r\nLocation: file:///etc/hostname\r\n\r\n",
    "not found": b"HTTP/1.0 404 Not Found\r\n\r\n",
    "nothing": b"",
}


@pytest.fixture
def answering():
    class Raw(socketserver.StreamRequestHandler):
        def handle(self):
            self.rfile.readline()
            self.wfile.write(self.server.answer)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Raw)
    yield from served(server, "")


@pytest.mark.parametrize("answer", ANSWERS)
def test_whatever_a_server_answers_is_one_line_that_says_what_is_left(answering, tmp_path, answer):
    answering.answer = ANSWERS[answer]
    with pytest.raises(DataError, match="download failed") as caught:
        fetch(answering.url, tmp_path / "set.zip", sha256=None)
    left = [path for path in tmp_path.iterdir() if path.stat().st_size]
    assert "\n" not in str(caught.value)
    assert ("go on from" in str(caught.value)) == bool(left)
    assert ("nothing of it is in" in str(caught.value)) == (not left)


def test_a_server_that_goes_on_elsewhere_spoils_nothing(server, tmp_path):
    (tmp_path / "set.zip.part").write_bytes(CONTENT[:1000])
    server.shift = 7
    with pytest.raises(DataError, match="went on elsewhere than at byte 1000"):
        fetch(server.url, tmp_path / "set.zip", sha256=None)
    assert (tmp_path / "set.zip.part").read_bytes() == CONTENT[:1000]


def test_a_folder_that_is_a_file_is_one_line(server, tmp_path):
    (tmp_path / "root").write_text("")
    with pytest.raises(DataError, match=r"download failed .*nothing of it is in"):
        fetch(server.url, tmp_path / "root/set.zip", sha256=None)


def zipped(method=zipfile.ZIP_DEFLATED, content=b"abcdefgh" * 5000) -> bytearray:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        file.writestr("a/b", content)
    return bytearray(buffer.getvalue())


def tarred(kind: str, content: bytes = NOISE, **member) -> bytearray:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{kind}", format=tarfile.PAX_FORMAT) as file:
        for name, part in (("a/first", b"x"), ("a/second", content)):
            info = tarfile.TarInfo(name)
            info.size = len(part)
            for key, value in member.items():
                setattr(info, key, value)
            file.addfile(info, io.BytesIO(part))
    return bytearray(buffer.getvalue())


def spoilt(content: bytearray, place: float | int, bytes_: bytes) -> bytes:
    at = place if isinstance(place, int) else int(len(content) * place)
    content[at : at + len(bytes_)] = bytes_
    return bytes(content)


def encrypted() -> bytes:
    content = zipped()
    content[6], content[content.find(b"PK\1\2") + 8] = 1, 1
    return bytes(content)


def method(number: int) -> bytes:
    content = zipped()
    content[8], content[content.find(b"PK\1\2") + 10] = number, number
    return bytes(content)


DAMAGED = {  # kinds 3 and 11
    "zip, deflate": lambda: spoilt(zipped(), 33, b"\xff\xff\xff"),
    "zip, bzip2": lambda: spoilt(zipped(zipfile.ZIP_BZIP2), 60, b"\xff" * 9),
    "zip, lzma": lambda: spoilt(zipped(zipfile.ZIP_LZMA), 50, b"\xff" * 9),
    "zip, stored": lambda: spoilt(zipped(zipfile.ZIP_STORED, NOISE), 0.5, b"damage"),
    "zip, encrypted": encrypted,
    "zip, deflate64": lambda: method(9),
    "zip, unknown method": lambda: method(97),
    "zip, cut": lambda: bytes(zipped()[:-30]),
    "tar.gz, a member": lambda: spoilt(tarred("gz"), 0.5, b"damage" * 5),
    "tar.gz, its checksum": lambda: spoilt(tarred("gz"), -8, b"bad!"),
    "tar.gz, cut": lambda: bytes(tarred("gz")[:-9]),
    "tar.gz, something behind it": lambda: bytes(tarred("gz")) + b"garbage",
    "tar.bz2, a member": lambda: spoilt(tarred("bz2"), 0.5, b"damage" * 5),
    "tar.bz2, cut": lambda: bytes(tarred("bz2")[:-9]),
    "tar.xz, a member": lambda: spoilt(tarred("xz"), 0.5, b"damage" * 5),
    "tar.xz, cut": lambda: bytes(tarred("xz")[:-40]),
    "tar, cut": lambda: bytes(tarred("")[: len(NOISE) // 2]),
    "tar, a long header": lambda: bytes(tarred("gz", pax_headers={"comment": "x" * (20 << 20)})),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_archive_is_one_line(tmp_path, kind):
    (tmp_path / "archive").write_bytes(DAMAGED[kind]())
    with pytest.raises(DataError, match=r"archive: (cannot be unpacked|neither a tar nor a zip)") as caught:
        unpack(tmp_path / "archive", tmp_path / "out")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["zip", "gz"])
def test_a_bomb_unpacks_to_no_more_than_its_bound(tmp_path, kind):
    content = bytes(70 << 20)
    packed = zipped(content=content) if kind == "zip" else tarred(kind, content)
    assert len(packed) < 1 << 20
    (tmp_path / "archive").write_bytes(packed)
    with pytest.raises(DataError, match="unpacks to more than 67 MB"):
        unpack(tmp_path / "archive", tmp_path / "out")
    assert names(tmp_path / "out") == []


def header_bomb(kind: str, field: str) -> bytes:
    """Members without content whose headers are 15 MiB of a comment, or of a name."""
    buffer = io.BytesIO()
    form = tarfile.GNU_FORMAT if field == "name" else tarfile.PAX_FORMAT
    with tarfile.open(fileobj=buffer, mode=f"w:{kind}", format=form) as file:
        for index in range(5):
            info = tarfile.TarInfo(f"a/{index}")
            if field == "name":
                info.name = "b/" * (15 << 19)
            elif field == "comment":
                info.pax_headers = {"comment": "x" * (15 << 20)}
            file.addfile(info)
    return buffer.getvalue()


def chained(count: int, kind: bytes) -> bytes:
    """Headers of 15 MiB one behind the other, that belong to one member."""
    record = b"comment=" + b"x" * (15 << 20) + b"\n"
    record = b"%d " % (len(record) + 9) + record
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, len(record)
    part = info.tobuf(tarfile.USTAR_FORMAT) + record.ljust(-(-len(record) // 512) * 512, b"\0")
    return gzip.compress(part * count + tarfile.TarInfo("a").tobuf() + bytes(1024))


HEADER_BOMBS = {
    "comments, gz": lambda: header_bomb("gz", "comment"),
    "comments, bz2": lambda: header_bomb("bz2", "comment"),
    "names, gz": lambda: header_bomb("gz", "name"),
    "of one member": lambda: chained(5, tarfile.XHDTYPE),
    "of all members": lambda: chained(5, tarfile.XGLTYPE),
}


@pytest.mark.parametrize("kind", HEADER_BOMBS)
def test_a_bomb_of_headers_unpacks_to_no_more_than_its_bound(tmp_path, kind):
    (tmp_path / "archive").write_bytes(HEADER_BOMBS[kind]())
    with pytest.raises(DataError, match="unpacks to more than 67 MB"):
        unpack(tmp_path / "archive", tmp_path / "out")
    assert names(tmp_path / "out") == []


def test_a_bomb_of_headers_is_bounded_however_large_its_archive_is(tmp_path, monkeypatch):
    monkeypatch.setattr("radar.data.archives._MOST_HEADERS", 20 << 20)
    (tmp_path / "archive").write_bytes(chained(3, tarfile.XHDTYPE))
    with pytest.raises(DataError, match=r"cannot be unpacked \(headers that are longer than any names"):
        unpack(tmp_path / "archive", tmp_path / "out")


def test_a_bomb_behind_a_member_that_is_passed_over_is_not_unpacked(tmp_path):
    """A size beyond the stream: to look behind it, all of the stream would be unpacked."""
    info = tarfile.TarInfo("a")
    info.size = 1 << 40
    (tmp_path / "archive").write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(70 << 20)))
    with pytest.raises(DataError, match="unpacks to more than 67 MB"):
        unpack(tmp_path / "archive", tmp_path / "out")


@pytest.mark.parametrize("folders", [False, True])
@pytest.mark.parametrize("kind", ["zip", "gz"])
def test_more_members_than_any_set_has_are_refused(tmp_path, kind, folders, monkeypatch):
    monkeypatch.setattr("radar.data.archives._MOST_MEMBERS", 1000)
    for count in (1000, 1001):
        with zipfile.ZipFile(tmp_path / "zip", "w") as file:
            for index in range(count):
                file.writestr(f"a/{index}{'/' * folders}", b"")
        with tarfile.open(tmp_path / "gz", "w:gz") as file:
            for index in range(count):
                info = tarfile.TarInfo(f"a/{index}")
                info.type = tarfile.DIRTYPE if folders else tarfile.REGTYPE
                file.addfile(info)
        if count == 1000:
            unpack(tmp_path / kind, tmp_path / "whole")
            assert len(names(tmp_path / "whole/a")) == 1000
            continue
        with pytest.raises(DataError, match="has more than 1,000 files and folders"):
            unpack(tmp_path / kind, tmp_path / "out")
        assert names(tmp_path / "out") == []


def test_a_bomb_that_lies_about_its_size_is_stopped(tmp_path):
    content = zipped(content=bytes(70 << 20))
    place = content.find(b"PK\1\2")
    content[place + 24 : place + 28] = (1000).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file()) <= 64 << 20


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_members_that_are_no_files_are_refused(tmp_path, kind):
    (tmp_path / "a.tar").write_bytes(tarred("", b"", type=kind, linkname="/etc/passwd"))
    with pytest.raises(DataError, match="is a link or device"):
        unpack(tmp_path / "a.tar", tmp_path / "out")
    assert names(tmp_path / "out") == []


def test_a_link_in_a_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="link is a link or device"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_not_called_damage(tmp_path):
    path = archive(tmp_path / "a.zip", {"set/a.txt": b"a"})
    (tmp_path / "out").write_text("")
    with pytest.raises(DataError, match=r"out: File exists; .*a\.zip is left where it is"):
        unpack(path, tmp_path / "out")


def test_an_archive_in_an_archive_stays_packed(tmp_path):
    unpack(archive(tmp_path / "a.zip", {"inner.zip": bytes(zipped())}), tmp_path / "out")
    assert names(tmp_path / "out") == ["inner.zip"]


def test_overrides_stand_before_and_after_options(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for words in (["data_root=", "--unchecked"], ["--unchecked", "data_root="]):
        given = [word + str(tmp_path / "file") if word == "data_root=" else word for word in words]
        with pytest.raises(DataError, match=r"file/magnetic_tile|nothing of it is in"):
            data(["download", "magnetic_tile", *given])
    with pytest.raises(SystemExit):
        data(["download", "magnetic_tile", "--uncheckd"])


@pytest.mark.parametrize("held", [b"", b"0123"])
def test_a_link_in_place_of_a_part_is_not_followed(tmp_path, held):
    (tmp_path / "source").write_bytes(b"0123456789")
    (tmp_path / "elsewhere").write_bytes(held)
    (tmp_path / "got.part").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="download failed"):
        fetch((tmp_path / "source").as_uri(), tmp_path / "got", sha256=None)
    assert (tmp_path / "elsewhere").read_bytes() == held and not (tmp_path / "got").exists()
