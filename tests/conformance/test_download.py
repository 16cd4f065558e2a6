"""/bytes with download=1: the one way for a link in a page to a stretch of a file, since a link carries no Range field."""
import json

import pytest

from harness import content

MIB = 1 << 20
TIB = 1 << 40


def download(daemon, name, offset, length, method="GET"):
    target = f"/bytes?file={name}&offset={offset}&len={length}&encoding=raw&download=1"
    return daemon.get(target) if method == "GET" else daemon.request(method, target)


@pytest.mark.parametrize("length", [0, 1, MIB, MIB + 1, 5 * MIB + 77])
def test_any_length_is_streamed(daemon, length):
    """The window of one answer, 1 MiB, does not bound it."""
    offset = TIB - 5 * MIB
    response = download(daemon, "sparse.bin", offset, length)
    assert response.status == 200
    assert response["Content-Disposition"] == "attachment"
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Security-Policy"] == "sandbox"
    assert len(response.body) == length
    # All is a hole before the island that begins 4 KiB before the tebibyte.
    island = max(0, length - (5 * MIB - 4096))
    assert response.body == bytes(length - island) + content.expected(TIB - 4096, island)


def test_it_ends_with_the_file(site):
    size = len(site.body("pages.bin"))
    response = download(site.daemon, "pages.bin", size - 1000, 10 * TIB)
    assert (response.status, response.length) == (200, 1000)
    assert response.body == site.body("pages.bin")[-1000:]


def test_head_tells_the_length(daemon):
    response = download(daemon, "sparse.bin", 0, TIB, "HEAD")
    assert (response.status, response.length, response["Content-Disposition"]) == (200, TIB, "attachment")


@pytest.mark.parametrize("query, parameter", [
    ("encoding=raw&len=1048577", "len"), ("encoding=hex&download=1", "download"), ("download=1", "download"),
    ("encoding=raw&download=0", "download"), ("encoding=raw&download=", "download"),
    ("encoding=raw&download=1&download=1", "download")])
def test_what_is_none_is_refused(daemon, query, parameter):
    response = daemon.get(f"/bytes?file=ten.bin&{query}")
    assert response.status == 400
    assert json.loads(response.body)["parameter"] == parameter


def test_a_window_is_no_attachment(daemon):
    assert "Content-Disposition" not in daemon.get("/bytes?file=ten.bin&encoding=raw")
