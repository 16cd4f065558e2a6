"""Range on GET (RFC 9110, 14): every set of ranges gets the status, the ranges and the bytes that the policy names."""
import os
import socket
import struct

import pytest

from harness import content, multipart
from harness.http import build
from conformance.conftest import PAGE, SIZES, SPARSE_SIZE, TIB

WHOLE = "whole"        # 200 with every byte
REFUSED = "refused"    # 416 with Content-Range: bytes */N
EITHER = "either"      # the value is no ranges-specifier at all: ignored or refused, both are within 14.2

U64 = 1 << 64
S63 = 1 << 63

TABLE = [
    # One range, 14.1.2. A last position beyond the end is clipped; a suffix longer than the file is the file.
    ("eleven.bin", "bytes=0-4", [(0, 4)]),
    ("eleven.bin", "bytes=2-", [(2, 10)]),
    ("eleven.bin", "bytes=-5", [(6, 10)]),
    ("eleven.bin", "bytes=3-7", [(3, 7)]),
    ("eleven.bin", "bytes=0-0", [(0, 0)]),
    ("eleven.bin", "bytes=0-1", [(0, 1)]),
    ("eleven.bin", "bytes=-1", [(10, 10)]),
    ("eleven.bin", "bytes=0-", [(0, 10)]),
    ("eleven.bin", "bytes=0-10", [(0, 10)]),
    ("eleven.bin", "bytes=0-11", [(0, 10)]),
    ("eleven.bin", "bytes=10-", [(10, 10)]),
    ("eleven.bin", "bytes=10-10", [(10, 10)]),
    ("eleven.bin", "bytes=10-11", [(10, 10)]),
    ("eleven.bin", "bytes=5-1000", [(5, 10)]),
    ("eleven.bin", "bytes=-11", [(0, 10)]),
    ("eleven.bin", "bytes=-12", [(0, 10)]),
    ("eleven.bin", "bytes=000000000000000000000000000000000-0000000000000000000000000000000004", [(0, 4)]),
    ("thousand.bin", "bytes=0-8", [(0, 8)]),
    ("thousand.bin", "bytes=-10", [(990, 999)]),
    ("thousand.bin", "bytes=990-1990", [(990, 999)]),
    ("thousand.bin", "bytes=0-10001", [(0, 999)]),
    ("thousand.bin", "bytes=-2000", [(0, 999)]),
    ("six.txt", "bytes=0-3", [(0, 3)]),
    ("six.txt", "bytes=-3", [(3, 5)]),
    ("ten.bin", "bytes=1-10", [(1, 9)]),
    ("ten.bin", "bytes=-1000", [(0, 9)]),
    ("eighteen.bin", "bytes=12-20", [(12, 17)]),
    ("one.bin", "bytes=0-0", [(0, 0)]),
    ("one.bin", "bytes=-1", [(0, 0)]),
    ("one.bin", "bytes=0-18446744073709551615", [(0, 0)]),

    # Numbers of any length never wrap, 14.1.1 sets no bound.
    ("eleven.bin", f"bytes=0-{S63 - 1}", [(0, 10)]),
    ("eleven.bin", f"bytes=0-{S63}", [(0, 10)]),
    ("eleven.bin", f"bytes=0-{U64 - 1}", [(0, 10)]),
    ("eleven.bin", f"bytes=0-{U64}", [(0, 10)]),
    ("eleven.bin", f"bytes=1-{U64 + 4}", [(1, 10)]),
    ("eleven.bin", "bytes=3-" + "9" * 400, [(3, 10)]),
    ("eleven.bin", f"bytes=-{S63}", [(0, 10)]),
    ("eleven.bin", f"bytes=-{U64 - 1}", [(0, 10)]),
    ("eleven.bin", f"bytes=-{U64}", [(0, 10)]),
    ("eleven.bin", f"bytes=-{U64 + 1}", [(0, 10)]),
    ("eleven.bin", "bytes=-" + "9" * 400, [(0, 10)]),
    ("eleven.bin", f"bytes={S63 - 1}-", REFUSED),
    ("eleven.bin", f"bytes={S63}-", REFUSED),
    ("eleven.bin", f"bytes={U64 - 1}-", REFUSED),
    ("eleven.bin", f"bytes={U64}-", REFUSED),
    ("eleven.bin", f"bytes={U64 + 3}-{U64 + 5}", REFUSED),
    ("eleven.bin", "bytes=99999999999999999999999-", REFUSED),
    ("eleven.bin", "bytes=" + "9" * 400 + "-" + "9" * 401, REFUSED),
    ("eleven.bin", "bytes=-17208,-9223372036854758792", [(0, 10)]),

    # Nothing satisfiable, 15.5.17.
    ("eleven.bin", "bytes=11-", REFUSED),
    ("eleven.bin", "bytes=11-12", REFUSED),
    ("eleven.bin", "bytes=12-12", REFUSED),
    ("eleven.bin", "bytes=11-100", REFUSED),
    ("eleven.bin", "bytes=100-", REFUSED),
    ("eleven.bin", "bytes=11-,20-30", REFUSED),
    ("eleven.bin", "bytes=-0", REFUSED),
    ("eleven.bin", "bytes=-0,-0", REFUSED),
    ("eleven.bin", "bytes=-000", REFUSED),
    ("eleven.bin", "bytes=-0,11-", REFUSED),
    ("thousand.bin", "bytes=100000-", REFUSED),
    ("ten.bin", "bytes=10-10", REFUSED),
    ("six.txt", "bytes=25-", REFUSED),
    ("forty_thousand.bin", "bytes=100000-110000", REFUSED),
    ("forty_thousand.bin", "bytes=100000-110000,200000-", REFUSED),

    # Some satisfiable: those, the others dropped.
    ("eleven.bin", "bytes=-0,0-1", [(0, 1)]),
    ("eleven.bin", "bytes=20-30,2-3", [(2, 3)]),
    ("eighteen.bin", "bytes=0-6,20-30", [(0, 6)]),
    ("forty_thousand.bin", "bytes=100000-110000,1000-2000", [(1000, 2000)]),
    ("thousand.bin", "bytes=0-9, -10, 100000-, 10-19", [(0, 9), (990, 999), (10, 19)]),

    # Sets that are no ranges-specifier of the bytes unit: the policy refuses them, and the whole set with them.
    ("eleven.bin", "bytes=5-3", REFUSED),
    ("eleven.bin", "bytes=5-3,0-1", REFUSED),
    ("eleven.bin", "bytes=0-1,5-3", REFUSED),
    ("eleven.bin", "bytes=1-0", REFUSED),
    ("eleven.bin", f"bytes={U64 + 1}-{U64}", REFUSED),
    ("eleven.bin", f"bytes={U64}-0", REFUSED),
    ("eleven.bin", "bytes= 1 - 2", REFUSED),
    ("eleven.bin", "bytes=1 -2", REFUSED),
    ("eleven.bin", "bytes=1- 2", REFUSED),
    ("eleven.bin", "bytes=- 5", REFUSED),
    ("eleven.bin", "bytes=", REFUSED),
    ("eleven.bin", "bytes=,", REFUSED),
    ("eleven.bin", "bytes=, ,", REFUSED),
    ("eleven.bin", "bytes=,,,", REFUSED),
    ("eleven.bin", "bytes=-", REFUSED),
    ("eleven.bin", "bytes=--5", REFUSED),
    ("eleven.bin", "bytes=0--", REFUSED),
    ("eleven.bin", "bytes=A-", REFUSED),
    ("eleven.bin", "bytes=A-Z", REFUSED),
    ("eleven.bin", "bytes=0x01-0x02", REFUSED),
    ("eleven.bin", "bytes=7", REFUSED),
    ("eleven.bin", "bytes=7,0-1", REFUSED),
    ("eleven.bin", "bytes=0-1;3-4", REFUSED),
    ("eleven.bin", "bytes=0-1 3-4", REFUSED),
    ("eleven.bin", "bytes=0-4=", REFUSED),
    ("eleven.bin", "bytes=\"0-4\"", REFUSED),
    ("eleven.bin", "bytes=0.5-4", REFUSED),
    ("eleven.bin", "bytes=1e1-", REFUSED),
    ("six.txt", "bytes=-2-3", REFUSED),
    ("ten.bin", "bytes===1-10", REFUSED),
    ("ten.bin", "bytes=1-10-", REFUSED),
    ("ten.bin", "bytes=1--10", REFUSED),
    ("ten.bin", "bytes=-1-10", REFUSED),
    ("ten.bin", "bytes=0-+3", REFUSED),
    ("ten.bin", "bytes=+3-+5", REFUSED),
    ("ten.bin", "bytes=10-11,12-10", REFUSED),
    ("thousand.bin", "bytes=10", REFUSED),
    ("thousand.bin", "bytes=alpha", REFUSED),
    ("thousand.bin", "bytes=10-alpha", REFUSED),
    ("thousand.bin", "bytes=10-11 12-", REFUSED),
    ("forty_thousand.bin", "bytes=7-1", REFUSED),
    ("forty_thousand.bin", "bytes=foo", REFUSED),
    ("forty_thousand.bin", "bytes=1-4,x", REFUSED),
    ("forty_thousand.bin", "bytes=1-4,5-2", REFUSED),
    ("forty_thousand.bin", "bytes=100000-110000,5-2", REFUSED),
    ("forty_thousand.bin", "bytes=100000-110000,2000-1000", REFUSED),

    # Units, 14.1 and 14.2: names of units know no case; an unknown one is ignored.
    ("eleven.bin", "Bytes=0-4", [(0, 4)]),
    ("eleven.bin", "BYTES=-5", [(6, 10)]),
    ("eleven.bin", "lines=0-4", WHOLE),
    ("eleven.bin", "lines=5-3", WHOLE),
    ("eleven.bin", "x-rows=anything, at all", WHOLE),
    ("eleven.bin", "byte=0-4", WHOLE),
    ("eleven.bin", "bytess=0-4", WHOLE),
    ("eleven.bin", "none=0-4", WHOLE),
    ("eleven.bin", "foo", EITHER),
    ("eleven.bin", "bytes", EITHER),
    ("eleven.bin", "bytes 0-4", EITHER),
    ("eleven.bin", "bytes =0-4", EITHER),
    ("eleven.bin", "0-4", EITHER),
    ("eleven.bin", "=0-4", EITHER),
    ("eleven.bin", "", EITHER),

    # An empty file has no byte to be asked for: any Range is ignored.
    ("empty.bin", "bytes=0-", WHOLE),
    ("empty.bin", "bytes=0-0", WHOLE),
    ("empty.bin", "bytes=0-128", WHOLE),
    ("empty.bin", "bytes=1-", WHOLE),
    ("empty.bin", "bytes=-5", WHOLE),
    ("empty.bin", "bytes=-0", WHOLE),
    ("empty.bin", "bytes=0-0,-1", WHOLE),

    # Lists, 5.6.1.2: empty members and white space around commas are taken.
    ("eleven.bin", "bytes=0-0,-2", [(0, 0), (9, 10)]),
    ("eleven.bin", "bytes=0-1,5-8", [(0, 1), (5, 8)]),
    ("eleven.bin", "bytes=0-1,5-", [(0, 1), (5, 10)]),
    ("eleven.bin", "bytes=0-1, 3-4", [(0, 1), (3, 4)]),
    ("eleven.bin", "bytes=0-1 ,3-4", [(0, 1), (3, 4)]),
    ("eleven.bin", "bytes=0-1\t,\t3-4", [(0, 1), (3, 4)]),
    ("eleven.bin", "bytes=0-1 \t , \t 3-4", [(0, 1), (3, 4)]),
    ("eleven.bin", "bytes=,0-1", [(0, 1)]),
    ("eleven.bin", "bytes=0-1,", [(0, 1)]),
    ("eleven.bin", "bytes=,,0-1,,", [(0, 1)]),
    ("eleven.bin", "bytes=0-1,,3-4", [(0, 1), (3, 4)]),
    ("eleven.bin", "bytes=0-1, , ,3-4,", [(0, 1), (3, 4)]),
    ("hundred.bin", "bytes=0-1,97-98", [(0, 1), (97, 98)]),
    ("thousand.bin", "bytes=0-9, -10, 10-19", [(0, 9), (990, 999), (10, 19)]),

    # Order is the order asked (15.3.7.2 lets a client rely on little; ours may rely on this).
    ("thousand.bin", "bytes=500-600,0-10", [(500, 600), (0, 10)]),
    ("thousand.bin", "bytes=-1,0-0,500-500", [(999, 999), (0, 0), (500, 500)]),
    ("eight_thousand.bin", "bytes=1000-1100,100-200,2000-2200", [(1000, 1100), (100, 200), (2000, 2200)]),
    ("eight_thousand.bin", "bytes=3000-,100-200,2000-2200", [(3000, 7999), (100, 200), (2000, 2200)]),
    ("eight_thousand.bin", "bytes=0-1,-1", [(0, 1), (7999, 7999)]),

    # Only overlapping ranges merge, into the place of the first of them; neighbours and near neighbours do not.
    ("eight_thousand.bin", "bytes=0-100,70-100,1000-1001", [(0, 100), (1000, 1001)]),
    ("eight_thousand.bin", "bytes=1-70,0-100,1000-1001", [(0, 100), (1000, 1001)]),
    ("eight_thousand.bin", "bytes=0-70,72-100,1000-1001", [(0, 70), (72, 100), (1000, 1001)]),
    ("eight_thousand.bin", "bytes=1-70,71-100,1000-1001", [(1, 70), (71, 100), (1000, 1001)]),
    ("eight_thousand.bin", "bytes=5-10,11-12,99-99", [(5, 10), (11, 12), (99, 99)]),
    ("eight_thousand.bin", "bytes=5-10,1-4,99-99", [(5, 10), (1, 4), (99, 99)]),
    ("eight_thousand.bin", "bytes=5-10,1-3,99-99", [(5, 10), (1, 3), (99, 99)]),
    ("eight_thousand.bin", "bytes=10-20,1-9,99-99", [(10, 20), (1, 9), (99, 99)]),
    ("eight_thousand.bin", "bytes=10-20,1-10,99-99", [(1, 20), (99, 99)]),
    ("eight_thousand.bin", "bytes=0-100,70-100,1000-1001,5-6", [(0, 100), (1000, 1001)]),
    ("eight_thousand.bin", "bytes=0-10,20-30,5-25", [(0, 30)]),
    ("eight_thousand.bin", "bytes=1000-1001,0-10,20-30,5-25", [(1000, 1001), (0, 30)]),
    ("eight_thousand.bin", "bytes=0-10,1000-1001,20-30,5-25", [(0, 30), (1000, 1001)]),
    ("eight_thousand.bin", "bytes=7-7,7-7,7-7", [(7, 7)]),
    ("eleven.bin", "bytes=0-,1-,2-,3-,4-", [(0, 10)]),
    ("eleven.bin", "bytes=0-,0-,0-", [(0, 10)]),
    ("eleven.bin", "bytes=0-10,-11", [(0, 10)]),
    ("eleven.bin", "bytes=0-5,-7", [(0, 10)]),
    ("eighteen.bin", "bytes=0-11,6-17", [(0, 17)]),
    ("thousand.bin", "bytes=0-10001, 0-0", [(0, 999)]),
    ("six.txt", "bytes=0-1,3-4", [(0, 1), (3, 4)]),
    ("hundred.bin", "bytes=0-1,1-2,2-3,3-4,4-5,5-6,6-7,7-8,8-9,9-10,10-11,11-12", [(0, 12)]),
    ("hundred.bin", "bytes=11-12,10-11,9-10,8-9,7-8,6-7,5-6,4-5,3-4,2-3,1-2,0-1", [(0, 12)]),
    ("eleven.bin", f"bytes=0-{U64},5-{U64 + 1}", [(0, 10)]),

    # Limits on sets: 256 are served, one more is not; the limit counts what was asked, satisfiable or not.
    ("eight_thousand.bin", "bytes=" + ",".join(f"{i * 30}-{i * 30 + 1}" for i in range(256)),
     [(i * 30, i * 30 + 1) for i in range(256)]),
    ("eight_thousand.bin", "bytes=" + ",".join(f"{i * 30}-{i * 30 + 1}" for i in range(257)), REFUSED),
    ("eight_thousand.bin", "bytes=" + "0-,".join([""] * 258), REFUSED),
    ("eight_thousand.bin", "bytes=" + ",".join(["0-0"] * 1000), REFUSED),
    ("eight_thousand.bin", "bytes=" + ",".join(["0-0"] * 256), [(0, 0)]),
    ("eight_thousand.bin", "bytes=" + "," * 20 + "0-0", [(0, 0)]),
]

