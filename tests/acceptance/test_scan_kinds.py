"""Digests, maps, extents, strings and the watch: true of the file, by references of their own."""
import collections
import hashlib
import http.client
import json
import math
import os
import random
import re
import time

import pytest

from acceptance.scans import Stream, complete
from acceptance.support import MIB, TIB, age
from harness.daemon import Daemon
from harness.http import build


@pytest.fixture(scope="module", name="served")
def make_served(tmp_path_factory):
    root = tmp_path_factory.mktemp("kinds")
    generator = random.Random(5)
    content = generator.randbytes(MIB) + b"A" * MIB + bytes(MIB) + b"".join(b"%d strings, of which some are long\n" % i for i in range(30000))
    content += "wide and long".encode("utf-16-le") + b"\x01" + b"\x02" + "big and wide".encode("utf-16-be") + b"\x03\xff"
    (root / "mixed.bin").write_bytes(content)
    (root / "empty.bin").touch()
    with open(root / "sparse.bin", "wb") as file:
        file.truncate(TIB)
        file.seek(TIB // 2)
        file.write(b"data" * 5000)
    age(root / "sparse.bin")
    with Daemon(root) as daemon:
        daemon.root, daemon.content = root, content
        yield daemon


@pytest.mark.parametrize("algorithm, reference", [("sha-256", hashlib.sha256), ("sha-512", hashlib.sha512), ("sha-1", hashlib.sha1), ("md5", hashlib.md5), ("blake2b-512", hashlib.blake2b)],
                         ids=lambda value: value if isinstance(value, str) else "")
def test_digests(served, algorithm, reference):
    for first, length in ((0, len(served.content)), (12345, 2 * MIB), (len(served.content), 5), (7, 0)):
        found, _ = complete(served, "digest", file="mixed.bin", algorithm=algorithm, offset=first, len=length)
        assert [record["digest"] for record in found] == [reference(served.content[first:first + length]).hexdigest()]
    found, _ = complete(served, "digest", file="empty.bin", algorithm=algorithm)
    assert found[0]["digest"] == reference(b"").hexdigest()


def test_the_digest_of_a_hole_is_that_of_its_zeros(served):
    found, end = complete(served, "digest", file="sparse.bin", offset=TIB // 2 - 5 * MIB, len=10 * MIB)
    data = (b"data" * 5000).ljust(5 * MIB, b"\0")
    assert found[0]["digest"] == hashlib.sha256(bytes(5 * MIB) + data).hexdigest()
    assert end["read"] < MIB


def entropy(data):
    return -sum(count / len(data) * math.log2(count / len(data)) for count in collections.Counter(data).values())


@pytest.mark.parametrize("bins", [1, 7, 64])
def test_an_exact_map(served, bins):
    found, end = complete(served, "map", file="mixed.bin", bins=bins, exact=1)
    assert len(found) == 2 * bins and end["coverage"] == 1
    at = 0
    for number, record in enumerate(found[bins:]):
        data = served.content[at:at + record["length"]]
        assert (record["bin"], record["offset"], record["exact"], record["counted"]) == (number, at, True, len(data))
        assert record["entropy"] == pytest.approx(entropy(data), abs=1e-3)
        assert (record["zero"], record["ones"], record["min"], record["max"]) == (data.count(0), data.count(0xff), min(data), max(data))
        assert record["high"] == sum(0x80 <= byte < 0xff for byte in data)
        assert record["printable"] == len(re.findall(rb"[\x20-\x7e\t\n\r]", data))
        assert sum(record[name] for name in ("zero", "ones", "printable", "control", "high")) == len(data)
        at += len(data)
    assert at == len(served.content)


def test_a_sampled_map_of_a_terabyte_is_quick_and_says_what_it_saw(served):
    began = time.monotonic()
    found, end = complete(served, "map", file="sparse.bin", bins=1024)
    assert time.monotonic() - began < 10, "a second, given ten on a busy machine"
    assert len(found) == 1024 and 0.99 < end["coverage"] < 1
    holes = [record for record in found if record["exact"]]
    assert len(holes) == 1023 and all(record["zero"] == record["length"] for record in holes)
    found, end = complete(served, "map", file="mixed.bin", bins=4)
    assert found[0]["entropy"] > 7.9 and found[1]["entropy"] < 7.9 and 0 < end["coverage"] < 1


def test_extents(served):
    found, end = complete(served, "extents", file="sparse.bin")
    descriptor = os.open(served.root / "sparse.bin", os.O_RDONLY)
    try:
        first = os.lseek(descriptor, 0, os.SEEK_DATA)
        last = os.lseek(descriptor, first, os.SEEK_HOLE)
    finally:
        os.close(descriptor)
    assert [(record["kind"], record["offset"], record["length"]) for record in found] == [
        ("hole", 0, first), ("data", first, last - first), ("hole", last, TIB - last)]
    assert end["data"] == last - first and end["holes"] == TIB - (last - first) and end["read"] == 0
    assert complete(served, "extents", file="empty.bin")[0] == []


def test_strings(served):
    found, end = complete(served, "strings", file="mixed.bin", min=6)
    runs = [match for match in re.finditer(rb"[\x20-\x7e\t]{6,}", served.content)]
    ascii_runs = [record for record in found if record["encoding"] == "ascii"]
    assert [(record["offset"], record["length"]) for record in ascii_runs] == [(match.start(), len(match[0])) for match in runs]
    for record, match in zip(ascii_runs, runs):
        assert record["text"] == match[0][:256].decode() and record["truncated"] == (len(match[0]) > 256)
    wide = [(record["encoding"], record["text"]) for record in found if record["encoding"] != "ascii"]
    assert ("utf-16le", "wide and long") in wide and ("utf-16be", "big and wide") in wide
    assert end["strings"] == len(found)
    few, end = complete(served, "strings", file="mixed.bin", min=6, limit=3)
    assert few == found[:3] and end["strings"] == len(found)


@pytest.mark.parametrize("target, parameter", [
    ("/digest?algorithm=sha-3", "algorithm"), ("/map?bins=0", "bins"), ("/map?bins=4097", "bins"), ("/map?exact=2", "exact"), ("/strings?min=0", "min"),
    ("/strings?limit=-1", "limit"), ("/extents?offset=x", "offset"), ("/digest?len=-1", "len"), ("/watch?offset=1", "offset"), ("/extents?x=1", "x")])
def test_bad_parameters_are_named(served, target, parameter):
    response = served.get(f"{target}&file=mixed.bin")
    assert response.status == 400 and json.loads(response.body)["parameter"] == parameter


@pytest.mark.parametrize("address", ["search?text=a&", "map?", "extents?", "digest?", "strings?", "watch?"])
def test_head_unknown_files_and_http_1_0(served, address):
    assert served.get(f"/{address}file=nothing").status == 404
    with served.connect() as connection:
        connection.send(build("HEAD", f"/{address}file=mixed.bin", [("Connection", "close")], host=served.host))
        head = connection.socket.makefile("rb").read()
    assert head.startswith(b"HTTP/1.1 200 ") and head.endswith(b"\r\n\r\n")
    if not address.startswith("watch"):
        with served.connect() as connection:
            connection.send(f"GET /{address}file=mixed.bin&len=100 HTTP/1.0\r\nHost: {served.host}\r\n\r\n".encode())
            answer = connection.socket.makefile("rb").read()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"chunked" not in head and json.loads(body.splitlines()[-1])["status"] == "complete"


def test_the_watch_tells_of_changes(tmp_path):
    path = tmp_path / "watched.bin"
    path.write_bytes(b"1")
    with Daemon(tmp_path) as daemon:
        connection = http.client.HTTPConnection(*daemon.address, timeout=30)
        connection.request("GET", "/watch?file=watched.bin")
        response = connection.getresponse()
        assert response.status == 200 and response.getheader("Content-Type") == "text/event-stream"

        def event():
            lines = []
            while (line := response.readline().decode().rstrip("\n")) or not lines:
                if line and not line.startswith(":"):
                    lines.append(line)
            return lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))

        kind, first = event()
        assert kind == "version" and first["size"] == 1
        path.write_bytes(b"12345")
        kind, second = event()
        assert kind == "change" and second["size"] == 5 and second["etag"] != first["etag"]
        path.unlink()
        kind, _ = event()
        assert kind == "gone"
        assert response.read() == b""
        connection.close()
