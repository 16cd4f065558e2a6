"""What programs in Python use: fsspec, requests, and the standard library's zipfile over a reader of ranges."""
import http.client
import io
import urllib.parse
import zipfile

import fsspec
import requests

from clients.conftest import HUGE, LARGE, MIB
from harness import content


def test_fsspec_reads_pieces(site):
    site.mark()
    with fsspec.open(site.url("huge.bin"), block_size=MIB).open() as file:
        assert file.size == HUGE
        for offset in (0, (1 << 32) - 100, HUGE - 5000):
            file.seek(offset)
            assert file.read(5000) == site.huge.expected(offset, 5000)
    records = [record for record in site.requests("huge.bin") if record["method"] == "GET"]
    assert records and all(record["status"] == 206 for record in records)
    assert sum(record["bytes"] for record in records) < 8 * MIB


def test_fsspec_lists(site):
    """It takes the links of the page for the names."""
    names = {entry.rsplit("/", 1)[-1] for entry in fsspec.filesystem("http").ls(site.url("tree/"), detail=False)}
    assert {"plain.txt", "with%20space.bin", "100%25.bin", "hash%23mark.bin"} <= names


def test_fsspec_finds_and_gets(site, tmp_path):
    filesystem = fsspec.filesystem("http")
    files = filesystem.find(site.url("tree/deep/"))
    assert len(files) == 2
    for entry in files:
        name = urllib.parse.unquote(entry.rsplit("/tree/", 1)[1])
        filesystem.get_file(entry, str(tmp_path / "got"))
        assert (tmp_path / "got").read_bytes() == (site.root / "tree" / name).read_bytes()


def test_requests_resumes_one_version(site):
    """As programs resume: If-Range with the tag of what they have; a 200 would say that it is another file."""
    with requests.Session() as session:
        session.trust_env = False
        first = session.get(site.url("large.bin"), stream=True, timeout=20)
        assert first.status_code == 200
        have = first.raw.read(10 * MIB)
        tag = first.headers["ETag"]
        first.close()
        rest = session.get(site.url("large.bin"), headers={"Range": f"bytes={len(have)}-", "If-Range": tag}, timeout=20)
        assert (rest.status_code, rest.headers["Content-Range"]) == (206, f"bytes {len(have)}-{LARGE - 1}/{LARGE}")
        assert have + rest.content == content.expected(0, LARGE)
        other = session.get(site.url("large.bin"), headers={"Range": "bytes=5-", "If-Range": '"another"'}, timeout=20, stream=True)
        assert other.status_code == 200
        other.close()


class RangeReader(io.RawIOBase):
    """A seekable file whose reads are range requests on one connection, each checked for being what was asked."""

    def __init__(self, host, path):
        self._connection, self._path, self._at = http.client.HTTPConnection(host, timeout=20), path, 0
        self._connection.request("HEAD", path)
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status == 200 and answer.headers["Accept-Ranges"] == "bytes"
        self.size, self._tag = int(answer.headers["Content-Length"]), answer.headers["ETag"]

    def readable(self):
        return True

    def seekable(self):
        return True

    def tell(self):
        return self._at

    def seek(self, offset, whence=io.SEEK_SET):
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def readinto(self, buffer):
        count = min(len(buffer), self.size - self._at)
        if count <= 0:
            return 0
        last = self._at + count - 1
        self._connection.request("GET", self._path, headers={"Range": f"bytes={self._at}-{last}", "If-Range": self._tag})
        answer = self._connection.getresponse()
        data = answer.read()
        assert (answer.status, answer.headers["Content-Range"]) == (206, f"bytes {self._at}-{last}/{self.size}")
        buffer[:count] = data
        self._at += count
        return count

    def close(self):
        self._connection.close()
        super().close()


def test_zip_members_of_a_large_archive(site):
    """The directory from the end, then one member: a few KiB of an archive of tens of MiB."""
    with zipfile.ZipFile(site.root / "archive.zip", "w") as archive:
        archive.write(site.root / "large.bin", "large.bin")
        archive.writestr("small.txt", b"the small one", zipfile.ZIP_DEFLATED)
        archive.writestr("last.bin", content.expected(7, 5000))
    site.mark()
    with RangeReader(site.daemon.host, "/files/archive.zip") as raw, zipfile.ZipFile(io.BufferedReader(raw, 16384)) as archive:
        assert archive.namelist() == ["large.bin", "small.txt", "last.bin"]
        assert archive.read("small.txt") == b"the small one"
        assert archive.read("last.bin") == content.expected(7, 5000)
        with archive.open("large.bin") as member:
            member.seek(LARGE - 100)
            assert member.read() == content.expected(LARGE - 100, 100)
    records = site.requests("archive.zip")
    assert all(record["status"] == 206 for record in records if record["method"] == "GET")