# Every edge of a page, and of a file of one page more or less.
for name in ("page_less_one.bin", "page.bin", "page_and_one.bin", "pages.bin"):
    size = SIZES[name]
    marks = sorted({mark + step for mark in (PAGE, 2 * PAGE, size) for step in (-2, -1, 0, 1, 2)})
    for mark in marks:
        if mark < size:
            TABLE.append((name, f"bytes={mark}-{mark}", [(mark, mark)]))
            TABLE.append((name, f"bytes={mark}-", [(mark, size - 1)]))
            TABLE.append((name, f"bytes={max(0, mark - 3)}-{mark + 3}", [(max(0, mark - 3), min(size - 1, mark + 3))]))
        else:
            TABLE.append((name, f"bytes={mark}-", REFUSED))
    TABLE.append((name, f"bytes=-{size - 1}", [(1, size - 1)]))
    TABLE.append((name, f"bytes=-{size + 1}", [(0, size - 1)]))
TABLE += [
    ("pages.bin", f"bytes=0-{PAGE - 1},{PAGE}-{2 * PAGE - 1}", [(0, PAGE - 1), (PAGE, 2 * PAGE - 1)]),
    ("pages.bin", f"bytes=0-{PAGE},{PAGE}-{2 * PAGE - 1}", [(0, 2 * PAGE - 1)]),
    ("pages.bin", f"bytes={4 * PAGE - 5}-{5 * PAGE + 5},{PAGE - 1}-{PAGE}", [(4 * PAGE - 5, 5 * PAGE + 5), (PAGE - 1, PAGE)]),
]


