"""What is around the daemon fails: the disk of its log, the clock."""
import hashlib
import json
import os
import signal
import time
from email.utils import parsedate_to_datetime

import pytest

from harness import content
from harness.daemon import Daemon
from harness.http import build, wait_until
from acceptance.support import MIB, age
from faults.support import Faults, clock_of

SIZE = 4 * MIB


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "served"
    root.mkdir()
    content.write_pattern(root / "file.bin", SIZE)
    age(root / "file.bin")
    return root


def test_the_disk_of_the_access_log_is_full(root):
    with Daemon(root, options=["--access-log", "/dev/full"]) as daemon:
        with daemon.connect() as connection:
            for number in range(3000):
                connection.send(build("GET", "/files/file.bin", [("Range", f"bytes={number}-{number + 99}")], host=daemon.host))
                assert connection.read_response().body == content.expected(number, 100)
        wait_until(lambda: daemon.metric("ranged_access_log_dropped_total") + daemon.metric("ranged_access_log_errors_total") > 0,
                   "the loss is counted")


def test_the_log_s_reader_goes_away(root):
    """Standard error is a pipe that nobody reads any more: after two lines, its reader has enough."""
    wrapper = ["bash", "-c", 'exec "$@" 2> >(head -n 2 >&2)', "bash"]
    with Daemon(root, options=["--log-level", "debug"], wrapper=wrapper) as daemon:
        daemon.signal(signal.SIGHUP)  # which is logged
        wait_until(lambda: daemon.metric("ranged_config_reloads_total") == 1, "it goes on")
        for number in range(200):
            daemon.request("BREW", "/files/none")
        assert daemon.get("/files/file.bin").body == content.expected(0, SIZE)


YEAR = 365 * 86400


@pytest.mark.parametrize("jump", [YEAR, -YEAR, 30 * YEAR], ids=["a year ahead", "a year back", "decades ahead"])
def test_the_clock_jumps(shim, root, tmp_path, jump):
    """Timeouts are the steady clock's; dates follow the wall's; what is served stays right."""
    faults = Faults(shim, tmp_path)
    with Daemon(root, options=["--header-timeout", "1s", "--idle-timeout", "30s", "--stale-after", "100ms"], env=faults.environment) as daemon:
        idle, slow = daemon.connect(), daemon.connect(receive_buffer=16 << 10)
        idle.send(build("GET", "/files/file.bin", [("Range", "bytes=0-9")], host=daemon.host))
        first = idle.read_response()
        slow.send(build("GET", "/files/file.bin", host=daemon.host))
        head = slow.read_head()
        faults.jump(jump)
        wait_until(lambda: abs(clock_of(daemon) - time.time() - jump) < 3600, "the date follows")
        # Nobody is timed out by it, and who sends half a head is, as before.
        with daemon.connect() as half:
            half.send(b"GET / HTTP/1.1\r\n")
            begin = time.monotonic()
            assert half.read_response().status == 408
            assert 0.9 <= time.monotonic() - begin < 5
        assert slow.read_exactly(head.length) == content.expected(0, SIZE)
        idle.send(build("GET", "/files/file.bin", [("If-None-Match", first["ETag"])], host=daemon.host))
        assert idle.read_response().status == 304
        response = daemon.get("/files/file.bin", ("Range", "bytes=1000-1999"))
        assert response.body == content.expected(1000, 1000)
        # RFC 9110, 8.8.2.1: an origin server does not send a Last-Modified later than its Date.
        assert parsedate_to_datetime(response["Last-Modified"]) <= parsedate_to_datetime(response["Date"])
        faults.jump(0)
        assert daemon.get("/files/file.bin").body == content.expected(0, SIZE)
        idle.close()
        slow.close()


@pytest.mark.parametrize("age_of_contents", [0, 2 * YEAR], ids=["written of late", "written long ago"])
def test_a_clock_that_was_set_back_holds_no_scan(shim, root, tmp_path, age_of_contents):
    """A scan waits until a file's times can tell a change. Times to come cannot, before the clock has come to them: a year is too long."""
    written = os.stat(root / "file.bin").st_mtime - age_of_contents
    os.utime(root / "file.bin", (written, written))  # the time of the change is now, whatever this says
    faults = Faults(shim, tmp_path)
    with Daemon(root, options=["--stale-after", "0s"], env=faults.environment) as daemon:
        faults.jump(-YEAR)
        wait_until(lambda: clock_of(daemon) < time.time() - YEAR / 2, "the date follows")
        for target in ("/search?file=file.bin&hex=00&limit=0", "/digest?file=file.bin&algorithm=sha-256", "/map?file=file.bin", "/strings?file=file.bin&limit=0",
                       "/extents?file=file.bin"):
            records = [json.loads(line) for line in daemon.get(target).body.splitlines()]
            assert (records[-1]["type"], records[-1]["status"], records[-1]["scanned"]) == ("end", "complete", SIZE), target
            if target.startswith("/digest"):
                assert records[-2]["digest"] == hashlib.sha256(content.expected(0, SIZE)).hexdigest()
