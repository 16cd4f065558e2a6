"""Clients that Debian does not have: their requests, and the checks that their own sources make of the answers, to the letter."""
import pytest

from clients.conftest import HUGE, LARGE, MIB
from harness import content, multipart
from harness.http import build


def raw_lines(response):
    return response.head.decode("latin-1").split("\r\n")[1:]


def large(*fields, site, method="GET"):
    return site.daemon.request(method, "/files/large.bin", list(fields))


def test_safari_and_its_probe(site):
    """<video>: two bytes first; anything but a 206 of exactly these, with the total, and it does not play."""
    response = large(("Range", "bytes=0-1"), site=site)
    assert (response.status, response.content_range, response.length) == (206, (0, 1, LARGE), 2)


def test_chromium_and_all_of_it_as_a_range(site):
    """<video>: "bytes=0-" is a range of everything, and is answered as one."""
    with site.daemon.connect() as connection:
        connection.send(build("GET", "/files/huge.bin", [("Range", "bytes=0-")]))
        head = connection.read_head()
        assert (head.status, head.content_range, head.length) == (206, (0, HUGE - 1, HUGE), HUGE)


def test_hls_and_an_exclusive_end(site):
    """It asks for [a, b) as a-(b-1) and wants b - a bytes."""
    response = large(("Range", f"bytes={MIB}-{2 * MIB - 1}"), site=site)
    assert response.body == content.expected(MIB, MIB)


@pytest.mark.parametrize("method, fields", [("GET", []), ("HEAD", []), ("GET", [("Range", "bytes=0-9")])])
def test_qemu_httpdirfs_and_pdf_js_and_the_letter_of_accept_ranges(site, method, fields):
    """Compared as text, with its case, on HEAD as on GET."""
    assert "Accept-Ranges: bytes" in raw_lines(large(*fields, site=site, method=method))


def test_gdal_and_many_ranges(site):
    """It looks for this text in the header, and then for as many parts as it asked for, in that order."""
    ranges = [(0, 16383), (10 * MIB, 10 * MIB + 16383), (10 * MIB + 16384, 10 * MIB + 32767), (LARGE - 16384, LARGE - 1)]
    response = large(("Range", "bytes=" + ",".join(f"{first}-{last}" for first, last in ranges)), site=site)
    assert any(line.startswith("Content-Type: multipart/byteranges; boundary=") for line in raw_lines(response))
    parts = multipart.parse(response)
    assert [(part.first, part.last) for part in parts] == ranges
    assert all(part.body == content.expected(part.first, 16384) for part in parts)


def test_electron_updater_and_its_spaces(site):
    """A space after each comma; a part for each range, split at the boundary with CRLF."""
    response = large(("Range", "bytes=0-99, 200-299, 1000-1099"), site=site)
    boundary = multipart.boundary_of(response["Content-Type"]).encode()
    pieces = response.body.split(b"--" + boundary)
    assert len(pieces) == 5 and pieces[-1].startswith(b"--")
    bodies = [piece.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for piece in pieces[1:4]]
    assert bodies == [content.expected(offset, 100) for offset in (0, 200, 1000)]


@pytest.mark.parametrize("count", [7, 127, 255])
def test_zchunk_and_as_many_ranges_as_it_dares(site, count):
    """255 at once; where a server refuses, it halves the number and asks again."""
    ranges = [(i * 10000, i * 10000 + i) for i in range(count)]
    parts = multipart.parse(large(("Range", "bytes=" + ",".join(f"{first}-{last}" for first, last in ranges)), site=site))
    assert [(part.first, part.last) for part in parts] == ranges
    assert all(part.body == content.expected(part.first, part.last - part.first + 1) for part in parts)


def test_root_and_vectors_of_a_thousand(site):
    """Too many at once, or too much text, is refused with no byte of the file; in fours they are all to be had."""
    ranges = [(i * 40000, i * 40000 + 7) for i in range(1024)]

    def ask(some):
        return large(("Range", "bytes=" + ",".join(f"{first}-{last}" for first, last in some)), site=site)
    for some, status in ((ranges, 431), (ranges[:512], 416)):
        refused = ask(some)
        assert refused.status == status and refused.length < 1000
    got = [part for i in range(0, 1024, 256) for part in multipart.parse(ask(ranges[i:i + 256]))]
    assert [(part.first, part.body) for part in got] == [(first, content.expected(first, 8)) for first, _ in ranges]


def test_duckdb_and_one_version_all_along(site):
    """HEAD for length and validators; then ranges of exactly the length asked, each with the same tag."""
    head = large(site=site, method="HEAD")
    assert (head.status, head.length) == (200, LARGE)
    assert head["Last-Modified"] and head["ETag"].startswith('"')
    for offset in range(0, LARGE - MIB, 8 * MIB):
        response = large(("Range", f"bytes={offset}-{offset + MIB - 1}"), site=site)
        assert (response.status, response.length, response["ETag"]) == (206, MIB, head["ETag"])
        assert response.body == content.expected(offset, MIB)


def test_git_annex_and_a_download_that_is_done(site):
    """It has all of it when a 416 says this of the size that it has, letter by letter; and it wants sizes from HEAD without codings."""
    response = large(("Range", f"bytes={LARGE}-"), ("Accept-Encoding", "identity"), site=site)
    assert response.status == 416
    assert f"Content-Range: bytes */{LARGE}" in raw_lines(response)


def test_pmtiles_and_a_file_that_is_smaller_than_asked(site):
    """It asks for 16 KiB of any file at first; a smaller one gives what it has, an empty one nothing, as a 200."""
    (site.root / "small.bin").write_bytes(b"0123456789")
    response = site.daemon.get("/files/small.bin", ("Range", "bytes=0-16383"))
    assert (response.status, response.content_range, response.body) == (206, (0, 9, 10), b"0123456789")
    (site.root / "nothing.bin").touch()
    assert site.daemon.get("/files/nothing.bin", ("Range", "bytes=0-16383")).status == 200


def test_caches_and_what_they_may_keep(site):
    """A part is stored only with a strong validator and a Date, and nothing that forbids it."""
    response = large(("Range", "bytes=100-199"), site=site)
    assert response["ETag"].startswith('"') and response["Date"] and response["Last-Modified"]
    assert "no-store" not in response["Cache-Control"] and "Vary" not in response


def test_redbot_and_a_sample(site):
    """The part is the slice of the whole, with the whole's validators, whatever is accepted."""
    for accepted in ("identity", "gzip, deflate, br"):
        whole = large(("Accept-Encoding", accepted), site=site)
        part = large(("Accept-Encoding", accepted), ("Range", "bytes=7000-7999"), site=site)
        assert part.body == whole.body[7000:8000]
        for name in ("ETag", "Last-Modified", "Cache-Control", "Content-Location", "Expires", "Vary"):
            assert part[name] == whole[name]