def identity(case):
    name, value, _ = case
    return f"{name}:{value if len(value) < 60 else value[:40] + '...(%d)' % len(value)}"


def check_ranges(response, ranges, size, data_at, media_type):
    """A 206 of exactly these ranges, single or multipart, with the bytes that `data_at(offset, length)` names."""
    assert response.status == 206
    if len(ranges) == 1:
        first, last = ranges[0]
        assert response.content_range == (first, last, size)
        assert response.length == last - first + 1
        assert response["Content-Type"] == media_type
        assert response.body == data_at(first, last - first + 1)
        return
    assert "Content-Range" not in response  # 15.3.7.2: MUST NOT
    parts = multipart.parse(response)
    assert [(part.first, part.last) for part in parts] == ranges
    for part in parts:
        assert part.size == size
        assert part.content_type == media_type
        assert part.body == data_at(part.first, part.last - part.first + 1)
    # No amplification: the ranges are disjoint, so all the rest is framing, some 100 bytes a part.
    assert sum(len(part.body) for part in parts) <= size
    assert len(response.body) <= size + 250 * (len(parts) + 1)


@pytest.mark.parametrize("case", TABLE, ids=identity)
def test_range(site, case):
    name, value, expectation = case
    size = SIZES[name]
    whole = site.daemon.get(f"/files/{name}")
    assert (whole.status, whole.length, whole.body) == (200, size, content.expected(0, size))
    response = site.daemon.get(f"/files/{name}", ("Range", value))
    if expectation == EITHER:
        assert response.status in (200, 416)
        expectation = WHOLE if response.status == 200 else REFUSED
    for field in ("ETag", "Last-Modified", "Accept-Ranges"):
        assert response[field] == whole[field], field
    assert response["Accept-Ranges"] == "bytes"
    if expectation == WHOLE:
        assert response.status == 200
        assert "Content-Range" not in response
        assert response.body == whole.body
    elif expectation == REFUSED:
        assert response.status == 416
        assert response.content_range == (None, None, size)
        assert response["Content-Type"] == "application/problem+json"
        assert response.length == len(response.body)
    else:
        check_ranges(response, expectation, size, content.expected, whole["Content-Type"])


