"""curl: ranges, resumption, validators, many connections."""
import os
import subprocess

import pytest

from clients.conftest import HUGE, ISLAND, LARGE, run
from harness import content, multipart
from harness.http import parse_head


def curl(*arguments, **options):
    return run("curl", "--silent", "--show-error", "--noproxy", "*", *arguments, **options)


@pytest.mark.bound(240)  # two copies of it through a pipe, with a daemon that may be built with a sanitizer
def test_all_of_more_than_4_gib(site):
    """Byte for byte through a pipe: nothing wraps at 2 or 4 GiB."""
    with subprocess.Popen(["curl", "--silent", "--show-error", "--noproxy", "*", site.url("huge.bin")], stdout=subprocess.PIPE) as process:
        compared = subprocess.run(["cmp", "-", str(site.root / "huge.bin")], stdin=process.stdout, capture_output=True, timeout=200, check=False)
        assert compared.returncode == 0, compared.stdout
    assert process.returncode == 0


def test_a_range_over_the_4_gib_mark(site):
    first, last = (1 << 32) - 1000, (1 << 32) + 999
    site.mark()
    done = curl("--range", f"{first}-{last}", "--dump-header", "/dev/stderr", site.url("huge.bin"))
    assert done.stdout == site.huge.expected(first, 2000)
    assert f"Content-Range: bytes {first}-{last}/{HUGE}".encode() in done.stderr
    assert [(record["status"], record["bytes"]) for record in site.requests("huge.bin")] == [(206, 2000)]


def test_a_suffix(site):
    assert curl("--range", "-5000", site.url("huge.bin")).stdout == site.huge.expected(HUGE - 5000, 5000)


def test_a_list_of_ranges(site):
    ranges = [(1 << 32, (1 << 32) + 99), (0, 99), (HUGE - 100, HUGE - 1)]
    done = curl("--include", "--range", ",".join(f"{first}-{last}" for first, last in ranges), site.url("huge.bin"))
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    response = parse_head(head)
    response.body = body
    assert response.status == 206 and response.length == len(body)
    parts = multipart.parse(response)
    assert [(part.first, part.last) for part in parts] == ranges
    for part in parts:
        assert part.body == site.huge.expected(part.first, 100)


def test_resuming_beyond_4_gib(site, tmp_path):
    """-C - takes the local length as the offset, and gives up unless the answer begins exactly there."""
    local, have = tmp_path / "huge.bin", HUGE - ISLAND - 777
    local.touch()
    os.truncate(local, have)  # as if that much had come; a hole takes no room
    site.mark()
    curl("--continue-at", "-", "--output", local, site.url("huge.bin"))
    [record] = site.requests("huge.bin")
    assert (record["status"], record["range_first"], record["bytes"]) == (206, have, HUGE - have)
    assert local.stat().st_size == HUGE
    with open(local, "rb") as file:
        assert os.pread(file.fileno(), HUGE - have, have) == site.huge.expected(have, HUGE - have)


def test_resuming_what_is_complete(site, tmp_path):
    """416 with the size: nothing is left to fetch, and the local file stays as it is."""
    local = tmp_path / "large.bin"
    content.write_pattern(local, LARGE)
    site.mark()
    curl("--continue-at", "-", "--output", local, site.url("large.bin"))
    assert [record["status"] for record in site.requests("large.bin")] == [416]
    assert local.read_bytes() == content.expected(0, LARGE)


def test_a_transfer_that_was_cut_is_resumed(site, tmp_path):
    """Cut by the client after some time, resumed until it is whole: each attempt goes on where the last one ended."""
    local = tmp_path / "large.bin"
    site.mark()
    curl("--limit-rate", "16M", "--max-time", "1", "--output", local, site.url("large.bin"), status=28)
    have = local.stat().st_size
    assert 0 < have < LARGE
    curl("--continue-at", "-", "--output", local, site.url("large.bin"))
    assert site.requests("large.bin")[-1]["range_first"] == have
    assert local.read_bytes() == content.expected(0, LARGE)


def test_a_saved_etag_spares_the_transfer(site, tmp_path):
    tag, local = tmp_path / "tag", tmp_path / "large.bin"
    curl("--etag-save", tag, "--output", local, site.url("large.bin"))
    site.mark()
    curl("--etag-compare", tag, "--output", tmp_path / "again", site.url("large.bin"))
    curl("--time-cond", local, "--remote-time", "--output", tmp_path / "again", site.url("large.bin"))
    assert [(record["status"], record["bytes"]) for record in site.requests("large.bin")] == [(304, 0), (304, 0)]


def test_remote_time(site, tmp_path):
    local = tmp_path / "large.bin"
    curl("--remote-time", "--range", "0-0", "--output", local, site.url("large.bin"))
    assert int(local.stat().st_mtime) == int((site.root / "large.bin").stat().st_mtime)


def test_head(site):
    response = parse_head(curl("--head", site.url("huge.bin")).stdout[:-4])
    assert (response.status, response.length, response["Accept-Ranges"]) == (200, HUGE, "bytes")


def test_parallel_ranges(site, tmp_path):
    """Eight at once, of one file."""
    step = LARGE // 8 + 1
    settings = []
    for i in range(8):
        settings += ["next"] if i else []
        settings += [f'url = "{site.url("large.bin")}"', f'range = "{i * step}-{(i + 1) * step - 1}"', f'output = "{tmp_path / str(i)}"',
                     'noproxy = "*"']
    (tmp_path / "config").write_text("\n".join(settings))
    run("curl", "--silent", "--show-error", "--parallel", "--parallel-immediate", "--config", tmp_path / "config")
    assert b"".join((tmp_path / str(i)).read_bytes() for i in range(8)) == content.expected(0, LARGE)


def test_offers_of_other_protocols_and_codings_change_nothing(site):
    """h2c is not taken up, and nothing is compressed."""
    for offer in ("--http2", "--compressed", "--http1.0"):
        done = curl(offer, "--range", "0-99999", "--dump-header", "/dev/stderr", site.url("large.bin"))
        assert done.stdout == content.expected(0, 100000)
        assert done.stderr.startswith(b"HTTP/1.1 206 ")
        assert b"Content-Encoding" not in done.stderr


def test_an_upload_is_refused_without_hanging(site):
    """Expect: 100-continue is answered with the final status at once; without it the answer is not lost to a reset."""
    data = site.root / "large.bin"
    for expect in ("Expect: 100-continue", "Expect:"):
        done = curl("--upload-file", data, "--header", expect, "--write-out", "%{http_code}", "--output", "/dev/null",
                    site.url("large.bin"), status=(0, 55, 56))
        assert done.stdout == b"405"
