"""Searches find what a plain reference finds, on every edge and in every direction, in fixed memory, and stop when nobody listens."""
import mmap
import os
import random
import re
import threading
import time

import pytest

from acceptance.scans import Stream, complete, scan
from acceptance.support import MIB, TIB, age
from harness.daemon import Daemon
from harness.http import wait_until

EDGES = 16 << 10  # what planted matches straddle: pages of the pool, and frames of scans, begin at multiples of this
NEEDLE = b"\x07needle\x00\xfe"


def occurrences(content, pattern):
    """Every offset at which the compiled pattern matches, overlapping ones too."""
    found, at = [], 0
    while (match := pattern.search(content, at)) is not None:
        found.append(match.start())
        at = match.start() + 1
    return found


@pytest.fixture(scope="module", name="served")
def make_served(tmp_path_factory):
    root = tmp_path_factory.mktemp("search")
    generator = random.Random(1)
    content = bytearray(generator.randbytes(3 * MIB + 777))
    for edge in range(EDGES, len(content), EDGES):
        at = edge - generator.randrange(len(NEEDLE) + 1)
        content[at:at + len(NEEDLE)] = NEEDLE
    content[:len(NEEDLE)] = content[-len(NEEDLE):] = NEEDLE
    (root / "random.bin").write_bytes(content)
    (root / "text.txt").write_bytes("Grüße, WORLD. hello world; Hello\n".encode() * 1000 + "Ünï€😀".encode("utf-16-le"))
    with open(root / "sparse.bin", "wb") as file:
        file.truncate(TIB)
        for where in (5 * 4096 + 4090, TIB // 2, TIB - len(NEEDLE)):
            file.seek(where)
            file.write(NEEDLE)
    age(root / "sparse.bin")
    with Daemon(root) as daemon:
        daemon.root, daemon.content = root, bytes(content)
        yield daemon


def offsets(found):
    return [record["offset"] for record in found if record["type"] == "match"]


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("hex_pattern, reference", [
    (NEEDLE.hex(), re.escape(NEEDLE)), ("076e??65", b"\x07n.e"), ("0?6e 6?65", b"[\x00-\x0f]n[\x60-\x6f]e"), ("fe", b"\xfe"), ("0707", b"\x07\x07")],
    ids=["needle", "byte wildcard", "half wildcards", "one byte", "two equal"])
def test_the_same_hits_as_a_reference(served, direction, hex_pattern, reference):
    expected = occurrences(served.content, re.compile(reference, re.S))
    assert expected
    found, end = complete(served, "search", file="random.bin", hex=hex_pattern, direction=direction, limit=1000000)
    assert offsets(found) == (expected if direction == "forward" else expected[::-1])
    assert end["matches"] == len(expected) and end["scanned"] == end["total"] == len(served.content)


def test_random_windows(served):
    generator = random.Random(2)
    pattern = re.compile(b"\xfe.", re.S)
    for _ in range(20):
        first = generator.randrange(len(served.content))
        length = generator.randrange(2 * MIB)
        expected = [first + at for at in occurrences(served.content[first:first + length], pattern)]
        for direction in ("forward", "backward"):
            found, _ = complete(served, "search", file="random.bin", hex="fe??", offset=first, len=length, direction=direction, limit=1000000)
            assert sorted(offsets(found)) == expected


def test_the_limit_caps_records_and_counting_goes_on(served):
    everything = occurrences(served.content, re.compile(b"\xfe"))
    for direction, wanted in (("forward", everything[:10]), ("backward", everything[:-11:-1])):
        found, end = complete(served, "search", file="random.bin", hex="fe", limit=10, direction=direction)
        assert offsets(found) == wanted
        assert end["matches"] == len(everything) and end["limited"]


def test_progress_counts_what_was_scanned(big):
    """Where as many matches were told as are counted, a search may be taken up from what was scanned: none is lost, none comes twice.

    However fast the disk is, a million records of a frequent byte do not fit into sockets' buffers: the search waits for its reader.
    """
    with Daemon(big.root) as daemon, Stream(daemon, "search", file="big.bin", hex="00", limit=1000000) as stream:
        while (record := stream.next())["type"] != "progress":
            assert record["type"] != "end", "the records are too few for a search to be seen at work"
        told = sum(record["type"] == "match" for record in stream.records)
        assert 0 < told <= record["matches"]
        found, end = complete(daemon, "search", file="big.bin", hex="00", len=record["scanned"], limit=0)
        assert not found and end["matches"] == record["matches"]


def test_nearest(served):
    places = occurrences(served.content, re.compile(re.escape(NEEDLE)))
    generator = random.Random(3)
    for place in [0, len(served.content)] + [generator.randrange(len(served.content)) for _ in range(20)]:
        best = min(places, key=lambda at: (abs(at - place), at < place))
        found, _ = complete(served, "search", file="random.bin", hex=NEEDLE.hex(), offset=place, direction="nearest")
        assert [abs(at - place) for at in offsets(found)] == [abs(best - place)]


def test_text_numbers_and_expressions(served):
    text = (served.root / "text.txt").read_bytes()
    find = lambda **query: offsets(complete(served, "search", file="text.txt", **query)[0])
    assert find(text="hello", limit=1) == [text.index(b"hello")]
    assert len(find(text="hello", case="insensitive", limit=100000)) == 2000
    assert find(text="Ünï€😀", encoding="utf-16le") == [text.index("Ünï€😀".encode("utf-16-le"))]
    assert find(number=int.from_bytes(text[100:108], "big"), type="u64", endian="big", limit=1, offset=100) == [100]
    expression = re.compile(rb"[wW]o?\w+d\b")
    found, _ = complete(served, "search", file="text.txt", regex=r"[wW]o?\w+d\b", limit=100000)
    assert [(record["offset"], record["length"]) for record in found] == [(match.start(), len(match[0])) for match in expression.finditer(text)]


def test_context(served):
    found, _ = complete(served, "search", file="random.bin", hex=NEEDLE.hex(), context=16, limit=5)
    for record in found:
        first = max(record["offset"] - 16, 0)
        assert record["context_offset"] == first
        assert bytes.fromhex(record["context"]) == served.content[first:record["offset"] + len(NEEDLE) + 16]


@pytest.mark.parametrize("query", [
    {}, {"text": "a", "hex": "61"}, {"hex": "6"}, {"hex": "zz"}, {"text": ""}, {"regex": "("}, {"regex": "a*"}, {"regex": "a", "direction": "backward"},
    {"number": "300", "type": "u8"}, {"text": "a", "limit": "x"}, {"text": "a", "context": "257"}, {"text": "a", "direction": "up"},
    {"text": "a", "offset": "x"}, {"text": "a", "surprise": "1"}], ids=str)
def test_what_makes_no_sense_is_refused(served, query):
    with Stream(served, "search", file="random.bin", **query) as stream:
        assert stream.status == 400
        assert stream.response.getheader("Content-Type") == "application/problem+json"


def test_a_sparse_terabyte_takes_seconds(served):
    for direction in ("forward", "backward"):
        began = time.monotonic()
        found, end = complete(served, "search", file="sparse.bin", hex=NEEDLE.hex(), direction=direction)
        assert time.monotonic() - began < 20
        assert sorted(offsets(found)) == [5 * 4096 + 4090, TIB // 2, TIB - len(NEEDLE)]
        assert end["read"] < 16 * MIB and end["scanned"] == TIB
    found, end = complete(served, "search", file="sparse.bin", regex="n[e]+dle", limit=10)
    assert len(offsets(found)) == 3 and end["read"] < 16 * MIB


def test_the_first_match_comes_at_once_and_a_client_that_leaves_stops_the_reading(served, big):
    with Daemon(big.root) as daemon:
        with Stream(daemon, "search", hex="??", limit=1, file="big.bin") as stream:
            while stream.next()["type"] != "match":
                pass
            assert stream.times[-1] < 2, "a first match in 100 ms, given twenty times that on a busy machine"
        wait_until(lambda: daemon.metric("ranged_scans") == 0, "the scan ends")
        assert daemon.metric("ranged_scans_abandoned_total") == 1
        assert daemon.metric("ranged_scan_read_bytes_total") < big.size


def test_so_many_scans_and_no_more(served, big):
    with Daemon(big.root, options=["--max-scans", "2"]) as daemon:
        held = [Stream(daemon, "digest", file="big.bin") for _ in range(2)]
        assert [stream.next()["type"] for stream in held] == ["begin", "begin"]
        with Stream(daemon, "search", file="big.bin", text="x") as refused:
            assert refused.status == 429 and int(refused.response.getheader("Retry-After")) >= 1
        assert daemon.metric("ranged_scans_refused_total") == 1
        for stream in held:
            stream.connection.close()
            stream.response.close()
        wait_until(lambda: daemon.metric("ranged_scans") == 0, "the scans end")
        complete(daemon, "search", file="big.bin", text="x", len=MIB)


def test_a_file_that_changes_ends_the_scan_as_stale(tmp_path):
    path = tmp_path / "file.bin"
    with open(path, "wb") as file:
        file.truncate(64 * TIB // 1024)
        file.write(b"x" * (200 * MIB))
    age(path)
    with Daemon(tmp_path) as daemon:
        with Stream(daemon, "digest", file="file.bin", algorithm="sha-256") as stream:
            assert stream.next()["type"] == "begin"
            with open(path, "r+b") as file:
                file.write(b"changed")
            records = stream.all()
        assert records[-1]["status"] == "stale"
        assert not [record for record in records if record["type"] == "result"]


@pytest.mark.figures
def test_memory_is_flat(big):
    with Daemon(big.root) as daemon:
        complete(daemon, "search", file="big.bin", text="nothing like this", len=MIB)
        daemon.reset_peak()
        before = daemon.status_kib("VmHWM")
        complete(daemon, "search", file="big.bin", text="nothing like this")
        complete(daemon, "search", file="big.bin", hex="??", limit=100000)
        assert daemon.status_kib("VmHWM") - before < 2048


@pytest.mark.figures
def test_viewers_keep_their_pages(big):
    """A scan of the whole file evicts nothing."""
    with Daemon(big.root) as daemon:
        for offset in range(0, 32 * MIB, MIB):
            assert daemon.get(f"/bytes?file=big.bin&offset={offset}&len=65536").status == 200
        before = daemon.samples()
        complete(daemon, "search", file="big.bin", text="nothing like this")
        after = daemon.samples()
        resident = {key: value for key, value in before.items() if "ranged_pool" in str(key)}
        assert resident == {key: value for key, value in after.items() if "ranged_pool" in str(key)}


def test_a_file_that_grows_now_and_then_is_scanned_as_it_is(tmp_path):
    """A change is waited for until it shows; then it is the file of that moment that is scanned, not that of before."""
    path = tmp_path / "log.txt"
    path.write_bytes(b"first line\n")
    with Daemon(tmp_path) as daemon:
        for line in range(1, 6):
            with open(path, "ab") as log:
                log.write(b"line that came later\n")
            # Opened, and known for a second, before the change or after it.
            begin, *_, end = scan(daemon, "search", file="log.txt", text="line")
            assert (end["status"], end["matches"]) == ("complete", 1 + line)
            assert begin["size"] == path.stat().st_size


def test_a_file_that_was_replaced_is_scanned_as_it_is(tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(b"old needle, old needle\n")
    os.utime(path, (1e9, 1e9))
    with Daemon(tmp_path) as daemon:
        assert complete(daemon, "search", file="file.txt", text="needle")[1]["matches"] == 2
        (tmp_path / "new").write_bytes(b"a needle\n")
        os.rename(tmp_path / "new", path)
        begin, *_, end = scan(daemon, "search", file="file.txt", text="needle")
        assert (begin["size"], end["status"], end["matches"]) == (9, "complete", 1)