@pytest.mark.parametrize("first, second", [
    ("bytes=0-3", "bytes=5-6"), ("bytes=0-3", "bytes=0-3"), ("0", "bytes=0-3"), ("bytes=0-3", "0"), ("lines=1-2", "bytes=0-3")])
def test_two_range_lines_are_refused(daemon, first, second):
    """Range is no list field (5.3): which of two lines holds is anyone's guess, so neither does."""
    response = daemon.get("/files/eleven.bin", ("Range", first), ("Range", second))
    assert response.status == 416
    assert response.content_range == (None, None, 11)


def test_the_field_name_knows_no_case(daemon):
    for name in ("range", "RANGE", "rAnGe"):
        assert daemon.get("/files/eleven.bin", (name, "bytes=1-2")).content_range == (1, 2, 11)


def test_white_space_around_the_value_is_not_part_of_it(daemon):
    with daemon.connect() as connection:
        connection.send(b"GET /files/eleven.bin HTTP/1.1\r\nHost: 127.0.0.1\r\nRange:\t  bytes=1-2 \t \r\n\r\n")
        assert connection.read_response().content_range == (1, 2, 11)
        connection.send(b"GET /files/eleven.bin HTTP/1.1\r\nHost: 127.0.0.1\r\nRange:bytes=1-2\r\n\r\n")
        assert connection.read_response().content_range == (1, 2, 11)


def test_request_range_is_not_range(daemon):
    """The name that old browsers used, through which the many-ranges attack of 2011 also went."""
    assert daemon.get("/files/eleven.bin", ("Request-Range", "bytes=0-1")).status == 200


@pytest.mark.parametrize("value", ["bytes=0-4", "bytes=0-1,5-6", "bytes=100-", "bytes=5-3", "lines=1-2"])
def test_head_ignores_range(daemon, value):
    """14.2: Range is defined for GET alone."""
    plain = daemon.request("HEAD", "/files/eleven.bin")
    ranged = daemon.request("HEAD", "/files/eleven.bin", [("Range", value)])
    assert (ranged.status, ranged.length) == (200, 11)
    assert "Content-Range" not in ranged
    assert ranged["ETag"] == plain["ETag"]


def test_a_missing_file_ignores_range(daemon):
    response = daemon.get("/files/nothing.bin", ("Range", "bytes=0-1"))
    assert response.status == 404
    assert "Content-Range" not in response


@pytest.mark.parametrize("offset, length", [
    (0, 1), (PAGE - 1, 2), ((1 << 31) - 1, 3), (1 << 31, 1), ((1 << 32) - 1, 3), (1 << 32, 1), (TIB - 1, 3), (TIB, 4096),
    (SPARSE_SIZE - 1, 1), (SPARSE_SIZE - 5000, 5000), ((1 << 31) - PAGE, 2 * PAGE), ((1 << 32) - PAGE, 2 * PAGE)])
def test_offsets_beyond_32_bits(site, offset, length):
    response = site.daemon.get("/files/sparse.bin", ("Range", f"bytes={offset}-{offset + length - 1}"))
    with open(site.root / "sparse.bin", "rb") as file:
        want = os.pread(file.fileno(), length, offset)
    check_ranges(response, [(offset, offset + length - 1)], SPARSE_SIZE, lambda *_: want, "application/octet-stream")


def test_a_set_across_a_whole_tebibyte(site):
    """Parts far apart, in one answer of a few hundred bytes; the whole of it would be a TiB."""
    ranges = [(TIB, TIB + 9), (0, 9), (1 << 32, (1 << 32) + 9), (SPARSE_SIZE - 10, SPARSE_SIZE - 1)]
    value = "bytes=" + ",".join(f"{first}-{last}" for first, last in ranges)
    response = site.daemon.get("/files/sparse.bin", ("Range", value))
    with open(site.root / "sparse.bin", "rb") as file:
        check_ranges(response, ranges, SPARSE_SIZE, lambda offset, length: os.pread(file.fileno(), length, offset),
                     "application/octet-stream")


def test_suffix_of_a_tebibyte(site):
    response = site.daemon.get("/files/sparse.bin", ("Range", "bytes=-1"))
    assert response.content_range == (SPARSE_SIZE - 1, SPARSE_SIZE - 1, SPARSE_SIZE)
    assert response.body == site_byte(site, SPARSE_SIZE - 1)


def site_byte(site, offset):
    with open(site.root / "sparse.bin", "rb") as file:
        return os.pread(file.fileno(), 1, offset)


def test_a_tebibyte_is_promised_whole_and_begun(site):
    """A GET of it all: the length is right, bytes flow at once, and leaving early is no trouble."""
    with site.daemon.connect() as connection:
        connection.send(build("GET", "/files/sparse.bin"))
        head = connection.read_head()
        assert (head.status, head.length) == (200, SPARSE_SIZE)
        with open(site.root / "sparse.bin", "rb") as file:
            assert connection.read_exactly(1 << 20) == os.pread(file.fileno(), 1 << 20, 0)
    site.daemon.wait_until_unpinned()


def test_resuming_piece_by_piece_gives_the_file(site):
    """Ranges one after the other, each taken from where the last one's Content-Range ended."""
    got, size = b"", None
    with site.daemon.connect() as connection:
        while size is None or len(got) < size:
            connection.send(build("GET", "/files/forty_thousand.bin", [("Range", f"bytes={len(got)}-{len(got) + 8191}")]))
            response = connection.read_response()
            first, last, size = response.content_range
            assert first == len(got)
            got += response.body
            assert last == len(got) - 1
        connection.send(build("GET", "/files/forty_thousand.bin", [("Range", f"bytes={len(got)}-")]))
        assert connection.read_response().status == 416
    assert got == site.body("forty_thousand.bin")


@pytest.mark.parametrize("count", [1, 2, 10, 50, 100, 200, 255, 256])
def test_many_small_ranges(site, count):
    ranges = [(i * 100, i * 100 + 1) for i in range(count)]
    value = "bytes=" + ",".join(f"{first}-{last}" for first, last in ranges)
    response = site.daemon.get("/files/forty_thousand.bin", ("Range", value))
    check_ranges(response, ranges, 40000, content.expected, "application/octet-stream")


def test_multipart_over_many_pages(site):
    """Parts larger than a page, in odd order, with page edges inside and between them."""
    size = SIZES["pages.bin"]
    ranges = [(3 * PAGE - 7, 5 * PAGE + 7), (PAGE, 2 * PAGE + 99), (0, 0), (size - 1, size - 1)]
    value = "bytes=" + ",".join(f"{first}-{last}" for first, last in ranges)
    check_ranges(site.daemon.get("/files/pages.bin", ("Range", value)), ranges, size, content.expected, "application/octet-stream")


def test_boundaries_differ(daemon):
    """A boundary that can be foretold can be put into a file."""
    seen = {multipart.boundary_of(daemon.get("/files/eleven.bin", ("Range", "bytes=0-1,3-4"))["Content-Type"]) for _ in range(20)}
    assert len(seen) == 20


def test_the_keep_alive_connection_survives_each_kind(site):
    """206, multipart, 416, 200: one after the other on one connection."""
    with site.daemon.connect() as connection:
        for _ in range(3):
            for value, status in (("bytes=0-1", 206), ("bytes=0-1,3-4", 206), ("bytes=99-", 416), ("lines=1-2", 200), ("bytes=5-3", 416)):
                connection.send(build("GET", "/files/eleven.bin", [("Range", value)]))
                response = connection.read_response()
                assert response.status == status
                assert not response.closes


def test_a_client_that_leaves_in_the_middle_harms_nobody(site):
    """Fifty clients cut their answers short, by reset and by close; the next one is served, and no page stays pinned."""
    for i in range(50):
        with site.daemon.connect(receive_buffer=4096) as connection:
            connection.send(build("GET", "/files/sparse.bin", [("Range", f"bytes={i << 30}-")]))
            connection.read_head()
            if i % 2:
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert site.daemon.get("/files/eleven.bin").status == 200
    site.daemon.wait_until_unpinned()
